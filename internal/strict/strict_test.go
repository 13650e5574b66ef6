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
	for _, c := range []struct {
		name, text string
		once       string // the line and the name that stands twice; "": each stands once
		message    string // the same of a message of protobuf's
	}{
		{"an object", `{"a": {"a": [{"a": 1}, {"a": 2}]}, "b": "a"}`, "", ""},
		{"twice", "{\"a\": 1,\n \"a\": 2}", `2: "a"`, `2: "a"`},
		{"twice below", `{"x": [{"a": 1, "b": {}, "a": 2}]}`, `1: "a"`, `1: "a"`},
		{"in another case", `{"url": 1, "URL": 2}`, `1: "URL"`, ""},
		{"with the long s", `{"instrument": 1, "inſtrument": 2}`, `1: "inſtrument"`, ""},
		{"with the sign of Kelvin", "{\"kind\": 1, \"\u212aind\": 2}", "1: \"\u212aind\"", ""},
		{"with an escape", `{"url": 1, "u\u0072l": 2}`, `1: "u\u0072l"`, `1: "u\u0072l"`},
		{"as protobuf's other form", `{"filter_chain": 1, "filterChain": 2}`, "", `1: "filterChain"`},
		{"as protobuf's other form, before a digit", `{"accept_http_10": 1, "acceptHttp10": 2}`, "",
			`1: "acceptHttp10"`},
		{"labels", `{"a_b": 1, "ab": 2, "a-b": 3}`, "", ""},
		{"labels of a node", `{"node": {"metadata": {"LABELS": {"a_b": 1, "aB": [{"c_d": 1, "cD": 2}]}}}}`, "", ""},
		{"a label twice", `{"node": {"metadata": {"LABELS": {"a_b": 1, "a_b": 2}}}}`, `1: "a_b"`, `1: "a_b"`},
		{"fields of a node", `{"node": {"locality": {"sub_zone": 1, "subZone": 2}}}`, "", `1: "subZone"`},
		{"metadata that is a message", `{"metadata": {"filter_metadata": {}, "filterMetadata": {}}}`, "",
			`1: "filterMetadata"`},
		{"metadata of a filter", `{"metadata": {"filterMetadata": {"x": {"a_b": {"c_d": 1, "cD": 2}, "aB": 2}}}}`,
			"", ""},
		{"keys of a map", `{"policies": {"a_b": {}, "aB": {}}}`, "", ""},
		{"a field of a map's value", `{"policies": {"a_b": {"c_d": 1, "cD": 2}}}`, "", `1: "cD"`},
		{"a list that has a map's name", `{"policies": [{"a_b": {}, "aB": {}}]}`, "", `1: "aB"`},
		{"behind a map", `{"policies": {"a_b": {}}, "c_d": 1, "cD": 2}`, "", `1: "cD"`},
		{"of many", many + `"a": 2}`, `1: "a"`, `1: "a"`},
		{"the last of many", many + `"z": 2}`, `1: "z"`, `1: "z"`},
		{"strings that look like names", `{"a": "\"a\": 1, {", "b": ["a", "a"], "c":"a" }`, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, way := range []struct {
				err  error
				want string
			}{{Once([]byte(c.text)), c.once}, {Message([]byte(c.text)), c.message}} {
				switch {
				case way.want == "" && way.err != nil:
					t.Error(way.err)
				case way.want == "":
				case way.err == nil || way.err.Error() != "line "+way.want+" stands twice in one object":
					t.Errorf("%v, want %s", way.err, way.want)
				}
			}
		})
	}
	for text, want := range map[string]string{
		`{} {}`:                    "line 1: invalid character '{' after top-level value",
		`{"a": `:                   "line 1: unexpected end of JSON input",
		"{\n\"a\": NaN}":           "line 2: invalid character 'N' looking for beginning of value",
		strings.Repeat("[", 20000): "line 1: invalid character '[' exceeded max depth",
	} {
		if err := Once([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%.20q: %v, want %s", text, err, want)
		}
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

// FuzzOnce holds that what is read means one thing: each member of a document stands in what
// encoding/json makes of it.
func FuzzOnce(f *testing.F) {
	for _, text := range []string{`{"a": 1, "A": 2}`, `{"a_b": [{"x": "\"x\":"}], "aB": null}`,
		`[{"\u0061": 1, "a": 2}]`, "{\"a\": \"\\\\\"}", ` { } `} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		_ = Lines(text)
		_ = Message(text)
		if Once(text) != nil {
			return
		}
		var a, b any
		if !json.Valid(text) {
			t.Fatal("it was read, and is no JSON")
		}
		if json.Unmarshal(text, &a) != nil {
			return // a number that is larger than any of this program's, as 4E444
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
