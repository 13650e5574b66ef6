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
		if options.MatchString(text) && !mayOption(text) {
			t.Errorf("the option in %q is passed over", text)
		}
		if words2.MatchString(text) && !maySay(text) {
			t.Errorf("the sentence %q is passed over", text)
		}
	}
}
