package node

import (
	"context"
	"errors"
	"time"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/progress"
	"github.com/flowproof/lab/harness/workshop"
)

// upDeadline is how long a lab may take to come up once its components are there.
const upDeadline = 3 * time.Minute

// errLost is the cause of a context that ended because the lab did.
var errLost = errors.New("the lab ended")

// install takes a node that was just launched to the first answer through both sidecars. objects are what its data do
// not hold yet.
func (o *owner) install(ctx context.Context, objects [][]byte, p progress.Reporter, clock *cluster.Stopwatch) (*cluster.Lab, error) {
	ctx, cancel := context.WithTimeout(ctx, upDeadline)
	defer cancel()
	task := p.Start("Starting the control plane")
	err := o.await(ctx, "kube-apiserver ready")
	task.Done(err)
	if err != nil {
		return nil, err
	}
	clock.Reached("control plane ready")
	ctx, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	go o.watchGuard(ctx, lost)
	if err := o.fill(ctx, objects, p, clock); err != nil {
		if cause := context.Cause(ctx); errors.Is(cause, errLost) {
			return nil, cause // the component that died, not the watch that broke because of it
		}
		return nil, err
	}
	return &cluster.Lab{Name: o.name, Backend: "node", Kubeconfig: o.state.Kubeconfig, Timings: clock.Timings}, nil
}

// watchGuard ends ctx with the reason when the lab ends while it is being brought up.
func (o *owner) watchGuard(ctx context.Context, lost context.CancelCauseFunc) {
	s := o.state
	for {
		next, err := askState(ctx, o.name, s.Version)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			s = next
		}
		if err != nil || s.State == cluster.Broken {
			lost(errors.Join(errLost, (&owner{name: o.name, state: s}).broken()))
			return
		}
	}
}

// fill puts objects, if any, and the workshop's pods into the cluster.
func (o *owner) fill(ctx context.Context, objects [][]byte, p progress.Reporter, clock *cluster.Stopwatch) error {
	if objects != nil {
		task := p.Start("Applying DNS, Istio and the workshop's Services")
		err := applyObjects(ctx, o.state.Kubeconfig, objects)
		task.Done(err)
		if err != nil {
			return err
		}
		clock.Reached("objects applied")
	}
	return workshop.Install(ctx, o.state.Kubeconfig, p, clock)
}
