//go:build linux

package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/enclosure"
	"github.com/flowproof/lab/internal/labstate"
	"github.com/flowproof/lab/internal/progress"
	"github.com/flowproof/lab/internal/trust"
)

// enclosed is what a Docker of our own lives in.
var enclosed = enclosure.Kind{Name: "docker", Suffix: ".docker", Noun: "Docker of lab", Verb: Verb}

func init() { enclosed.Resident = newDaemon }

// Main is the hidden verb: guard and init of a Docker of our own, the runtime that it starts
// containers with, and what guards the kernel from them. It returns the process's exit code. A test
// binary that starts a Docker calls it from TestMain.
func Main(args []string) int {
	if len(args) > 0 && args[0] == runtimeWord {
		return runtimeMain(args[1:])
	}
	if len(args) == 1 && args[0] == guardWord {
		return guardMain(os.Stdin)
	}
	return enclosed.Main(args)
}

// Start returns our own Docker of that name, which it starts if there is none. One that it has
// started ends with this process, unless its Owner is committed; nothing of it is left after any
// kill.
func Start(ctx context.Context, name string, o Options, p progress.Reporter) (*Docker, error) {
	if d, err := Ours(ctx, name); d != nil || err != nil {
		return d, err
	}
	task := p.Start("Starting Docker in namespaces of its own")
	d, err := launch(ctx, name, payload{Prepared: o.Prepared}, o.Held)
	task.Done(err)
	if errors.Is(err, enclosure.ErrTaken) {
		if d, err = Ours(ctx, name); d == nil && err == nil { // another process was faster
			err = fault.Environmentf("start Docker of lab %s: another process started it and took it down again (try "+
				"again)", name)
		}
	}
	return d, err
}

func launch(ctx context.Context, name string, c payload, held []*os.File) (*Docker, error) {
	if os.Geteuid() != 0 {
		return nil, fault.Environmentf("start Docker: it makes namespaces and mounts (run as root, or start Docker " +
			"yourself)")
	}
	if err := whyNoDaemon(); err != nil {
		return nil, fault.Environmentf("start Docker: %w (run: hack/setup.sh kind)", err)
	}
	if err := enclosed.SweepLeft(ctx, name); err != nil {
		return nil, err
	}
	o, err := enclosed.Launch(ctx, name, c, held...)
	if err != nil {
		return nil, err
	}
	if err := o.Await(ctx, ready); err != nil {
		o.Abandon()
		return nil, err
	}
	d := inside(name, o.State())
	d.owner = o
	if err := d.Ping(ctx); err != nil {
		o.Abandon()
		return nil, err
	}
	return d, nil
}

// DaemonVersion is what the program says that a Docker of our own is made of.
func DaemonVersion(ctx context.Context) (string, error) {
	path, err := lookPath("dockerd")
	if err != nil {
		return "", fault.Environmentf("find dockerd: %w (run: hack/setup.sh kind)", err)
	}
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return "", fault.Environmentf("ask dockerd for its version: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Ours returns our own Docker of that name when it runs; nil when there is none. It waits for one
// that is being started.
func Ours(ctx context.Context, name string) (*Docker, error) {
	s, err := enclosed.Ask(ctx, name, -1)
	for err == nil && s.State != labstate.Broken && !s.Reached(ready) {
		s, err = enclosed.Ask(ctx, name, s.Version)
	}
	if errors.Is(err, enclosure.ErrNoGuard) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if s.State == labstate.Broken {
		return nil, fault.Environmentf("join Docker of lab %s: it is going down: %s", name, s.Reason)
	}
	d := inside(name, s)
	return d, d.Ping(ctx)
}

// State is what the guard of our own Docker of that name tells; enclosure.ErrNoGuard when there is
// none. With seen it waits for a newer version than that, with -1 it does not.
func State(ctx context.Context, name string, seen int) (enclosure.State, error) {
	return enclosed.Ask(ctx, name, seen)
}

// Stop ends our own Docker of that name with everything in it, and is content when there is none.
func Stop(ctx context.Context, name string) error { return enclosed.Down(ctx, name) }

// Members returns the host's process ids of everything in our own Docker of that name.
func Members(name string) ([]int, error) { return enclosed.Members(name) }

// inside is the Docker that lives in an enclosure.
func inside(name string, s enclosure.State) *Docker {
	dir := enclosed.RunDir(name)
	return &Docker{Host: "unix://" + socket(dir), Ours: true, Name: name, Dir: dir, Forward: s.Forward,
		NetNS: fmt.Sprintf("/proc/%d/ns/net", s.InitPID)}
}

// socket is the API's, on the host and inside.
func socket(dir string) string { return filepath.Join(dir, "docker.sock") }

// lookPath finds a program as PATH says, and where the administrator's programs lie.
func lookPath(program string) (string, error) {
	if path, err := trust.LookPath(program); err == nil {
		return path, nil
	}
	for dir := range strings.SplitSeq(searchPath, ":") {
		if path, err := trust.LookPath(filepath.Join(dir, program)); err == nil {
			return path, nil
		}
	}
	return "", exec.ErrNotFound
}

// whyNoDaemon says what a Docker of our own lacks; nil when it can be started.
func whyNoDaemon() error {
	for _, program := range programs {
		if _, err := lookPath(program); err != nil {
			return fmt.Errorf("%s is not installed", program)
		}
	}
	return nil
}
