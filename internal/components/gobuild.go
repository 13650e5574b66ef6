package components

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
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
		add("flags", strings.Join(goFlags, " ")).add("ldflags", strings.Join(p.ldflags(), " ")).
		add("links", strings.Join(p.links, " ")).
		file("go.mod", filepath.Join(module, "go.mod")).file("go.sum", filepath.Join(module, "go.sum"))
	for _, b := range p.packages {
		k.add("build "+b.file, b.path)
	}
	for _, dir := range p.local {
		k.sources("source", filepath.Join(module, dir))
	}
	return k.key()
}

// build makes p's binaries in w's content directory, by one go command.
func (g *gobuild) build(ctx context.Context, p program, w work) error {
	count := newPackageCount(w.task)
	if err := g.list(ctx, p, count); err != nil {
		return err
	}
	args := slices.Concat([]string{"build", "-v"}, goFlags, p.ldflags(),
		[]string{"-o", p.output(w.content)}, p.paths())
	// Go's own temporary files lie in ours, so that they go with it when the build is killed.
	cmd := goTool(filepath.Join(g.source, p.module), args...)
	cmd.env, cmd.line = append([]string{"GOTMPDIR=" + w.scratch}, goEnv...), count.line
	// its compilers end with it when we are killed, which a process group does not see to
	cmd.private = os.Geteuid() == 0
	if err := cmd.run(ctx); err != nil {
		return err
	}
	count.finish()
	for _, name := range p.links {
		if err := os.Symlink(p.packages[0].file, filepath.Join(w.content, name)); err != nil {
			return err
		}
	}
	return nil
}

// output is where go build puts p's programs below dir: one program into a file, several into the
// directory.
func (p program) output(dir string) string {
	if len(p.packages) == 1 {
		return filepath.Join(dir, p.packages[0].file)
	}
	return dir + string(filepath.Separator)
}

// paths are p's main packages.
func (p program) paths() []string {
	var all []string
	for _, b := range p.packages {
		all = append(all, b.path)
	}
	return all
}

// list downloads the modules that p needs and finds out which of its packages are not in the build
// cache.
func (g *gobuild) list(ctx context.Context, p program, count *packageCount) error {
	args := slices.Concat([]string{"list", "-deps", "-f", "{{.ImportPath}}\t{{.StaleReason}}"}, goFlags, p.paths())
	cmd := goTool(filepath.Join(g.source, p.module), args...)
	cmd.line = count.line
	list, err := cmd.output(ctx)
	if err == nil {
		count.packages(strings.NewReader(list))
	}
	return err
}

// moduleDir is where the source of a module lies that the toolchain builds from. It is fetched
// when it is not there: a build from a full cache of binaries never needed it.
func (g *gobuild) moduleDir(ctx context.Context, module string) (string, error) {
	if err := goTool(g.source, "mod", "download", module).run(ctx); err != nil {
		return "", err
	}
	return goTool(g.source, "list", "-m", "-f", "{{.Dir}}", module).output(ctx)
}
