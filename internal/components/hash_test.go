package components

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeyChangesWithEachInput(t *testing.T) {
	dir := t.TempDir()
	build := func(change func(p *program, g *gobuild)) string {
		t.Helper()
		p := program{name: "tiny", module: "tiny", local: []string{"hello"},
			packages: []binary{{file: "hello", path: "./hello"}}}
		g := &gobuild{source: dir, version: "go1.26.1"}
		os.RemoveAll(filepath.Join(dir, "tiny"))
		if err := os.CopyFS(filepath.Join(dir, "tiny"), os.DirFS("testdata/tiny")); err != nil {
			t.Fatal(err)
		}
		change(&p, g)
		k, err := g.key(p)
		if err != nil {
			t.Fatal(err)
		}
		return k.String()
	}
	write := func(name, content string) func(*program, *gobuild) {
		return func(*program, *gobuild) { mustWrite(t, filepath.Join(dir, "tiny", name), content) }
	}
	same := func(*program, *gobuild) {}
	first := build(same)
	if again := build(same); again != first {
		t.Fatalf("the same inputs give %s and %s", first, again)
	}
	for name, change := range map[string]func(*program, *gobuild){
		"go version":  func(_ *program, g *gobuild) { g.version = "go1.26.2" },
		"linker flag": func(p *program, _ *gobuild) { p.packages[0].flags = []string{"-X main.version=1"} },
		"package":     func(p *program, _ *gobuild) { p.packages[0].path = "./other" },
		"file name":   func(p *program, _ *gobuild) { p.packages[0].file = "bonjour" },
		"link":        func(p *program, _ *gobuild) { p.links = []string{"hi"} },
		"go.mod":      write("go.mod", "module example.test/other\n"),
		"go.sum":      write("go.sum", "a line\n"),
		"source":      write("hello/main.go", "package main\nfunc main() {}\n"),
		"new source":  write("hello/more.go", "package main\n"),
	} {
		if build(change) == first {
			t.Errorf("another %s gives the same key", name)
		}
	}
	if after := build(write("README", "not a source")); after != first {
		t.Errorf("a file that is no input changes the key")
	}
}

func TestKeyInputsDoNotRunTogether(t *testing.T) {
	a := testKey(t, "x", "ab", "c")
	b := testKey(t, "x", "a", "bc")
	if a.String() == b.String() {
		t.Errorf("two lists of inputs give one key: %s", a)
	}
}

func TestKeyOfMissingFileIsAnError(t *testing.T) {
	g := &gobuild{source: t.TempDir(), version: "go1.26.1"}
	_, err := g.key(program{name: "gone", module: "gone"})
	if err == nil || !strings.Contains(err.Error(), "go.mod") {
		t.Errorf("error %v does not name go.mod", err)
	}
}
