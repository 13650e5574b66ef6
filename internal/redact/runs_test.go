package redact

import (
	"regexp"
	"strings"
	"testing"
)

// TestRuns holds what is looked for byte by byte against the expressions that say what it is.
func TestRuns(t *testing.T) {
	candidate := regexp.MustCompile(`[A-Za-z0-9_+/=~.-]{20,}`)
	mark := func(word string) string {
		if strings.ContainsAny(word, "0123456789") {
			return "«" + word + "»"
		}
		return word
	}
	var all []string
	for _, name := range []string{"secret-texts.txt", "secret-documents.txt", "harmless.txt",
		"harmless-documents.txt"} {
		all = append(all, corpus(t, name)...)
	}
	long := strings.Repeat("a1", 8)
	all = append(all, "the token IS abcd", "tokens: token of\tx", "paſſword waſ x1", "-u a:b", "[--token x",
		"a --token\tx", "password to")
	all = append(all, "", long, "/"+long, "/"+long[1:], "//"+long, "é/"+long+"é"+long+"aaaa1", long+long+" "+long+long,
		long+"\xff"+long+long)
	for _, line := range all {
		text := secrets.Replace(line)
		if got, want := runs(text, "_+/=~.-", 20, mark), candidate.ReplaceAllStringFunc(text, mark); got != want {
			t.Errorf("runs of %q are %q, by the expression %q", text, got, want)
		}
		if got, want := longSegment(text), segments.MatchString(text); got != want {
			t.Errorf("a long segment in %q: %v, by the expression %v", text, got, want)
		}
		passedOver(t, text)
	}
}

// passedOver reports what an expression finds in a text and the look before it does not.
func passedOver(t *testing.T, text string) {
	for what, found := range map[string]bool{
		"option":   options.MatchString(text) && !mayOption(text),
		"sentence": words2.MatchString(text) && !maySay(text),
		"header":   wholeLine.MatchString(text) && !mayAuthorize(text),
		"pair":     replacePairs(text) != text && !mayPair(text),
	} {
		if found {
			t.Errorf("the %s in %q is passed over", what, text)
		}
	}
	mark := func(m []string) string { return "[" + m[0] + "]" }
	if marked, want := queries.replace(text, mark), replace(queries.anywhere, text, mark); marked != want {
		t.Errorf("parameters are %q, by the expression %q", marked, want)
	}
}

// FuzzPassedOver holds each quick look at a text against its expression.
func FuzzPassedOver(f *testing.F) {
	for _, name := range []string{"secret-texts.txt", "secret-documents.txt", "harmless.txt",
		"harmless-documents.txt"} {
		for _, line := range corpus(f, name) {
			f.Add(secrets.Replace(line))
		}
	}
	for _, text := range []string{"a\\\"]\t:= 1 pin'] = 12345", "\u212aey: abcd", "to\u212aen=abcd", "%3Fa%3Db%26c=d",
		"-- -a b",
		strings.Repeat("%3Fa=b&", 70)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { passedOver(t, text) })
}
