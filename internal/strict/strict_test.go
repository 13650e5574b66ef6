package strict

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// TestOnce reads documents of which a part may mean two things.
func TestOnce(t *testing.T) {
	many := "{"
	for _, c := range "abcdefghijlmnopqrtuvwxyz" {
		many += `"` + string(c) + `": 1, `
	}
	for _, c := range []struct{ name, text, want, message string }{
		{"an object", `{"a": {"a": [{"a": 1}, {"a": 2}]}, "b": "a"}`, "", ""},
		{"twice", "{\"a\": 1,\n \"a\": 2}", `line 2: "a" stands twice in one object`, `line 2: "a" stands twice in one object`},
		{"twice below", `{"x": [{"a": 1, "b": {}, "a": 2}]}`, `line 1: "a" stands twice in one object`, `line 1: "a" stands twice in one object`},
		{"in another case", `{"url": 1, "URL": 2}`, `line 1: "URL" stands twice in one object`, ""},
		{"with the long s", `{"instrument": 1, "inſtrument": 2}`, `line 1: "inſtrument" stands twice in one object`, ""},
		{"with the sign of Kelvin", `{"kind": 1, "` + "\u212a" + `ind": 2}`, "line 1: \"\u212aind\" stands twice in one object", ""},
		{"with an escape", `{"url": 1, "u\u0072l": 2}`, `line 1: "u\u0072l" stands twice in one object`, `line 1: "u\u0072l" stands twice in one object`},
		{"as protobuf's other form", `{"filter_chain": 1, "filterChain": 2}`, "", `line 1: "filterChain" stands twice in one object`},
		{"labels", `{"a_b": 1, "ab": 2, "a-b": 3}`, "", ""},
		{"of many", many + `"a": 2}`, `line 1: "a" stands twice in one object`, `line 1: "a" stands twice in one object`},
		{"the last of many", many + `"z": 2}`, `line 1: "z" stands twice in one object`, `line 1: "z" stands twice in one object`},
		{"strings that look like names", `{"a": "\"a\": 1, {", "b": ["a", "a"], "c":"a" }`, "", ""},
		{"two documents", `{} {}`, "line 1: invalid character '{' after top-level value", "line 1: invalid character '{' after top-level value"},
		{"cut", `{"a": `, "line 1: unexpected end of JSON input", "line 1: unexpected end of JSON input"},
		{"no number", `{"a": NaN}`, "line 1: invalid character 'N' looking for beginning of value", "line 1: invalid character 'N' looking for beginning of value"},
		{"too deep", strings.Repeat("[", 20000), "line 1: invalid character '[' exceeded max depth", "line 1: invalid character '[' exceeded max depth"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, way := range []struct {
				err  error
				want string
			}{{Once([]byte(c.text)), c.want}, {Message([]byte(c.text)), c.message}} {
				if got := ""; way.err != nil {
					got = way.err.Error()
					if got != way.want {
						t.Errorf("%s, want %q", got, way.want)
					}
				} else if way.want != "" {
					t.Errorf("it is read, want %q", way.want)
				}
			}
		})
	}
}

// TestJSON decodes what is meant once and known.
func TestJSON(t *testing.T) {
	type document struct {
		Kind string `json:"kind"`
	}
	for _, c := range []struct{ text, want string }{
		{`{"kind": "a"}`, ""},
		{`{"kind": "a", "kinds": 1}`, `json: unknown field "kinds"`},
		{`{"kind": "a", "Kind": "b"}`, `line 1: "Kind" stands twice in one object`},
		{`{"kind": 1}`, "line 1: kind is a number where a string belongs"},
	} {
		var d document
		if err := JSON([]byte(c.text), &d); (err == nil) != (c.want == "") || err != nil && err.Error() != c.want {
			t.Errorf("%s: %v, want %q", c.text, err, c.want)
		}
	}
}

// TestLines reads the lines of a log, of which some are JSON.
func TestLines(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"text {\n{\"path\": \"/\"}\n{not JSON\n  {\"a\": 1}\n", ""},
		{"text\n{\"path\": \"/lie\", \"path\": \"/\"}\n", `line 2: "path" stands twice in one object`},
	} {
		if err := Lines([]byte(c.text)); (err == nil) != (c.want == "") || err != nil && err.Error() != c.want {
			t.Errorf("%q: %v, want %q", c.text, err, c.want)
		}
	}
}

// FuzzOnce holds that what is read means one thing: each member of a document stands in what encoding/json makes of it.
func FuzzOnce(f *testing.F) {
	for _, text := range []string{`{"a": 1, "A": 2}`, `{"a_b": [{"x": "\"x\":"}], "aB": null}`, `[{"\u0061": 1, "a": 2}]`, "{\"a\": \"\\\\\"}", ` { } `} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		_ = Lines(text)
		_ = Message(text)
		if Once(text) != nil {
			return
		}
		var a, b any
		if err := json.Unmarshal(text, &a); err != nil {
			t.Fatalf("it was read, and is no JSON: %v", err)
		}
		again, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if err := Once(again); err != nil && json.Valid(text) {
			t.Errorf("%s becomes %s: %v", text, again, err)
		}
		if json.Unmarshal(again, &b) != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("%s is another document when it is written again", text)
		}
	})
}
