package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/internal/undo"
)

// UndoKinds are what a run or, after its death, its guard does to restore a lab.
var UndoKinds = undo.Kinds{undoLogLevel: restoreLogLevel}

const undoLogLevel = "log-level"

// logLevelArgs name a sidecar and the level that each of its loggers had.
type logLevelArgs struct {
	Reach
	Pod    string      `json:"pod"` // "name.namespace"
	Levels mesh.Levels `json:"levels"`
	Lease  string      `json:"lease"` // under which they were raised
}

// alonePatience bounds how long a run waits for others that have its sidecars.
const alonePatience = 2 * time.Minute

// Alone takes the lease on every sidecar of the pods, each once a session and until its undo list
// is worked off, so that no other run changes what this one measures. While another run has one, it
// waits. Two runs take the same sidecars in the order of their names, so that neither waits for the
// other's second one. A pod that is not there, or has no sidecar, is passed over.
func (s *Session) Alone(ctx context.Context, refs ...string) error {
	if !s.mayLease() {
		return s.AwaitAlone(ctx, refs...)
	}
	names, err := s.Sidecars(ctx, refs...)
	if err != nil {
		return err
	}
	return s.eachSidecar(ctx, names, s.hold)
}

// AwaitAlone waits until no other run has a sidecar of the pods, for a run that changes
// nothing in them. It writes nothing to the cluster, so a run that begins afterwards does
// not wait for this one.
func (s *Session) AwaitAlone(ctx context.Context, refs ...string) error {
	names, err := s.Sidecars(ctx, refs...)
	if err != nil {
		return err
	}
	return s.eachSidecar(ctx, names, func(ctx context.Context, sidecar Sidecar) error {
		pod := sidecar.Pod().Ref()
		return sidecar.AwaitFree(ctx, func(by mesh.Holder) { s.waitFor(pod, by) })
	})
}

func (s *Session) waitFor(pod string, by mesh.Holder) {
	s.note("%s has %s alone; waiting for it to end, for %s at most", by, pod, alonePatience)
}

// Sidecars are those of the pods that are there, have a sidecar, and are not held by the session
// yet, as "pod.namespace", sorted.
func (s *Session) Sidecars(ctx context.Context, refs ...string) ([]string, error) {
	var names []string
	for _, ref := range refs {
		name := s.FullName(ref)
		if s.lease(name) != nil || slices.Contains(names, name) {
			continue
		}
		pod, err := s.Lab.Mesh.Pod(ctx, name)
		switch {
		case errors.Is(err, mesh.ErrNoPod):
		case err != nil:
			return nil, err
		case slices.Contains(pod.Containers(), mesh.SidecarContainer):
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// eachSidecar does something with sidecars in their order, within one patience.
func (s *Session) eachSidecar(ctx context.Context, names []string, do func(context.Context, Sidecar) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, alonePatience, fault.Environmentf("not free within %s", alonePatience))
	defer cancel()
	for _, name := range names {
		sidecar, err := s.Sidecar(ctx, name)
		if err != nil {
			return err
		}
		if err := do(ctx, sidecar); err != nil {
			return err
		}
	}
	return nil
}

// SetLevel sets all loggers of a sidecar to one level until Observe has read what they log, at the
// latest until the run's undo list is worked off, and returns the levels of before. While another
// run has the sidecar alone, it waits.
func (s *Session) SetLevel(ctx context.Context, ref, level string) (mesh.Levels, error) {
	sidecar, err := s.Sidecar(ctx, ref)
	if err != nil {
		return nil, err
	}
	pod := sidecar.Pod().Ref()
	if err := s.May(flow.TouchLogLevel, "set the log level of %s", pod); err != nil {
		return nil, err
	}
	if err := s.Alone(ctx, ref); err != nil {
		return nil, err
	}
	levels := s.lease(pod).Levels
	s.Touched(flow.Touch{Kind: flow.TouchLogLevel, Pod: pod, What: fmt.Sprintf("%s instead of %s", level,
		levels.Summary())},
		undoLogLevel, s.levelArgs(pod))
	return levels, sidecar.SetLevel(ctx, level)
}

// lowerLevels sets the levels back that the session raised, as soon as no more is to be logged: a
// busy sidecar at level debug logs thousands of lines a second, beside which all else is slow. What
// cannot be set back now is tried again when the undo list is worked off.
func (s *Session) lowerLevels(ctx context.Context) error {
	problems, err := atOnce(sortedKeys(s.leases), func(pod string) (problem, err error) {
		sidecar, err := s.Sidecar(ctx, pod)
		if err != nil {
			return nil, err
		}
		return sidecar.LowerLevels(ctx, s.leases[pod].ID, s.leases[pod].Levels), nil
	})
	for _, problem := range problems {
		if problem != nil {
			s.note("%v (it is tried again at the end)", problem)
		}
	}
	return err
}

// hold takes the lease on a sidecar and notes its undoing. A process that dies between the two
// leaves the levels as they were, and a lease that the next one takes over.
func (s *Session) hold(ctx context.Context, sidecar Sidecar) error {
	pod := sidecar.Pod().Ref()
	lease, err := sidecar.HoldLevels(ctx, func(by mesh.Holder) { s.waitFor(pod, by) })
	if err != nil {
		return err
	}
	s.leases[pod] = lease
	if lease.Took != nil {
		s.note("took %s over from %s, which is gone; before it the log levels were %s",
			pod, *lease.Took, lease.Levels.Summary())
	}
	what := fmt.Sprintf("restore the log level of %s to %s", pod, lease.Levels.Summary())
	args := s.levelArgs(pod)
	s.Touched(flow.Touch{Kind: flow.TouchLease, Pod: pod, What: "annotation " + mesh.LeaseAnnotation},
		undoLogLevel, args)
	_, err = s.Undo.Add(undoLogLevel, what, args)
	return err
}

// levelArgs are what restores the levels of a sidecar that the session holds.
func (s *Session) levelArgs(pod string) logLevelArgs {
	lease := s.lease(pod)
	return logLevelArgs{Reach: s.Lab.Reach(), Pod: pod, Levels: lease.Levels, Lease: lease.ID}
}

// restoreLogLevel connects anew: the connections of the run may be what failed.
func restoreLogLevel(ctx context.Context, raw json.RawMessage) error {
	var args logLevelArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return err
	}
	return args.UnlessGone(ctx, args.restore(ctx))
}

func (args logLevelArgs) restore(ctx context.Context) error {
	m, err := mesh.ConnectContext(args.Kubeconfig, args.Context)
	if err != nil {
		return err
	}
	return args.restoreIn(ctx, m)
}

// RestoreIn restores what a run changes by a connection that is there, for a cluster that is
// known by no kubeconfig.
func RestoreIn(m *mesh.Mesh) undo.Kinds {
	return undo.Kinds{undoLogLevel: func(ctx context.Context, raw json.RawMessage) error {
		var args logLevelArgs
		if err := json.Unmarshal(raw, &args); err != nil {
			return err
		}
		return args.restoreIn(ctx, m)
	}}
}

func (args logLevelArgs) restoreIn(ctx context.Context, m *mesh.Mesh) error {
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
