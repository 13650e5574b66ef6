package components

import (
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

// goEnv makes builds independent of the person's settings, except for where modules come from.
// Static binaries run in images without a C library.
var goEnv = []string{"CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOOS=linux", "GOARCH=" + runtime.GOARCH, "GOAMD64=v1",
	"GOEXPERIMENT="}

// goFlags are the same for every program, so that the Go build cache serves all
// that share packages.
var goFlags = []string{"-trimpath", "-buildvcs=false"}

// goTool is a go command in dir.
func goTool(dir string, args ...string) command {
	return command{name: "go", args: args, dir: dir, env: goEnv}
}

// newGobuild asks Go for its version in the toolchain folder source.
func newGobuild(ctx context.Context, source string) (*gobuild, error) {
	version, err := goTool(source, "env", "GOVERSION").output(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask Go for its version: %w", err)
	}
	return &gobuild{source: source, version: version}, nil
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

// ldflags leave out symbol tables and debug information: these binaries are not debugged, and they
// halve in size.
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
		cmd := goTool(filepath.Join(g.source, p.module), args...)
		cmd.env, cmd.line = append([]string{"GOTMPDIR=" + w.scratch}, goEnv...), count.line
		// its compilers end with it when we are killed, which a process group does not see to
		cmd.private = os.Geteuid() == 0
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

// list downloads the modules that p needs and finds out which of its packages are not
// in the build cache.
func (g *gobuild) list(ctx context.Context, p program, count *packageCount) error {
	args := append([]string{"list", "-deps", "-f", "{{.ImportPath}}\t{{.StaleReason}}"}, goFlags...)
	for _, b := range p.packages {
		args = append(args, b.path)
	}
	cmd := goTool(filepath.Join(g.source, p.module), args...)
	cmd.line = count.line
	list, err := cmd.output(ctx)
	if err == nil {
		count.packages(strings.NewReader(list))
	}
	return err
}

// moduleDir is where the source of a module lies that a folder of the toolchain builds from. It is
// fetched when it is not there: a build from a full cache of binaries never needed it.
func (g *gobuild) moduleDir(ctx context.Context, folder, module string) (string, error) {
	dir := filepath.Join(g.source, folder)
	if err := goTool(dir, "mod", "download", module).run(ctx); err != nil {
		return "", err
	}
	return goTool(dir, "list", "-m", "-f", "{{.Dir}}", module).output(ctx)
}
