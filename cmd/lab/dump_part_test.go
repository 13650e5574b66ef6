package main

import (
	"strings"
	"testing"

	"github.com/flowproof/lab/cmd/lab/internal/exit"
)

// TestPartOf shows parts of a dump, and says of what is not there what there is.
func TestPartOf(t *testing.T) {
	const dump = `{"configs":[{"@type":"type.googleapis.com/envoy.admin.v3.ListenersConfigDump","static_listeners":[{` +
		`"a/b":1}]}]}`
	for _, tc := range []struct{ section, at, want, refused string }{
		{"", "", dump, ""},
		{"listeners", "", `"static_listeners"`, ""},
		{"Listeners", "", `"static_listeners"`, ""},
		{"", "/configs/0/static_listeners/0/a~1b", "1", ""},
		{"routes", "", "", "the dump has none of that name (listeners)"},
		{"", "/configs/0/static_listeners/7", "", `it leads as far as "/configs/0/static_listeners"`},
		{"", "configs", "", "it is neither a JSON pointer"},
		{"routes", "/configs", "", "name two things"},
	} {
		got, err := partOf([]byte(dump), tc.section, tc.at)
		if tc.refused != "" && (err == nil || !strings.Contains(err.Error(), tc.refused)) ||
			tc.refused == "" && (err != nil || !strings.Contains(string(got), tc.want)) {
			t.Errorf("%+v: %s, %v", tc, got, err)
		}
	}
}

// TestSelected follows names into a recorded dump, and says what there is where a
// name leads nowhere.
func TestSelected(t *testing.T) {
	for _, tc := range []struct{ at, want, refused string }{
		{at: "listeners/virtualInbound/address/socket_address/port_value", want: "15006"},
		{at: "clusters/inbound|8080||/type", want: `"ORIGINAL_DST"`},
		{at: "routes/8080/virtual_hosts/fortio-server.mark.svc.cluster.local:8080/routes/0/match/prefix", want: `"/"`},
		{at: "listeners/virtualInbound/listener_filters/envoy.filters.listener.tls_inspector/name",
			want: `"envoy.filters.listener.tls_inspector"`},
		{at: "bootstrap/node/metadata/NAME", want: `"fortio-server"`},
		{at: "listeners/virtualInbound/filter_chains/10/name", want: `"0.0.0.0_8080"`},
		{
			at:      "listeners/virtualInbound/filter_chains/0.0.0.0_8080",
			refused: "are called 0.0.0.0_8080 (name one by its index: 10, 11)",
		},
		{at: "listeners/virtual", refused: "there is no listener of that name (there are: "},
		{at: "listeners", refused: "a selector goes on with a name: listeners/NAME"},
		{at: "listener/x", refused: "nor a selector, which begins with a section"},
		{at: "clusters/inbound|8080||/typ", refused: "there is no typ at /configs/1/dynamic_active_clusters/"},
		{at: "clusters/inbound|8080||/type/x", refused: "is a value, and nothing is below it"},
		{at: "listeners/virtualInbound/filter_chains/99", refused: "is called 99"},
		{at: "clusters//type", refused: "there is no cluster of that name"},
	} {
		code, out, errs := run(t, "dump", "--file", "../../scenarios/dumps/fortio-server.json.gz", "--at", tc.at)
		if tc.refused != "" && (code != exit.Usage || !strings.Contains(errs, tc.refused)) ||
			tc.refused == "" && (code != 0 || out != tc.want+"\n") {
			t.Errorf("%s: exit code %d, %q, %s; want %s%s", tc.at, code, out, errs, tc.want, tc.refused)
		}
	}
}
