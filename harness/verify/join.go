package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// joinedValue is a value that was seen of a fact with a Join, and at which hop.
type joinedValue struct {
	seenFact
	hop  int
	fact string
}

// joined collects, for each Join, the values that were seen of its facts at all hops.
func joined(run flow.Run) map[string][]joinedValue {
	j := &judge{run: run}
	values := map[string][]joinedValue{}
	for i := range run.Path.Hops {
		hop := &run.Path.Hops[i]
		for _, fact := range hop.Expect {
			if fact.Join == "" || fact.Absent {
				continue
			}
			for _, seen := range j.observed(hop, fact.Name) {
				values[fact.Join] = append(values[fact.Join], joinedValue{seen, i, fact.Name})
			}
		}
	}
	return values
}

// conflict is a Join whose facts were seen with different values.
type conflict struct {
	reason    string
	undecided bool // whether it is one no instrument could tell
	evidence  []flow.Evidence
}

// disagreement reports whether the fact's Join was seen with more than one value, here or at
// another hop. Nothing can say which of the hops is wrong, so each of them is refuted.
func (j *judge) disagreement(fact flow.Fact) (conflict, bool) {
	if fact.Join == "" || fact.Absent {
		return conflict{}, false
	}
	values := j.joins[fact.Join]
	var distinct []string
	for _, v := range values {
		if !slices.Contains(distinct, v.value) {
			distinct = append(distinct, v.value)
		}
	}
	if len(distinct) < 2 {
		return conflict{}, false
	}
	var c conflict
	said := make([]string, 0, len(distinct))
	for _, value := range distinct {
		i := slices.IndexFunc(values, func(v joinedValue) bool { return v.value == value })
		v, hop := values[i], j.run.Path.Hops[values[i].hop]
		said = append(said, fmt.Sprintf("%s saw %s as %s of the %s's %s",
			v.instrument, v.value, v.fact, hop.Side, hop.Kind))
		c.evidence = append(c.evidence, flow.Evidence{Instrument: v.instrument, Fact: v.fact,
			Expected: "the same wherever " + fact.Join + " is seen", Seen: v.value, Observation: v.observation})
	}
	c.reason = fmt.Sprintf("%s is one thing and must be seen as one value: %s", fact.Join, strings.Join(said, ", "))
	return c, true
}
