//go:build linux

package enclosure

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/internal/removal"
	"github.com/flowproof/lab/internal/sometimes"
	"github.com/flowproof/lab/internal/trust"
	"github.com/flowproof/lab/internal/wait"
)

// Down ends an enclosure, from any state, and removes what one without a guard has left. It is
// content when there is none.
func (k Kind) Down(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, Deadline)
	defer cancel()
	asked, stop := context.WithTimeout(ctx, Deadline/2)
	defer stop()
	err := k.askDown(asked, name)
	if err == nil {
		err = k.AwaitGone(asked, name)
	}
	if err == nil || errors.Is(err, ErrNoGuard) {
		return k.SweepLeft(ctx, name)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("end %s %s: %w", k.Noun, name, ctx.Err())
	}
	if errors.Is(err, trust.ErrUntrusted) {
		return err
	}
	sometimes.Reached("down: the guard does not answer")
	// a guard that hangs is swept like one that is dead, though it has the control socket
	return k.removeTraces(ctx, name)
}

// AwaitGone waits until the control socket is free: the guard frees it last. It asks by connecting,
// since it would be in the way of a guard that starts if it tried to take the socket.
func (k Kind) AwaitGone(ctx context.Context, name string) error {
	// A socket's end is no event to those who do not hold it.
	err := wait.Until(ctx, 5*time.Millisecond, func() (bool, error) {
		conn, err := trust.Dial(ctx, k.Socket(name))
		if errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
			return true, nil
		}
		if err == nil {
			_ = conn.Close()
			return false, nil
		}
		if ctx.Err() == nil && !errors.Is(err, unix.EAGAIN) { // EAGAIN: no accept, and the queue is full
			return false, err
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("wait for %s %s to end: %w", k.Noun, name, err)
	}
	return nil
}

// Traces are the paths on the host that an enclosure leaves when both guard and init are killed.
func (k Kind) Traces(name string) ([]string, error) {
	trees, err := cgroupTrees(k.cgroup(name))
	return append(trees, k.RunDir(name)), err
}

// SweepLeft removes what an enclosure without a guard may have left: processes in its
// cgroups, the cgroups, its directory. Meanwhile it has the control socket, so that no
// guard starts in what it removes. It leaves an enclosure alone that has a guard, and waits
// for another process that sweeps.
func (k Kind) SweepLeft(ctx context.Context, name string) error {
	var failed error
	ended := wait.Until(ctx, 5*time.Millisecond, func() (done bool, _ error) {
		done, failed = k.sweep(ctx, name)
		return done, nil
	})
	if ended != nil {
		return fmt.Errorf("remove what is left of %s %s: %w", k.Noun, name, ended)
	}
	return failed
}

// sweep is one attempt of SweepLeft; it is not done while another process sweeps.
func (k Kind) sweep(ctx context.Context, name string) (done bool, err error) {
	left, err := k.left(name)
	if err != nil || !left {
		return true, err
	}
	l, err := k.listen(name)
	if err == nil {
		defer l.Close()
		sometimes.Reached("enclosure: what is left is swept")
		return true, k.removeTraces(ctx, name)
	}
	if !errors.Is(err, ErrTaken) {
		return true, err
	}
	_, err = k.Ask(ctx, name, -1)
	return err == nil, nil // a guard answers; one who sweeps does not
}

// left says whether the host has traces of an enclosure.
func (k Kind) left(name string) (bool, error) {
	traces, err := k.Traces(name)
	if err != nil {
		return false, err
	}
	for _, path := range traces {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return true, nil
		}
	}
	return false, nil
}

// removeTraces removes what outlives an enclosure's namespaces: cgroups with all processes in them
// but the caller, and its directory on the host, the one also when the other stays.
func (k Kind) removeTraces(ctx context.Context, name string) error {
	trees, err := cgroupTrees(k.cgroup(name))
	if err == nil {
		err = sweepCgroups(ctx, trees)
	}
	dir := k.RunDir(name)
	if failed := removal.All(dir); failed != nil {
		err = errors.Join(err, fmt.Errorf("remove the directory of %s %s: %w", k.Noun, name, failed))
	}
	_ = os.Remove(filepath.Dir(dir)) // the directory of all labs, when this was the last
	return err
}
