package run

import (
	"context"
	"fmt"
	"slices"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/undo"
)

// A Preview is what a run would come to, before it changes anything.
type Preview struct {
	Watched []string     // "pod.namespace" of the pods that instruments would look at
	Touched []flow.Touch // what would be changed
	Refused []string     // why it would not begin
}

// Look says what a plan would touch in a lab. It reads from the apiserver, the socket tables and
// the counters of sidecars, and changes and sends nothing.
func Look(ctx context.Context, lab Lab, plan Plan) (Preview, error) {
	s := NewSession(lab, undo.NewList(undo.Kinds{}, nil, nil))
	defer s.Close()
	s.Flow.Call, s.Force = plan.Call, plan.Force
	preview := Preview{Touched: []flow.Touch{}}
	if err := plan.check(lab.Bounds); err != nil {
		preview.Refused = append(preview.Refused, err.Error())
	}
	scene, err := s.Scene(ctx, plan)
	if err != nil {
		return preview, err
	}
	preview.Watched = scene.Watched
	traced := !plan.without(flow.Trace) && MayTrace(ctx) == nil
	for _, ref := range scene.Watched {
		if traced && slices.Contains(scene.Dumped, ref) {
			preview.Touched = append(preview.Touched, probesOn(ref, plan.Trace.Envoy))
		}
		touches, err := s.wouldRaise(ctx, plan, ref)
		if err != nil {
			return preview, err
		}
		preview.Touched = append(preview.Touched, touches...)
	}
	if plan.Keep {
		return preview, nil
	}
	pools, err := s.pools(ctx, scene, plan.Call)
	if err != nil {
		return preview, err
	}
	for _, p := range pools {
		_, rows, err := s.Sockets(ctx, p.Pod)
		if err != nil {
			preview.Refused = append(preview.Refused, err.Error())
			continue
		}
		live := p.live(rows)
		if len(live) == 0 {
			continue
		}
		preview.Touched = append(preview.Touched, flow.Touch{Kind: flow.TouchConnections, Pod: s.FullName(p.Pod),
			What: fmt.Sprintf("%s to %s would be ended", plural(len(live), "connection"), p.Remote)})
		if err := s.mayEnd(ctx, p, len(live)); err != nil {
			preview.Refused = append(preview.Refused, err.Error())
		}
	}
	return preview, nil
}

// wouldRaise are the changes to a watched pod's sidecar: the lease on it, and its log level.
func (s *Session) wouldRaise(ctx context.Context, plan Plan, ref string) ([]flow.Touch, error) {
	w, err := s.watch(ctx, ref)
	if err != nil || !w.HasSidecar() || !plan.changes() {
		return nil, err
	}
	touches := []flow.Touch{{Kind: flow.TouchLease, Pod: ref, What: "an annotation, until the run ends"}}
	if plan.without(flow.EnvoyLog) {
		return touches, nil
	}
	sidecar, err := s.Sidecar(ctx, ref)
	if err != nil {
		return nil, err
	}
	levels, err := sidecar.Loggers(ctx)
	if err != nil {
		return nil, err
	}
	return append(touches, flow.Touch{Kind: flow.TouchLogLevel, Pod: ref,
		What: fmt.Sprintf("debug instead of %s, until the run ends", levels.Summary())}), nil
}
