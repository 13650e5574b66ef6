package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/exit"
	"github.com/flowproof/lab/harness/progress"
)

// Down removes the lab, from any state, with no memory of how it came up.
func (b *Backend) Down(ctx context.Context, name string, p progress.Reporter) error {
	name, err := cluster.CheckName(name)
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return exit.Environmentf("take down lab %s: it is root's (run as root)", name)
	}
	task := p.Start("Taking down lab " + name)
	err = takeDown(ctx, name)
	task.Done(err)
	return err
}

func takeDown(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, sweepDeadline)
	defer cancel()
	asked, stop := context.WithTimeout(ctx, sweepDeadline/2)
	defer stop()
	if err := askDown(asked, name); err == nil {
		_ = awaitGone(asked, name) // a guard that hangs is swept like one that is dead
	}
	return sweepLeft(ctx, name)
}

// awaitGone waits until the lab's control socket is free: the guard frees it last.
func awaitGone(ctx context.Context, name string) error {
	for {
		l, err := listenControl(name)
		if err == nil {
			return l.Close()
		}
		if !errors.Is(err, errTaken) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for lab %s to end: %w", name, ctx.Err())
		case <-time.After(5 * time.Millisecond): // a socket's end is no event to those who do not hold it
		}
	}
}

// sweepLeft removes what a lab without a guard may have left: processes in its cgroups, the cgroups, its directory.
func sweepLeft(ctx context.Context, name string) error {
	trees, err := cgroupTrees(name)
	if err != nil {
		return err
	}
	left := false
	for _, path := range append(trees, runDir(name)) {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			left = true
		}
	}
	if !left {
		return nil
	}
	return removeTraces(ctx, name, runDir(name))
}
