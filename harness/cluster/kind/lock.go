package kind

import (
	"context"
	"io"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/internal/exit"
	"github.com/flowproof/lab/internal/progress"
)

// exclusive keeps other processes from a lab in somebody else's Docker, where nothing else says that one is still being made.
func exclusive(ctx context.Context, name string, p progress.Reporter) (io.Closer, error) {
	var task progress.Task
	lock, err := cluster.Lock(ctx, "kind-"+name, func(holder string) {
		task = p.Start("Waiting for lab " + name + ", which " + holder + " is bringing up or taking down")
	})
	if task != nil {
		task.Done(err)
	}
	if err != nil && ctx.Err() == nil {
		err = exit.Environmentf("take hold of lab %s: %w", name, err)
	}
	return lock, err
}
