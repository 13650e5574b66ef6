//go:build linux

package node

import (
	"context"
	"os"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/progress"
)

// Down removes the lab, from any state, with no memory of how it came up.
func (b *Backend) Down(ctx context.Context, name string, p progress.Reporter) error {
	name, err := cluster.CheckName(name)
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return fault.Environmentf("take down lab %s: it is root's (run as root)", name)
	}
	task := p.Start("Taking down lab " + name)
	err = enclosed.Down(ctx, name)
	task.Done(err)
	return err
}
