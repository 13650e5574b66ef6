package components

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flowproof/lab/internal/progress"
)

func TestGoBuild(t *testing.T) {
	ctx := t.Context()
	g, err := newGobuild(ctx, "testdata/tiny")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(g.version, "go1.") {
		t.Errorf("Go's version is %q", g.version)
	}
	p := program{name: "tiny", module: ".", local: []string{"hello"}, links: []string{"hi"},
		packages: []binary{{file: "hello", path: "./hello", flags: []string{"-X main.version=stamped"}}}}
	var digests []string
	for range 2 {
		var said record
		c := testCache(t, &said)
		k, err := g.key(p)
		if err != nil {
			t.Fatal(err)
		}
		m, err := c.ensure(ctx, k, "Building tiny", func(ctx context.Context, w work) error {
			return g.build(ctx, p, w)
		})
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, m.Digest)
		out, err := exec.Command(filepath.Join(c.content(k.String()), "hi")).CombinedOutput()
		if string(out) != "stamped" || err != nil {
			t.Errorf("hi says %q, %v", out, err)
		}
		if log := strings.Join(said.all(), "\n"); !strings.Contains(log, "packages compiled") {
			t.Errorf("no count of packages in %q", log)
		}
	}
	if digests[0] != digests[1] {
		t.Errorf("two builds differ: %s, %s", digests[0], digests[1])
	}
}

func TestGoBuildFailureShowsTheCompiler(t *testing.T) {
	dir := t.TempDir()
	mustWrite(t, filepath.Join(dir, "go.mod"), "module example.test/bad\n\ngo 1.26.0\n")
	mustWrite(t, filepath.Join(dir, "main.go"), "package main\n\nfunc main() { undefined() }\n")
	w := testWork(t)
	g := &gobuild{source: dir}
	err := g.build(t.Context(), program{name: "bad", module: ".", packages: []binary{{file: "bad", path: "."}}}, w)
	if err == nil || !strings.Contains(err.Error(), "main.go:3:15: undefined: undefined") {
		t.Errorf("error %v", err)
	}
	if left, _ := os.ReadDir(w.content); len(left) != 0 {
		t.Errorf("%d files of a failed build", len(left))
	}
}

func TestPackageCount(t *testing.T) {
	var said record
	c := newPackageCount(said.Start("x"))
	c.packages(strings.NewReader("errors\tbuild ID mismatch\ngo.etcd.io/raft/v3\tstale dependency: errors\n" +
		"runtime\t\nmain\tnot installed but available in build cache\n"))
	for _, line := range []string{
		"go: downloading go.etcd.io/raft/v3 v3.7.0", "errors", "errors", "# go.etcd.io/raft/v3", "go.etcd.io/raft/v3",
	} {
		c.line(line)
	}
	c.finish()
	want := []string{"start x", "total 2", "note downloading go.etcd.io/raft/v3 v3.7.0", "set 1", "note errors",
		"set 2", "note go.etcd.io/raft/v3", "note linking", "set 2", "note 2 packages compiled, 2 from the build cache"}
	if got := said.all(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func FuzzPackageCount(f *testing.F) {
	f.Add("runtime\tbuild ID mismatch\n", "go: downloading x v1")
	f.Add("runtime\tbuild ID mismatch\n", "runtime")
	f.Fuzz(func(t *testing.T, list, line string) {
		c := newPackageCount(progress.Quiet.Start(""))
		c.packages(strings.NewReader(list))
		c.line(line)
		if c.compiled > c.total {
			t.Errorf("%d of %d", c.compiled, c.total)
		}
	})
}
