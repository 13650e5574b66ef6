// Package outsider holds what another project may rely on.
package outsider

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

const root = "../../.."

// TestOutsiderCompiles builds another project's module against the public packages. It has this
// checkout in the place of the released module and nothing else; versions of libraries are those of
// the released module, as `go mod tidy` finds them.
func TestOutsiderCompiles(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles another module, which -short has no time for")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata")); err != nil {
		t.Fatal(err)
	}
	requireAll(t, dir)
	gocommand(t, dir, "vet", "./...")
	dumps := absolute(t, root, "scenarios", "dumps")
	out := gocommand(t, dir, "run", "./offline", filepath.Join(dumps, "netshoot.json.gz"),
		filepath.Join(dumps, "fortio-server.json.gz"), absolute(t, root, "harness", "bundle", "testdata", "inbound"))
	for _, want := range []string{"no such name: true", "the way has 26 hops and is certain",
		"no such bundle: usage true",
		"are confirmed 26 hops, and refuted 0"} {
		if !strings.Contains(out, want) {
			t.Errorf("it printed\n%swithout %q", out, want)
		}
	}
}

// requireAll writes what `go mod tidy` would into the module's go.mod and go.sum,
// without a network.
func requireAll(t *testing.T, dir string) {
	t.Helper()
	own := read(t, filepath.Join(root, "go.mod"))
	from, err := modfile.Parse("go.mod", own, nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "go.mod")
	to, err := modfile.Parse("go.mod", read(t, path), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(to.Require) != 1 || len(to.Replace) != 1 {
		t.Fatalf("the module of another project requires %d and replaces %d modules", len(to.Require), len(to.Replace))
	}
	if err := to.AddReplace(from.Module.Mod.Path, "", absolute(t, root), ""); err != nil {
		t.Fatal(err)
	}
	for _, r := range from.Require {
		to.AddNewRequire(r.Mod.Path, r.Mod.Version, true)
	}
	text, err := to.Format()
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, text)
	write(t, filepath.Join(dir, "go.sum"), read(t, filepath.Join(root, "go.sum")))
}

func gocommand(t *testing.T, dir string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod -trimpath", "GOPROXY=off", "GONOSUMDB=*")
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func absolute(t *testing.T, parts ...string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
