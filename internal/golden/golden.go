// Package golden compares what a test made with a file that is kept beside the test. `go test
// PACKAGE -update` writes the file instead. It is for tests alone, and no other package of tests
// has that flag: importing this one defines it.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write golden files and what is generated instead of comparing with it")

// Updating says whether -update was given, for what is generated in another way than Equal's.
func Updating() bool { return *update }

// Equal fails the test where got is not what the file at path holds, and shows got. With
// -update it writes the file.
func Equal(t testing.TB, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if got != string(want) {
		t.Errorf("it differs from %s (go test -update rewrites it):\n%s", path, got)
	}
}

// Part holds text, which ends in a newline, against what a page has between its marks <!-- name -->
// and <!-- /name -->. With -update it writes it there.
func Part(t testing.TB, page, name, text string) {
	t.Helper()
	before, _, after := Between(t, page, name)
	Equal(t, page, before+text+after)
}

// Between returns what a page has between its marks <!-- name --> and <!-- /name -->, and what
// stands before and after, the marks among it.
func Between(t testing.TB, page, name string) (before, part, after string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	before, rest, ok := strings.Cut(string(text), begin)
	part, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has nothing between %s and %s", page, strings.TrimSpace(begin), end)
	}
	return before + begin, part, end + after
}
