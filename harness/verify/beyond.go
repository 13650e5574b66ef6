package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// beyond sets a way that was inferred to end at its last hop against what was seen further on: each
// such thing refutes that hop, because the request did not end there.
func (j *judge) beyond() (evidence []flow.Evidence, refuted []string) {
	path := j.run.Path
	if len(path.Hops) == 0 || path.Outcome == flow.Forwarded || path.Outcome == "" {
		return nil, nil
	}
	last := path.Hops[len(path.Hops)-1]
	for i, o := range j.run.Observations {
		if !further(last, o) {
			continue
		}
		for _, s := range o.Facts {
			if !slices.Contains(o.Kind.Info().Arrivals, s.Name) || s.Value == "" {
				continue
			}
			evidence = append(evidence, flow.Evidence{Instrument: o.Instrument, Fact: s.Name,
				Expected: "nothing: the way ends before", Seen: s.Value, Observation: i})
			said := fmt.Sprintf("the way must end here, and %s saw the %s's %s: %s %s",
				o.Instrument, o.Side, o.Kind, s.Name, s.Value)
			if !slices.Contains(refuted, said) {
				refuted = append(refuted, said)
			}
		}
	}
	return evidence, refuted
}

// further reports whether an observation was made on the way after its last hop.
func further(last flow.Hop, o flow.Observation) bool {
	if last.Side == flow.Client && o.Side == flow.Server {
		return true
	}
	return sameProxy(&last, o.Side, o.Where.Pod) && o.Kind.Order() > last.Kind.Order() &&
		!(last.Kind == flow.HTTPFilters && o.Kind.Info().DecidedBefore)
}

// joinReasons joins reasons into one; a long list says how many more there are.
func joinReasons(reasons []string) string {
	const most = 4
	if len(reasons) > most {
		reasons = append(slices.Clone(reasons[:most]), fmt.Sprintf("and %d more", len(reasons)-most))
	}
	return strings.Join(reasons, "; ")
}
