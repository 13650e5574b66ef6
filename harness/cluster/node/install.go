//go:build linux

package node

import (
	"context"
	"errors"
	"time"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/internal/workshop"
	"github.com/flowproof/lab/internal/enclosure"
	"github.com/flowproof/lab/internal/progress"
)

// upDeadline is how long a lab may take to come up once its components are there.
const upDeadline = 3 * time.Minute

// install takes a node that was just launched to the first answer through both sidecars. objects
// are what its data do not hold yet; held says that they have the workshop's pods.
func install(ctx context.Context, o *enclosure.Owner, name string, objects [][]byte, held bool,
	p progress.Reporter, clock *progress.Stopwatch) (*cluster.Lab, error) {
	ctx, cancel := context.WithTimeout(ctx, upDeadline)
	defer cancel()
	task := p.Start("Starting the control plane")
	err := o.Await(ctx, "kube-apiserver ready")
	task.Done(err)
	if err != nil {
		return nil, err
	}
	clock.Reached("control plane ready")
	ctx, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	go o.Watch(ctx, lost)
	if err := fill(ctx, o.State().Kubeconfig, objects, held, p, clock); err != nil {
		if cause := context.Cause(ctx); errors.Is(cause, enclosure.ErrLost) {
			return nil, cause // the component that died, not the watch that broke because of it
		}
		return nil, err
	}
	return &cluster.Lab{Name: name, Backend: "node", Kubeconfig: o.State().Kubeconfig, Timings: clock.Timings}, nil
}

// fill puts objects, if any, and the workshop's pods, unless they are held there, into the cluster.
func fill(ctx context.Context, kubeconfig string, objects [][]byte, held bool, p progress.Reporter,
	clock *progress.Stopwatch) error {
	if objects != nil {
		task := p.Start("Applying DNS, Istio and the workshop's Services")
		err := workshop.Apply(ctx, kubeconfig, objects)
		task.Done(err)
		if err != nil {
			return err
		}
		clock.Reached("objects applied")
	}
	return workshop.InstallOn(ctx, workshop.Site{Kubeconfig: kubeconfig, Held: held}, p, clock)
}
