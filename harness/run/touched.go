package run

import (
	"errors"
	"fmt"
	"slices"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
)

// ErrNotAsked is in the chain of the error about a change, to a cluster that is not the lab's own,
// that was not asked for.
var ErrNotAsked = errors.New("this cluster is not the lab's own, and that was not asked for")

// Bounds are what a run may change in a cluster that is not the lab's own: what was asked for by
// its name, and nothing else.
type Bounds struct {
	Asked []flow.TouchKind
	How   func(flow.TouchKind) string // what asks for it: "--cold"; nil: the kind's name
}

// May says whether something may be done; a nil Bounds is no bound. what completes "run: …".
func (b *Bounds) May(kind flow.TouchKind, what string) error {
	if b == nil || slices.Contains(b.Asked, kind) {
		return nil
	}
	how := string(kind)
	if b.How != nil {
		how = b.How(kind)
	}
	return fault.Usagef("%s: %w (ask for it: %s)", what, ErrNotAsked, how)
}

// May says whether the session may change something of a kind in the cluster.
func (s *Session) May(kind flow.TouchKind, what string, args ...any) error {
	return s.Lab.Bounds.May(kind, fmt.Sprintf(what, args...))
}

// mayLease says whether anything may be changed for which a sidecar is taken alone.
func (s *Session) mayLease() bool {
	return s.May(flow.TouchConnections, "") == nil || s.May(flow.TouchLogLevel, "") == nil ||
		s.May(flow.TouchRestart, "") == nil
}

// touched is one thing that was changed, and the action of the undo list that restores it.
type touched struct {
	flow.Touch
	kind string // of the action; "": nothing restores it
	args any
}

// Touched notes a change outside the run. kind and args are those of the action on the undo list
// that restores it; kind is "" where nothing can. The same change is noted once.
func (s *Session) Touched(t flow.Touch, kind string, args any) {
	same := func(u touched) bool { return u.Kind == t.Kind && u.Pod == t.Pod && u.What == t.What }
	if t.Kind != flow.TouchConnections && slices.ContainsFunc(s.touches, same) {
		return
	}
	s.touches = append(s.touches, touched{t, kind, args})
}

// Account is what the session changed outside itself up to now, and which of it is again as it was.
// The run has it too.
func (s *Session) Account() []flow.Touch {
	all := []flow.Touch{}
	for _, t := range s.touches {
		t.Restored = t.Restored || t.kind != "" && !s.Undo.Has(t.kind, t.args)
		all = append(all, t.Touch)
	}
	all = append(all, s.probed()...)
	s.Flow.Touched = all
	return all
}

// probed are the pods that eBPF watched. The kernel takes a program off with the
// process that attached it.
func (s *Session) probed() []flow.Touch {
	if s.tracer == nil {
		return nil
	}
	pods, on := s.tracer.Probed()
	var all []flow.Touch
	for _, pod := range pods {
		touch := probesOn(pod.Name, s.tracer.Options.Envoy)
		touch.Restored = !on
		all = append(all, touch)
	}
	return all
}

// probesOn is that eBPF watches a pod, and its Envoy where that is so.
func probesOn(pod string, envoy bool) flow.Touch {
	what := "BPF programs in the kernel"
	if envoy {
		what += " and on its Envoy"
	}
	return flow.Touch{Kind: flow.TouchProbes, Pod: pod, What: what}
}
