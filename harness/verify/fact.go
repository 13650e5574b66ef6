package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// result is what became of one expected fact. At most one of its reasons is set.
type result struct {
	evidence  []flow.Evidence
	refuted   string
	missing   string // an instrument can see the fact and did not
	unwatched bool   // no instrument can see it
}

// fact sets one expected fact of a hop against all observations of it.
func (j *judge) fact(hop *flow.Hop, fact flow.Fact) result {
	if fact.Absent {
		return j.absent(hop, fact)
	}
	var r result
	agreed := false
	for _, seen := range j.observed(hop, fact.Name) {
		agrees := matches(fact.Value, seen.value) && amongChoices(hop, fact, seen.value)
		if !agrees && flow.FactOf(fact.Name).Number != flow.One {
			continue
		}
		agreed = agreed || agrees
		r.evidence = append(r.evidence, evidence(seen, fact.Name, expected(fact), agrees))
		if !agrees && r.refuted == "" {
			r.refuted = fmt.Sprintf("%s: expected %s, %s saw %s", fact.Name, expected(fact),
				seen.instrument, seen.value)
		}
	}
	if other, ok := j.disagreement(fact); ok && agreed {
		r.evidence = append(r.evidence, other.evidence...)
		if r.refuted == "" {
			r.refuted = other.reason
		}
	}
	if agreed || r.refuted != "" {
		return r
	}
	watches := j.watching(hop, fact)
	if len(watches) == 0 {
		r.unwatched = true
		return r
	}
	r.missing = fmt.Sprintf("%s was not seen, and %s would have shown it", name(fact), watchNames(watches))
	if cut := slices.IndexFunc(watches, func(w flow.Watch) bool { return !whole(w) }); cut >= 0 {
		r.missing = fmt.Sprintf("%s was not seen: %s", name(fact),
			problems(flow.Run{Path: j.run.Path, Watches: watches[cut : cut+1]})[0])
	}
	return r
}

// absent judges a fact that must not be seen. Its absence counts only where an instrument that can
// see it watched from beginning to end and lost nothing.
func (j *judge) absent(hop *flow.Hop, fact flow.Fact) result {
	var r result
	for _, seen := range j.observed(hop, fact.Name) {
		if matches(fact.Value, seen.value) {
			r.evidence = append(r.evidence, evidence(seen, fact.Name, "absent"+ofValue(fact.Value), false))
			r.refuted = fmt.Sprintf("%s must not be there, and %s saw %s", name(flow.Fact{Name: fact.Name}),
				seen.instrument, seen.value)
		}
	}
	if r.refuted != "" {
		return r
	}
	watches := slices.DeleteFunc(j.watching(hop, fact), func(w flow.Watch) bool { return w.Instrument.Snapshot() })
	if len(watches) == 0 {
		r.unwatched = true
		return r
	}
	for _, w := range watches {
		if whole(w) {
			r.evidence = append(r.evidence, flow.Evidence{
				Instrument: w.Instrument, Fact: fact.Name, Expected: "absent" + ofValue(fact.Value),
				Seen: "nothing, and it watched throughout", Agrees: true, Observation: -1,
			})
		}
	}
	if len(r.evidence) == 0 {
		r.missing = fmt.Sprintf("%s is not proven: %s", name(fact),
			problems(flow.Run{Path: j.run.Path, Watches: watches[:1]})[0])
	}
	return r
}

func ofValue(value string) string {
	if value == "" {
		return ""
	}
	return ": " + value
}

// expected returns an expected value as a report shows it.
func expected(f flow.Fact) string {
	if f.Value == "" {
		return "*"
	}
	return f.Value
}

// seenFact is one observed value.
type seenFact struct {
	value       string
	instrument  flow.Instrument
	observation int
}

func evidence(s seenFact, fact, expected string, agrees bool) flow.Evidence {
	return flow.Evidence{Instrument: s.instrument, Fact: fact, Expected: expected,
		Seen: s.value, Agrees: agrees, Observation: s.observation}
}

// observed returns every value of a fact that was seen at a hop: by an observation of the hop's own
// kind, or, for a fact that means the same all over a proxy, of another kind on the same side.
func (j *judge) observed(hop *flow.Hop, fact string) []seenFact {
	var all []seenFact
	for i, o := range j.run.Observations {
		if !sameProxy(hop, o.Side, o.Where.Pod) || !flow.FactOf(fact).SameMeaning(hop.Kind, o.Kind) {
			continue
		}
		for _, s := range o.Facts {
			if s.Name == fact {
				all = append(all, seenFact{s.Value, o.Instrument, i})
			}
		}
	}
	return all
}

// broken returns what was seen at a hop that refutes it by itself, such as a broken rule of order.
func (j *judge) broken(hop *flow.Hop) []flow.Evidence {
	var all []flow.Evidence
	for i, o := range j.run.Observations {
		if o.Kind != hop.Kind || !sameProxy(hop, o.Side, o.Where.Pod) {
			continue
		}
		for _, s := range o.Facts {
			if flow.FactOf(s.Name).Refutes {
				all = append(all, flow.Evidence{Instrument: o.Instrument, Fact: s.Name,
					Expected: s.Value, Seen: o.Raw, Observation: i})
			}
		}
	}
	return all
}

// watching returns the watches that can see a fact at a hop.
func (j *judge) watching(hop *flow.Hop, fact flow.Fact) []flow.Watch {
	var all []flow.Watch
	for _, w := range j.run.Watches {
		if !sameProxy(hop, w.Side, w.Pod) {
			continue
		}
		if slices.ContainsFunc(w.Sees, func(c flow.Capability) bool {
			return c.Fact == fact.Name && flow.FactOf(fact.Name).SameMeaning(hop.Kind, c.Kind) &&
				(c.Value == "" || c.Value == fact.Value)
		}) {
			all = append(all, w)
		}
	}
	return all
}

func watchNames(watches []flow.Watch) string {
	names := make([]string, 0, len(watches))
	for _, w := range watches {
		if n := watchName(w); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return strings.Join(names, " and ")
}

// sameProxy reports whether something seen on a side, in a pod, is about the hop's proxy. What
// says nothing fits all.
func sameProxy(hop *flow.Hop, side flow.Side, pod string) bool {
	return (side == "" || hop.Side == "" || side == hop.Side) && (pod == "" || hop.Proxy == "" || pod == hop.Proxy)
}

// amongChoices reports whether a value may be, where the hop has several possible results.
func amongChoices(hop *flow.Hop, fact flow.Fact, value string) bool {
	if len(hop.Choices) < 2 || (fact.Value != "" && !strings.Contains(fact.Value, "*")) {
		return true
	}
	return !flow.FactOf(fact.Name).Chosen ||
		slices.ContainsFunc(hop.Choices, func(c flow.Choice) bool { return c.Name == value && c.Share > 0 })
}

// matches compares a value with a pattern in which * stands for any run of characters. An empty
// pattern fits any value.
func matches(pattern, value string) bool {
	if pattern == "" {
		return true
	}
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == value
	}
	value, ok := strings.CutPrefix(value, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(value, part)
		if i < 0 {
			return false
		}
		value = value[i+len(part):]
	}
	return strings.HasSuffix(value, parts[len(parts)-1])
}
