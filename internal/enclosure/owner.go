//go:build linux

package enclosure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/labstate"
	"github.com/flowproof/lab/internal/progress"
	"github.com/flowproof/lab/internal/sometimes"
	"github.com/flowproof/lab/internal/wait"
)

// An Owner is the hold of the one who launched an enclosure. It ends with the owner's process,
// until it is committed.
type Owner struct {
	kind  Kind
	name  string
	guard *exec.Cmd
	lease io.WriteCloser
	state State
}

// Launch starts an enclosure with a payload for its resident. Its guard runs in a session of its
// own, so that a Ctrl-C reaches the owner only. Files that are given are held open for as long as
// the guard lives. ErrTaken is in the chain of the error when another process has one of that name.
// After an error nothing is left, also when ctx ended.
func (k Kind) Launch(ctx context.Context, name string, payload any, held ...*os.File) (*Owner, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(payload)
	if err != nil {
		return nil, err
	}
	o := &Owner{kind: k, name: name, guard: exec.Command(self, k.Verb, "guard")}
	o.guard.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	o.guard.Dir, o.guard.ExtraFiles = "/", held
	stderr, err := os.CreateTemp("", "lab-guard-*") // a file, since a pipe would tie the guard to the owner
	if err != nil {
		return nil, fmt.Errorf("start the guard of %s %s: %w", k.Noun, name, err)
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
		return nil, fmt.Errorf("start the guard of %s %s: %w", k.Noun, name, err)
	}
	exited := make(chan struct{})
	go func() {
		_ = o.guard.Wait()
		close(exited)
	}()
	if err = o.say(lease{Config: &config{Name: name, Payload: data}}); err == nil {
		err = o.awaitGuard(ctx, stderr, exited)
	}
	if err != nil {
		o.giveUp(err, exited)
		return nil, err
	}
	return o, nil
}

// giveUp ends a guard that has not answered, waits for its end, and sweeps what one
// leaves that was killed.
func (o *Owner) giveUp(why error, exited <-chan struct{}) {
	_ = o.lease.Close()
	ctx, cancel := context.WithTimeout(context.Background(), Deadline)
	defer cancel()
	select {
	case <-exited:
	case <-ctx.Done():
	}
	if !errors.Is(why, ErrTaken) {
		_ = o.kind.SweepLeft(ctx, o.name)
	}
}

// awaitGuard waits until this owner's guard answers.
func (o *Owner) awaitGuard(ctx context.Context, stderr *os.File, exited <-chan struct{}) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 10*time.Second, errors.New("it does not answer"))
	defer cancel()
	ended := false
	err := wait.Until(ctx, 5*time.Millisecond, func() (bool, error) {
		s, err := o.kind.Ask(ctx, o.name, -1)
		if err == nil && s.GuardPID == o.guard.Process.Pid {
			o.state = s
			return true, nil
		}
		select {
		case <-exited:
			ended = true
		default:
		}
		return ended, nil
	})
	switch {
	case ended:
		return o.ended(stderr)
	case err != nil:
		return fmt.Errorf("start the guard of %s %s: %w", o.kind.Noun, o.name, err)
	}
	return nil
}

// ended is why a guard ended that never answered.
func (o *Owner) ended(stderr *os.File) error {
	if o.guard.ProcessState.ExitCode() == codeTaken {
		sometimes.Reached("enclosure: the name is taken")
		return fmt.Errorf("start %s %s: %w", o.kind.Noun, o.name, ErrTaken)
	}
	text, _ := io.ReadAll(io.NewSectionReader(stderr, 0, 64<<10))
	return fault.Environmentf("start the guard of %s %s: it ended\n%s", o.kind.Noun, o.name,
		lastLines(string(text), 12))
}

// State is what the guard told last.
func (o *Owner) State() State { return o.state }

// Command tells the resident to do something.
func (o *Owner) Command(command string) error { return o.say(lease{Command: command}) }

// Kubeconfig lets the guard keep a kubeconfig on the host, and returns its path.
func (o *Owner) Kubeconfig(ctx context.Context, data []byte) (string, error) {
	if err := o.say(lease{Kubeconfig: data}); err != nil {
		return "", err
	}
	err := o.follow(ctx, "the kubeconfig", func(s State) bool { return s.Kubeconfig != "" })
	return o.state.Kubeconfig, err
}

func (o *Owner) say(l lease) error {
	if err := json.NewEncoder(o.lease).Encode(l); err != nil {
		return fmt.Errorf("speak to the guard of %s %s: %w", o.kind.Noun, o.name, err)
	}
	return nil
}

// Commit lets the enclosure outlive its owner.
func (o *Owner) Commit(timings []progress.Timing) error {
	if err := o.say(lease{Commit: true, Timings: timings}); err != nil {
		return err
	}
	for o.state.State == labstate.Starting {
		s, err := o.kind.Ask(context.Background(), o.name, o.state.Version)
		if err != nil {
			return err
		}
		o.state = s
	}
	return o.lease.Close()
}

// Abandon gives the enclosure up and waits until nothing of it is left.
func (o *Owner) Abandon() {
	_ = o.lease.Close()
	ctx, cancel := context.WithTimeout(context.Background(), Deadline)
	defer cancel()
	_ = o.kind.AwaitGone(ctx, o.name)
	_ = o.kind.SweepLeft(ctx, o.name) // of a guard that was killed
}

// Await waits until a stage is reached, or says why it cannot be.
func (o *Owner) Await(ctx context.Context, stage string) error {
	return o.follow(ctx, stage, func(s State) bool { return s.Reached(stage) })
}

func (o *Owner) follow(ctx context.Context, what string, there func(State) bool) error {
	for !there(o.state) {
		if o.state.State == labstate.Broken {
			return o.broken(o.state)
		}
		s, err := o.kind.Ask(ctx, o.name, o.state.Version)
		if errors.Is(err, ErrNoGuard) {
			return o.broken(o.state)
		}
		if err != nil {
			return fmt.Errorf("wait for %s: %w", what, err)
		}
		o.state = s
	}
	return nil
}

// Watch ends ctx with the reason when the enclosure ends, until ctx ends by itself.
func (o *Owner) Watch(ctx context.Context, lost context.CancelCauseFunc) {
	s := o.state
	for {
		next, err := o.kind.Ask(ctx, o.name, s.Version)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			s = next
		}
		if err != nil || s.State == labstate.Broken {
			lost(errors.Join(ErrLost, o.broken(s)))
			return
		}
	}
}

func (o *Owner) broken(s State) error {
	reason := s.Reason
	if reason == "" {
		sometimes.Reached("up: the owner finds its guard gone")
		reason = "its guard was killed"
	}
	return fault.Environmentf("bring up %s %s: %s", o.kind.Noun, o.name, reason)
}
