package screen

import (
	"slices"
	"testing"
)

func TestFold(t *testing.T) {
	for _, c := range []struct {
		name, text string
		columns    int
		want       []string
	}{
		{"nothing", "", 10, nil},
		{"one line", "a b", 3, []string{"a b"}},
		{"between words", "aaa bbb ccc", 7, []string{"aaa bbb", "ccc"}},
		{"behind a bar", "outbound|8080|x", 10, []string{"outbound|", "8080|x"}},
		{"a word without a place to break", "abcdefgh", 3, []string{"abc", "def", "gh"}},
		{"two columns a letter", "信道信道", 4, []string{"信道", "信道"}},
		{"narrower than a letter", "信", 1, []string{"信"}},
	} {
		if got := Fold(c.text, c.columns, "|/"); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
