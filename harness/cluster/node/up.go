package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/components"
	"github.com/flowproof/lab/harness/exit"
	"github.com/flowproof/lab/harness/progress"
	"github.com/flowproof/lab/manifests"
)

// runDir is the lab's directory on the host. It holds the kubeconfig and nothing else.
func runDir(lab string) string { return filepath.Join("/run/flowproof", lab) }

// Up brings the lab up, or joins it when it runs.
func (b *Backend) Up(ctx context.Context, opts cluster.Options, p progress.Reporter) (*cluster.Lab, error) {
	name, err := cluster.CheckName(opts.Name)
	if err != nil {
		return nil, err
	}
	if os.Geteuid() != 0 {
		return nil, exit.Environmentf("bring up lab %s: the embedded node makes namespaces and mounts (run as root, or use a cluster of your own with --kubeconfig)", name)
	}
	if lab, err := join(ctx, name, p); lab != nil || err != nil {
		return lab, err
	}
	set, err := components.Ensure(ctx, components.Options{Images: opts.Images, IstioValues: manifests.IstioValues()}, p)
	if err != nil {
		return nil, err
	}
	objects, err := staticObjects(set)
	if err != nil {
		return nil, err
	}
	var prepared string
	if !opts.Fresh {
		if prepared, err = prepare(ctx, set, objects, p); err != nil {
			return nil, err
		}
		objects = nil
	}
	clock := cluster.NewStopwatch()
	if err := sweepLeft(ctx, name); err != nil {
		return nil, err
	}
	o, err := launch(name, set, initConfig{Prepared: prepared})
	if errors.Is(err, errTaken) {
		return join(ctx, name, p) // somebody was faster
	}
	if err != nil {
		return nil, err
	}
	lab, err := o.install(ctx, objects, p, clock)
	if err != nil && !opts.Retain {
		o.abandon()
		return nil, err
	}
	return lab, errors.Join(err, o.commit(clock.Timings))
}

// join waits for a lab that another process has brought or is bringing up. It returns nil when there is none.
func join(ctx context.Context, name string, p progress.Reporter) (*cluster.Lab, error) {
	s, err := askState(ctx, name, -1)
	if errors.Is(err, errNoGuard) {
		return nil, nil
	}
	if err == nil && s.State == cluster.Starting {
		task := p.Start("Waiting for lab " + name + ", which another process is bringing up")
		for err == nil && s.State == cluster.Starting {
			s, err = askState(ctx, name, s.Version)
		}
		task.Done(err)
	}
	if errors.Is(err, errNoGuard) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if s.State != cluster.Running {
		return nil, exit.Environmentf("join lab %s: it is going down: %s", name, s.Reason)
	}
	return &cluster.Lab{Name: name, Backend: "node", Kubeconfig: s.Kubeconfig, Joined: true, Timings: s.Timings}, nil
}

// An owner is the caller's hold on a lab that it is bringing up.
type owner struct {
	name  string
	guard *exec.Cmd
	lease io.WriteCloser
	state state
}

// launch starts a guard. It runs in a session of its own, so that a Ctrl-C reaches the caller only, and holds the
// components for as long as it lives, so that nobody removes them from the cache.
func launch(name string, set *components.Set, c initConfig) (*owner, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	hold, err := set.Hold()
	if err != nil {
		return nil, err
	}
	defer hold.Close()
	c.Lab, c.RunDir, c.RootFS, c.Bin, c.Store = name, runDir(name), set.RootFS, set.Bin, set.Store
	o := &owner{name: name, guard: exec.Command(self, "__node", "guard")}
	o.guard.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	o.guard.Dir, o.guard.ExtraFiles = "/", []*os.File{hold}
	stderr, err := os.CreateTemp("", "lab-guard-*") // a file, since a pipe would tie the guard to the caller
	if err != nil {
		return nil, fmt.Errorf("start the lab's guard: %w", err)
	}
	defer stderr.Close()
	if err := os.Remove(stderr.Name()); err != nil { // only its descriptors are needed
		return nil, err
	}
	o.guard.Stderr = stderr
	if o.lease, err = o.guard.StdinPipe(); err != nil {
		return nil, err
	}
	if err := o.guard.Start(); err != nil {
		return nil, fmt.Errorf("start the lab's guard: %w", err)
	}
	if err := o.say(lease{Config: &c}); err != nil {
		return nil, err
	}
	return o, o.awaitGuard(stderr)
}

// awaitGuard waits until this owner's guard answers.
func (o *owner) awaitGuard(stderr *os.File) error {
	exited := make(chan error, 1)
	go func() { exited <- o.guard.Wait() }()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for {
		s, err := askState(ctx, o.name, -1)
		if err == nil && s.GuardPID == o.guard.Process.Pid {
			o.state = s
			return nil
		}
		if err == nil {
			_ = o.lease.Close()
			return fmt.Errorf("start lab %s: %w", o.name, errTaken)
		}
		select {
		case <-exited:
			text, _ := io.ReadAll(io.NewSectionReader(stderr, 0, 64<<10))
			return exit.Environmentf("start the lab's guard: it ended\n%s", lastLines(string(text), 12))
		case <-ctx.Done():
			return fmt.Errorf("start the lab's guard: %w", ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (o *owner) say(l lease) error {
	if err := json.NewEncoder(o.lease).Encode(l); err != nil {
		return fmt.Errorf("speak to the lab's guard: %w", err)
	}
	return nil
}

// commit lets the lab outlive its owner.
func (o *owner) commit(timings []cluster.Timing) error {
	if err := o.say(lease{Commit: true, Timings: timings}); err != nil {
		return err
	}
	for o.state.State == cluster.Starting {
		s, err := askState(context.Background(), o.name, o.state.Version)
		if err != nil {
			return err
		}
		o.state = s
	}
	return o.lease.Close()
}

// abandon gives the lab up and waits until nothing of it is left.
func (o *owner) abandon() {
	_ = o.lease.Close()
	ctx, cancel := context.WithTimeout(context.Background(), sweepDeadline)
	defer cancel()
	_ = awaitGone(ctx, o.name)
}

// await waits until the lab has reached a stage, or says why it cannot.
func (o *owner) await(ctx context.Context, stage string) error {
	for !o.state.reached(stage) {
		if o.state.State == cluster.Broken {
			return o.broken()
		}
		last := o.state
		s, err := askState(ctx, o.name, o.state.Version)
		if errors.Is(err, errNoGuard) {
			o.state = last
			return o.broken()
		}
		if err != nil {
			return fmt.Errorf("wait for %s: %w", stage, err)
		}
		o.state = s
	}
	return nil
}

func (o *owner) broken() error {
	reason := o.state.Reason
	if reason == "" {
		reason = "its guard was killed"
	}
	return exit.Environmentf("bring up lab %s: %s", o.name, reason)
}
