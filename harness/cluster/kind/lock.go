package kind

import (
	"context"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/progress"
	"github.com/flowproof/lab/internal/trust"
)

// exclusive keeps other processes of this user's from a lab in another's Docker, where nothing else
// says that one is still being made. The returned function lets go.
func exclusive(ctx context.Context, name string, p progress.Reporter) (release func(), err error) {
	var task progress.Task
	release, err = trust.Lock(ctx, name+".kind", func(holder string) {
		task = p.Start("Waiting for lab " + name + ", which " + holder + " is bringing up or taking down")
	})
	if task != nil {
		task.Done(err)
	}
	if err != nil && ctx.Err() == nil {
		err = fault.Environmentf("take hold of lab %s: %w", name, err)
	}
	return release, err
}
