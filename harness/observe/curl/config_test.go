package curl

import (
	"slices"
	"strings"
	"testing"
)

func TestReadConfig(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
		err  string
	}{
		{"", nil, ""},
		{"# nothing\n\n", nil, ""},
		{"header = \"authorization: Bearer x\"\n", []string{"--header", "authorization: Bearer x"}, ""},
		{"--header: \"a: b\"\n-H \"c: d\"\n", []string{"--header", "a: b", "-H", "c: d"}, ""},
		{"request=POST # a comment\n", []string{"--request", "POST"}, ""},
		{"http2-prior-knowledge\n", []string{"--http2-prior-knowledge"}, ""},
		{"data = \"\"\n", []string{"--data", ""}, ""},
		{`data = "say \"hi\"\n\\"`, []string{"--data", "say \"hi\"\n\\"}, ""},
		{"data=a#b\n", []string{"--data", "a#b"}, ""},
		{"header = a: b\n", nil, "line 1: a value with blanks stands without quotes"},
		{"\nheader = \"a\n", nil, "line 2: a quote is not closed"},
		{"!x\n", nil, "line 1: it begins with no option of curl's"},
	} {
		got, err := ReadConfig(c.text)
		if !slices.Equal(got, c.want) || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%q: %q, %v, want %q, %q", c.text, got, err, c.want, c.err)
		}
	}
}

func FuzzReadConfig(f *testing.F) {
	f.Add("header = \"a: b\"\n-d x\n")
	f.Add(`data = "\`)
	f.Fuzz(func(t *testing.T, text string) {
		args, err := ReadConfig(text)
		if err == nil && len(args) > 2*(strings.Count(text, "\n")+1) {
			t.Errorf("%q of %q", args, text)
		}
	})
}
