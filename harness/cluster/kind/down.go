package kind

import (
	"context"
	"errors"
	"os"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/internal/docker"
	"github.com/flowproof/lab/internal/progress"
)

// Down removes the lab, from any state, with no memory of how it came up: our own Docker of that
// name with everything in it, and in another's what carries the lab's label.
func (b *Backend) Down(ctx context.Context, name string, p progress.Reporter) error {
	name, err := cluster.CheckName(name)
	if err != nil {
		return err
	}
	task := p.Start("Taking down lab " + name)
	err = takeDown(ctx, name, p)
	task.Done(err)
	return err
}

func takeDown(ctx context.Context, name string, p progress.Reporter) error {
	var own error
	if os.Geteuid() == 0 {
		own = docker.Stop(ctx, name)
	}
	d, err := docker.Find(ctx)
	if errors.Is(err, docker.ErrNone) {
		return errors.Join(own, forget(name))
	}
	if err != nil {
		return errors.Join(own, err)
	}
	release, err := exclusive(ctx, name, p) // one that is being made would be finished without what is removed here
	if err != nil {
		return errors.Join(own, err)
	}
	defer release()
	return errors.Join(own, remove(ctx, d, name), forget(name))
}
