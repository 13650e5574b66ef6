package match

import (
	"testing"

	"github.com/flowproof/lab/harness/configdump"
)

// value reads one matcher.
func value(t testing.TB, text string) configdump.Value {
	t.Helper()
	d, err := configdump.Parse(
		[]byte(`{"configs":[{"@type":"type.googleapis.com/envoy.admin.v3.BootstrapConfigDump","bootstrap":` +
			text + `}]}`))
	if err != nil {
		t.Fatal(err)
	}
	return d.Bootstrap()
}

// words of the tables: what a condition answers.
const (
	takes = "yes"
	not   = "no"
	open  = "depends"
)

func word(t Truth) string {
	switch {
	case t.Yes():
		return takes
	case t.No():
		return not
	}
	return open
}

func TestHeader(t *testing.T) {
	const custom = `"custom": {"name": "acme", "typed_config": {"@type": "type.googleapis.com/acme.match.Anything"}}`
	h := NewHeaders(map[string]string{"X-A": "abc", "x-n": "5", "x-empty": ""})
	h.Loosen("x-open", Cause{"filter f", "filter f may set it"})
	for _, c := range []struct{ name, matcher, want string }{
		{"exact", `{"name": "x-a", "string_match": {"exact": "abc"}}`, takes},
		{"ignoring case", `{"name": "x-a", "string_match": {"exact": "ABC", "ignore_case": true}}`, takes},
		{"prefix of another", `{"name": "x-a", "string_match": {"prefix": "b"}}`, not},
		{"inverted", `{"name": "x-a", "string_match": {"prefix": "b"}, "invert_match": true}`, takes},
		{"absent, inverted", `{"name": "x-b", "string_match": {"prefix": "b"}, "invert_match": true}`, not},
		{
			"absent, as empty", `{"name": "x-b", "string_match": {"exact": "b"}, "invert_match": true, ` +
				`"treat_missing_header_as_empty": true}`, takes,
		},
		{"present", `{"name": "x-empty", "present_match": true}`, takes},
		{"no condition is presence", `{"name": "x-b"}`, not},
		{"range", `{"name": "x-n", "range_match": {"start": "5", "end": "6"}}`, takes},
		{"range, at its end", `{"name": "x-n", "range_match": {"start": "1", "end": "5"}}`, not},
		{"camel case", `{"name": "x-a", "stringMatch": {"safeRegex": {"regex": "[a-c]+"}}}`, takes},
		{"custom string matcher", `{"name": "x-a", "string_match": {` + custom + `}}`, open},
		{"custom string matcher, inverted",
			`{"name": "x-a", "string_match": {` + custom + `}, "invert_match": true}`, open},
		{"custom string matcher, header absent", `{"name": "x-b", "string_match": {` + custom + `}}`, not},
		{"kind that is not known", `{"name": "x-a", "acme_match": {}}`, open},
		{"open header", `{"name": "x-open", "string_match": {"exact": "a"}}`, open},
		{"open header, present", `{"name": "x-open", "present_match": true}`, open},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Header(value(t, c.matcher), h); word(got) != c.want {
				t.Errorf("%s; expected %s", word(got), c.want)
			} else if c.want == open && (got.On == "" || got.Why == "") {
				t.Errorf("it does not say on what it depends: %+v", got)
			}
		})
	}
}

func TestPath(t *testing.T) {
	for _, c := range []struct{ name, match, path, want string }{
		{"prefix", `{"prefix": "/a"}`, "/ab", takes},
		{"separated", `{"path_separated_prefix": "/a"}`, "/ab", not},
		{"insensitive", `{"path": "/A", "case_sensitive": false}`, "/a", takes},
		{
			"template", `{"path_match_policy": {"typed_config": {"@type": ` +
				`"type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig", ` +
				`"path_template": "/{x}/b"}}}`, "/a/b", takes,
		},
		{
			"template, camel case", `{"pathMatchPolicy": {"typedConfig": {"@type": ` +
				`"type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig", ` +
				`"pathTemplate": "/{x}/b"}}}`, "/a/c", not,
		},
		{
			"policy that is not known",
			`{"path_match_policy": {"name": "p", "typed_config": {"@type": "type.googleapis.com/acme.path.Anything"}}}`,
			"/a", open,
		},
		{"nothing", `{}`, "/a", not},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := NewPath(value(t, c.match)).Matches(c.path, true, false); word(got) != c.want {
				t.Errorf("%s; expected %s", word(got), c.want)
			}
		})
	}
}

func TestQueryAndCookies(t *testing.T) {
	params := QueryParams("/a?q=1&r&q=2#s=3")
	cookies := Cookies(`a=1; b="2"; a=3`)
	for _, c := range []struct {
		name string
		got  Truth
		want string
	}{
		{"first value", Query(value(t, `{"name": "q", "string_match": {"exact": "1"}}`), params), takes},
		{"absent", Query(value(t, `{"name": "s", "string_match": {"exact": "3"}}`), params), not},
		{"absent as it has to be", Query(value(t, `{"name": "s", "present_match": false}`), params), takes},
		{"name alone", Query(value(t, `{"name": "r"}`), params), takes},
		{"kind that is not known", Query(value(t, `{"name": "r", "acme_match": {}}`), params), open},
		{"cookie in quotes", Cookie(value(t, `{"name": "b", "string_match": {"exact": "2"}}`), cookies), takes},
		{"cookie, inverted", Cookie(value(t, `{"name": "c", "string_match": {"exact": "2"}, "invert_match": true}`),
			cookies), takes},
	} {
		t.Run(c.name, func(t *testing.T) {
			if word(c.got) != c.want {
				t.Errorf("%s; expected %s", word(c.got), c.want)
			}
		})
	}
}

// TestTruth is the table of three-valued logic.
func TestTruth(t *testing.T) {
	d := Depends("x", "y")
	for _, c := range []struct {
		a, b Truth
		and  string
	}{{Yes, Yes, takes}, {Yes, No, not}, {No, d, not}, {d, No, not}, {d, Yes, open}, {Yes, d, open}, {d, d, open}} {
		if got := word(c.a.And(c.b)); got != c.and {
			t.Errorf("%s and %s: %s; expected %s", word(c.a), word(c.b), got, c.and)
		}
	}
	if word(d.Not()) != open || word(Yes.Not()) != not || word(No.Not()) != takes {
		t.Error("Not")
	}
}

// FuzzPath tries path templates and patterns of all kinds: none may panic.
func FuzzPath(f *testing.F) {
	f.Add("/a/{x=*}/**", "/a/b/c")
	f.Add("/{", "/")
	f.Add("(", "/a")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		for _, kind := range []pathKind{pathPrefix, pathExact, pathSeparatedPrefix, pathRegex, pathTemplate} {
			p := Path{kind: kind, text: pattern}
			p.Matches(path, true, false)
			_, _ = p.Matched(path)
			p.TemplateRewrite("/{x}", path)
		}
	})
}
