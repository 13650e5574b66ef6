package components

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// A gobuild builds programs with one Go version from one toolchain folder.
type gobuild struct {
	source  string
	version string // of Go, as the toolchain's go.mod selects it
}

// goEnv makes builds independent of the person's settings, except for where modules come from. Static binaries run in
// images without a C library.
var goEnv = []string{"CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOOS=linux", "GOARCH=" + runtime.GOARCH, "GOAMD64=v1", "GOEXPERIMENT="}

// goFlags are the same for every program, so that the Go build cache serves all that share packages.
var goFlags = []string{"-trimpath", "-buildvcs=false"}

// newGobuild asks Go for its version in the toolchain folder.
func newGobuild(ctx context.Context, source string) (*gobuild, error) {
	var out bytes.Buffer
	cmd := command{name: "go", args: []string{"env", "GOVERSION"}, dir: source, env: goEnv, stdout: &out}
	if err := cmd.run(ctx); err != nil {
		return nil, fmt.Errorf("ask Go for its version: %w", err)
	}
	return &gobuild{source: source, version: strings.TrimSpace(out.String())}, nil
}

// key hashes everything that decides about the bytes of p.
func (g *gobuild) key(p program) (key, error) {
	module := filepath.Join(g.source, p.module)
	k := newKey(p.name).add("go", g.version).add("platform", "linux/"+runtime.GOARCH).
		add("flags", strings.Join(goFlags, " ")).add("ldflags", p.ldflags()).add("links", strings.Join(p.links, " ")).
		file("go.mod", filepath.Join(module, "go.mod")).file("go.sum", filepath.Join(module, "go.sum"))
	for _, b := range p.packages {
		k.add("build "+b.file, b.path)
	}
	if p.local != "" {
		k.sources("source", filepath.Join(module, p.local))
	}
	return k.key()
}

// ldflags leave out symbol tables and debug information: nobody debugs these binaries, and they halve in size.
func (p program) ldflags() string {
	return strings.Join(append([]string{"-s", "-w"}, p.flags...), " ")
}

// build makes p's binaries in w's content directory.
func (g *gobuild) build(ctx context.Context, p program, w work) error {
	count := newPackageCount(w.task)
	if err := g.list(ctx, p, count); err != nil {
		return err
	}
	for _, b := range p.packages {
		args := append([]string{"build", "-v"}, goFlags...)
		args = append(args, "-ldflags", p.ldflags(), "-o", filepath.Join(w.content, b.file), b.path)
		// Go's own temporary files lie in ours, so that they go with it when the build is killed.
		cmd := command{name: "go", args: args, dir: filepath.Join(g.source, p.module), line: count.line,
			env: append([]string{"GOTMPDIR=" + w.scratch}, goEnv...)}
		if err := cmd.run(ctx); err != nil {
			return err
		}
	}
	count.finish()
	for _, name := range p.links {
		if err := os.Symlink(p.packages[0].file, filepath.Join(w.content, name)); err != nil {
			return err
		}
	}
	return nil
}

// list downloads the modules that p needs and counts its packages.
func (g *gobuild) list(ctx context.Context, p program, count *packageCount) error {
	args := []string{"list", "-deps", "-f", "{{.ImportPath}}"}
	for _, b := range p.packages {
		args = append(args, b.path)
	}
	var out bytes.Buffer
	cmd := command{name: "go", args: args, dir: filepath.Join(g.source, p.module), env: goEnv, stdout: &out, line: count.line}
	if err := cmd.run(ctx); err != nil {
		return err
	}
	count.packages(strings.Fields(out.String()))
	return nil
}

// moduleDir is where the source of a module that the toolchain builds from lies.
func (g *gobuild) moduleDir(ctx context.Context, module string) (string, error) {
	var out bytes.Buffer
	// -mod=mod would write; "download" fetches the module when only its binaries are cached here.
	download := command{name: "go", args: []string{"mod", "download", module}, dir: g.source, env: goEnv}
	if err := download.run(ctx); err != nil {
		return "", err
	}
	cmd := command{name: "go", args: []string{"list", "-m", "-f", "{{.Dir}}", module}, dir: g.source, env: goEnv, stdout: &out}
	if err := cmd.run(ctx); err != nil {
		return "", err
	}
	return strings.TrimSpace(out.String()), nil
}
