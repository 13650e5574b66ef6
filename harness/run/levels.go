package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/internal/exit"
	"github.com/flowproof/lab/internal/undo"
)

// UndoKinds are what a run or, after its death, its guard does to restore a lab.
var UndoKinds = undo.Kinds{undoLogLevel: restoreLogLevel}

const undoLogLevel = "log-level"

// logLevelArgs name a sidecar and the level that each of its loggers had.
type logLevelArgs struct {
	Kubeconfig string      `json:"kubeconfig"`
	Context    string      `json:"context,omitempty"`
	Pod        string      `json:"pod"` // "name.namespace"
	Levels     mesh.Levels `json:"levels"`
	Lease      string      `json:"lease"` // under which they were raised
}

// levelPatience bounds how long a run waits for another one that holds a sidecar's log levels.
const levelPatience = 2 * time.Minute

// SetLevel sets all loggers of a sidecar to one level until the run's undo list is worked off, and returns the levels of before. While
// another command holds the sidecar's levels, it waits.
func (s *Session) SetLevel(ctx context.Context, ref, level string) (mesh.Levels, error) {
	sidecar, err := s.Sidecar(ctx, ref)
	if err != nil {
		return nil, err
	}
	before, err := s.holdLevels(ctx, sidecar)
	if err != nil {
		return nil, err
	}
	return before, sidecar.SetLevel(ctx, level)
}

// holdLevels takes the lease on a sidecar's log levels, once a session, and notes its undoing. A process that dies between the two leaves
// the levels as they were, and a lease that the next one takes over.
func (s *Session) holdLevels(ctx context.Context, sidecar Sidecar) (mesh.Levels, error) {
	pod := sidecar.Pod().Ref()
	if lease := s.leases[pod]; lease != nil {
		return lease.Levels, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, levelPatience, exit.Environmentf("not free within %s", levelPatience))
	defer cancel()
	lease, err := sidecar.HoldLevels(ctx, func(by mesh.Holder) { s.note("the log levels of %s are held by %s; waiting for it", pod, by) })
	if err != nil {
		return nil, err
	}
	s.leases[pod] = lease
	if lease.Took != nil {
		s.note("took over the log levels of %s from %s, which is gone; before it they were %s", pod, *lease.Took, lease.Levels.Summary())
	}
	what := fmt.Sprintf("restore the log level of %s to %s", pod, lease.Levels.Summary())
	_, err = s.Undo.Add(undoLogLevel, what, logLevelArgs{Kubeconfig: s.Lab.Mesh.Kubeconfig(), Context: s.Lab.Mesh.Context(), Pod: pod,
		Levels: lease.Levels, Lease: lease.ID})
	return lease.Levels, err
}

// restoreLogLevel connects anew: the connections of the run may be what failed.
func restoreLogLevel(ctx context.Context, raw json.RawMessage) error {
	var args logLevelArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return err
	}
	m, err := mesh.ConnectContext(args.Kubeconfig, args.Context)
	if err != nil {
		return err
	}
	pod, err := m.Pod(ctx, args.Pod)
	if errors.Is(err, mesh.ErrNoPod) {
		return nil // the level went with the pod
	}
	if err != nil {
		return err
	}
	sidecar, err := pod.Sidecar()
	if err != nil {
		return err
	}
	defer sidecar.Close()
	return sidecar.ReleaseLevels(ctx, args.Lease, args.Levels)
}
