package enclosure

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Down ends an enclosure, from any state, and removes what one without a guard has left. It is content when there is none.
func (k Kind) Down(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, Deadline)
	defer cancel()
	asked, stop := context.WithTimeout(ctx, Deadline/2)
	defer stop()
	if err := k.askDown(asked, name); err == nil {
		_ = k.AwaitGone(asked, name) // a guard that hangs is swept like one that is dead
	}
	return k.SweepLeft(ctx, name)
}

// AwaitGone waits until the control socket is free: the guard frees it last.
func (k Kind) AwaitGone(ctx context.Context, name string) error {
	for {
		l, err := k.listen(name)
		if err == nil {
			return l.Close()
		}
		if !errors.Is(err, ErrTaken) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s %s to end: %w", k.Noun, name, ctx.Err())
		case <-time.After(5 * time.Millisecond): // a socket's end is no event to those who do not hold it
		}
	}
}

// Traces are the paths on the host that an enclosure leaves when both guard and init are killed.
func (k Kind) Traces(name string) ([]string, error) {
	trees, err := cgroupTrees(k.cgroup(name))
	return append(trees, k.RunDir(name)), err
}

// SweepLeft removes what an enclosure without a guard may have left: processes in its cgroups, the cgroups, its directory.
func (k Kind) SweepLeft(ctx context.Context, name string) error {
	traces, err := k.Traces(name)
	if err != nil {
		return err
	}
	left := false
	for _, path := range traces {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			left = true
		}
	}
	if !left {
		return nil
	}
	return k.removeTraces(ctx, name)
}

// removeTraces removes what outlives an enclosure's namespaces: cgroups and its directory on the host.
func (k Kind) removeTraces(ctx context.Context, name string) error {
	if err := leaveCgroups(); err != nil {
		return err
	}
	trees, err := cgroupTrees(k.cgroup(name))
	if err != nil {
		return err
	}
	if err := sweepCgroups(ctx, trees); err != nil {
		return err
	}
	dir := k.RunDir(name)
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove the directory of %s %s: %w", k.Noun, name, err)
	}
	_ = os.Remove(filepath.Dir(dir)) // the directory of all labs, when this was the last
	return nil
}
