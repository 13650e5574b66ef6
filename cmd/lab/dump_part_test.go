package main

import (
	"strings"
	"testing"
)

// TestPartOf shows parts of a dump, and says of what is not there what there is.
func TestPartOf(t *testing.T) {
	const dump = `{"configs":[{"@type":"type.googleapis.com/envoy.admin.v3.ListenersConfigDump","static_listeners":[{"a/b":1}]}]}`
	for _, tc := range []struct{ section, at, want, refused string }{
		{"", "", dump, ""},
		{"listeners", "", `"static_listeners"`, ""},
		{"Listeners", "", `"static_listeners"`, ""},
		{"", "/configs/0/static_listeners/0/a~1b", "1", ""},
		{"routes", "", "", "the dump has none of that name (listeners)"},
		{"", "/configs/0/static_listeners/7", "", `it leads as far as "/configs/0/static_listeners"`},
		{"", "configs", "", "it is no JSON pointer"},
		{"routes", "/configs", "", "name two things"},
	} {
		got, err := partOf([]byte(dump), tc.section, tc.at)
		if tc.refused != "" && (err == nil || !strings.Contains(err.Error(), tc.refused)) ||
			tc.refused == "" && (err != nil || !strings.Contains(string(got), tc.want)) {
			t.Errorf("%+v: %s, %v", tc, got, err)
		}
	}
}
