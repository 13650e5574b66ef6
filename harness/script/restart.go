package script

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/run"
	"github.com/flowproof/lab/internal/wait"
)

// restartTimeout bounds how long a sidecar may take to come back. The kubelet waits longer with
// each restart of a container.
const restartTimeout = 90 * time.Second

var restartCommand = Command{
	Name:    "restart",
	names:   ends,
	touches: changes,
	changes: flow.TouchRestart,
	Usage:   "restart POD",
	Summary: "End the Envoy of a pod, and wait until another has started in its place and the pod is ready",
	Detail: "It is asked to end by its own admin interface; its agent ends with it, and the kubelet starts both " +
		"again. The pod keeps its address\n" +
		"and its network namespace, so what watches there goes on watching. It is meant for a pod that the scenario " +
		"itself has applied.",
	hand: func(ns string, args []string) []string {
		return []string{admin(ns, args[0], "-XPOST localhost:15000/quitquitquit")}
	},
	replay: nothingRecorded,
	run: func(s *session, args []string) error {
		if len(args) != 1 {
			return badUsage("it needs one pod")
		}
		sidecar, err := s.Sidecar(s.ctx, args[0])
		if err != nil {
			return err
		}
		before, err := sidecar.Identity(s.ctx)
		if err != nil {
			return err
		}
		s.Touched(flow.Touch{Kind: flow.TouchRestart, Pod: sidecar.Pod().Ref(),
			What: "its Envoy was ended, and another started"}, "", nil)
		if err := sidecar.Quit(s.ctx); err != nil {
			return err
		}
		after, err := s.awaitRestart(sidecar, before)
		if err != nil {
			return err
		}
		ready, total := sidecar.Pod().Ready()
		s.print("%s; %d/%d ready", before.Changed(after), ready, total)
		return nil
	},
}

// awaitRestart returns when another Envoy than the one before answers and all of the pod's
// containers are ready.
func (s *session) awaitRestart(sidecar run.Sidecar, before mesh.Identity) (mesh.Identity, error) {
	ctx, cancel := context.WithTimeout(s.ctx, restartTimeout)
	defer cancel()
	var now mesh.Identity
	err := wait.Retry(ctx, retryPause, func() (err error) {
		if now, err = sidecar.Identity(ctx); err != nil {
			return err
		}
		if now.Container == before.Container { // what is said of readiness is about the one before
			return errors.New("its container is still the one of before")
		}
		if ready, total := sidecar.Pod().Ready(); ready < total {
			return fmt.Errorf("%d of %d containers are ready", ready, total)
		}
		return nil
	})
	switch {
	case err == nil:
		return now, nil
	case s.ctx.Err() != nil:
		return now, context.Cause(s.ctx)
	}
	return now, fault.Environmentf("restart %s: not done after %s: %w", sidecar.Pod().Ref(), restartTimeout, err)
}
