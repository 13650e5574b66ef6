// Package lesson is what a learner is asked, told and shown beside a scenario: questions that are
// made of the inference's own winners and losers, their answers, the sentences of other languages,
// and what a learner has done so far. It runs nothing and draws nothing: the scenario language asks
// its questions, `lab walk` and the pages show them.
package lesson

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// A Subject names what a question is about: a hop of the path, and a fact of it where a
// value is asked for.
type Subject struct {
	Side flow.Side    `json:"side,omitempty"`
	Kind flow.HopKind `json:"kind"`
	Fact string       `json:"fact,omitempty"` // "": the decision itself
}

// ParseSubject reads HOP as reports write it, client/route or app, and FACT, which may be empty.
func ParseSubject(hop, fact string) (Subject, error) {
	side, kind, sided := strings.Cut(hop, "/")
	if !sided {
		side, kind = "", hop
	}
	s := Subject{Side: flow.Side(side), Kind: flow.HopKind(kind), Fact: fact}
	switch {
	case s.Side != "" && s.Side != flow.Client && s.Side != flow.Server:
		return s, fmt.Errorf("%s is not a side (client or server)", side)
	case s.Kind.Order() < 0:
		return s, fmt.Errorf("there is no hop %s (%s)", kind, strings.Join(flow.HopKinds(), ", "))
	case fact != "" && !slices.ContainsFunc(flow.Facts, func(f flow.FactInfo) bool { return f.Name == fact }):
		return s, fmt.Errorf("there is no fact %s", fact)
	}
	return s, nil
}

// String is the subject as a scenario writes it: client/connect upstream.local.
func (s Subject) String() string {
	text := string(s.Kind)
	if s.Side != "" {
		text = string(s.Side) + "/" + text
	}
	if s.Fact != "" {
		text += " " + s.Fact
	}
	return text
}

// find returns the hop of a path that a subject names. Where a path has the hop more than once, as
// with internal listeners, it is the first.
func (s Subject) find(path flow.Path) (int, error) {
	i := slices.IndexFunc(path.Hops, func(h flow.Hop) bool {
		return h.Kind == s.Kind && (s.Side == "" || s.Side == h.Side)
	})
	if i < 0 {
		return i, fmt.Errorf("the way has no hop %s", Subject{Side: s.Side, Kind: s.Kind})
	}
	return i, nil
}
