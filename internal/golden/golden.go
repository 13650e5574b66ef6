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
		t.Fatalf("%v (`%s` writes it)", err, command(t.Name()))
	}
	if got != string(want) {
		t.Errorf("it differs from %s (`%s` rewrites it):\n%s", path, command(t.Name()), got)
	}
}

// command is how the files of a test are written, from the root of the module.
func command(test string) string {
	test, _, _ = strings.Cut(test, "/")
	dir, err := os.Getwd()
	for root := dir; err == nil && root != filepath.Dir(root); root = filepath.Dir(root) {
		if _, missing := os.Stat(filepath.Join(root, "go.mod")); missing == nil {
			return "CGO_ENABLED=0 go test ." + filepath.ToSlash(strings.TrimPrefix(dir, root)) + " -run '^" + test +
				"$' -update"
		}
	}
	return "go test -run '^" + test + "$' -update"
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
