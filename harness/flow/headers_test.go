package flow

import (
	"encoding/json"
	"testing"
)

func TestHeadersInJSON(t *testing.T) {
	for _, c := range []struct{ name, text, header, want string }{
		{"one value", `{"a": "b"}`, "a", "b"},
		{"several values", `{"a": ["b", "c"]}`, "a", "b,c"},
		{"blanks around a value", `{"a": " b\t"}`, "a", "b"},
		{"blanks around one of several", `{"a": ["b ", "c"]}`, "a", "b,c"},
		{"blanks inside", `{"a": "b c"}`, "a", "b c"},
		{"only blanks", `{"a": " "}`, "a", ""},
	} {
		var h Headers
		if err := json.Unmarshal([]byte(c.text), &h); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := h.Get(c.header); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
