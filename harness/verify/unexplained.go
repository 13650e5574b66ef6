package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// unexplained sets what was seen at a hop against what the hop explains. An instrument reports only
// what it can attribute to the request, so what inference does not explain refutes: another filter
// than those that the hop lists, a hop that the inferred way does not have, and a fact that
// inference leaves open and that was seen with two values.
func (j *judge) unexplained(i int) (evidence []flow.Evidence, refuted []string) {
	hop := &j.run.Path.Hops[i]
	add := func(o int, s flow.Seen, expected, said string) {
		evidence = append(evidence, flow.Evidence{Instrument: j.run.Observations[o].Instrument, Fact: s.Name,
			Expected: expected, Seen: s.Value, Observation: o})
		if !slices.Contains(refuted, said) {
			refuted = append(refuted, said)
		}
	}
	for k, o := range j.run.Observations {
		if j.place(o) != i {
			continue
		}
		for _, s := range o.Facts {
			switch info := flow.FactOf(s.Name); {
			case s.Value == "":
			case o.Kind != hop.Kind && j.nowhere(hop, o.Kind, s.Name):
				add(k, s, "nothing: the way has no such hop",
					fmt.Sprintf("the way has no hop %s, and %s saw %s %s", o.Kind, o.Instrument, s.Name, s.Value))
			case info.Number == flow.Listed && o.Kind == hop.Kind && !explains(hop, s):
				add(k, s, "only what is listed",
					fmt.Sprintf("%s %s was not inferred, and %s saw it act", s.Name, s.Value, o.Instrument))
			default:
				why := j.contradicted(o, s)
				if why == "" {
					continue
				}
				add(k, s, "nothing: "+why, fmt.Sprintf("%s, and %s saw %s %s", why, o.Instrument, s.Name, s.Value))
			}
		}
	}
	for _, c := range j.conflictsAt(i) {
		if !c.undecided {
			evidence, refuted = append(evidence, c.evidence...), append(refuted, c.reason)
		}
	}
	return evidence, refuted
}

// nowhere reports whether a fact of a kind of hop that the way through a proxy does not have shows
// that there is one: of a kind between two hops of the proxy, of one after the last where the way
// goes on to another place, and of one before the first where the way comes from another proxy. Of
// what was before the first hop that is known the way says nothing.
func (j *judge) nowhere(hop *flow.Hop, kind flow.HopKind, fact string) bool {
	arrives := slices.Contains(kind.Info().Arrivals, fact)
	present := arrives || slices.Contains(kind.Info().Present, fact)
	switch {
	case j.before(hop, kind):
		return present && !sameProxy(hop, j.run.Path.Hops[0].Side, j.run.Path.Hops[0].Proxy)
	case kind.Order() < hop.Kind.Order():
		return arrives
	}
	return present && j.run.Path.Outcome == flow.Forwarded && len(unended(j.run.Path)) == 0
}

// undecided are the conflicts at a hop of which it is not known whether they are any.
func (j *judge) undecided(i int) (reasons []string) {
	for _, c := range j.conflictsAt(i) {
		if c.undecided {
			reasons = append(reasons, c.reason+": the redirection may have made one of the other, "+
				"and no instrument that ran could see that")
		}
	}
	return reasons
}

// conflictsAt are the conflicts that belong to a hop.
func (j *judge) conflictsAt(i int) (all []conflict) {
	for _, c := range j.conflicts() {
		o := j.run.Observations[c.evidence[0].Observation]
		if j.place(o) == i && !j.before(&j.run.Path.Hops[i], o.Kind) {
			all = append(all, c)
		}
	}
	return all
}

// contradicted says what of the way a single fact contradicts, without being one that a hop
// expects; "": nothing.
func (j *judge) contradicted(o flow.Observation, s flow.Seen) string {
	switch s.Name {
	case flow.FactSNI, flow.FactALPN, flow.FactPeerURI, flow.FactXFCC:
		return j.clear(o, s)
	case flow.FactFlags:
		return j.replied(s)
	case flow.FactTranslated:
		return j.untranslated(o, s)
	}
	return ""
}

// clear says where it is known that an end of a proxy speaks in clear text, of a fact that only TLS
// has; "": it is not. An x-forwarded-client-cert that the sender wrote is no such fact.
func (j *judge) clear(o flow.Observation, s flow.Seen) string {
	if s.Name == flow.FactXFCC &&
		(o.Kind != flow.DownstreamTLS || j.run.Call.Headers.Get("x-forwarded-client-cert") != "") {
		return ""
	}
	end := flow.FactInfo{Scope: flow.OfEnd}
	for _, hop := range j.run.Path.Hops {
		if !sameProxy(&hop, o.Side, o.Where.Pod) || !end.SameMeaning(hop.Kind, o.Kind) {
			continue
		}
		for _, f := range hop.Expect {
			if f.Name == flow.FactTransport && f.Value == rawBuffer && !f.Absent && !f.May {
				return "the connection must be in clear text"
			}
		}
	}
	here := flow.Hop{Side: o.Side, Proxy: o.Where.Pod}
	for _, other := range j.run.Observations {
		if !sameProxy(&here, other.Side, other.Where.Pod) || !end.SameMeaning(other.Kind, o.Kind) {
			continue
		}
		if slices.Contains(other.Facts, flow.Seen{Name: flow.FactTransport, Value: rawBuffer}) {
			return fmt.Sprintf("%s saw the connection in clear text", other.Instrument)
		}
	}
	return ""
}

// rawBuffer is the value of flow.FactTransport for clear text.
const rawBuffer = "raw_buffer"

// replied says of response flags by which a proxy replies itself, before it asks upstream, that the
// way leads on; "": it does not, or another attempt did.
func (j *judge) replied(s flow.Seen) string {
	if j.run.Path.Outcome != flow.Forwarded {
		return ""
	}
	for _, o := range j.run.Observations {
		for _, f := range o.Facts {
			if f.Name == flow.FactAttempts && f.Value != "" && f.Value != "0" && f.Value != "1" {
				return ""
			}
		}
	}
	for _, flag := range flow.SplitFlags(s.Value) {
		if slices.Contains(ownReplies, flag) {
			return "the way leads on to the application"
		}
	}
	return ""
}

// ownReplies are the response flags by which Envoy replies before any upstream
// connection has the request.
var ownReplies = []string{"UH", "UO", "NR", "NC", "RL", "UAEX", "FI", "RLSE", "IH", "RFCF", "NFCF", "DO", "UDO", "DF"}

// before reports whether a kind lies before the first hop of a hop's proxy.
func (j *judge) before(hop *flow.Hop, kind flow.HopKind) bool {
	first := slices.IndexFunc(j.run.Path.Hops, func(h flow.Hop) bool { return sameProxy(hop, h.Side, h.Proxy) })
	return kind.Order() < j.run.Path.Hops[first].Kind.Order()
}

// explains reports whether a hop names a value, as one that must be there, may be, or must not be:
// that is judged apart.
func explains(hop *flow.Hop, s flow.Seen) bool {
	return slices.ContainsFunc(hop.Expect, func(f flow.Fact) bool {
		return f.Name == s.Name && matches(f.Value, s.Value)
	})
}

// place is the hop that an observation belongs to: the one of its kind in its proxy, else the next
// on the way through that proxy, else its last; -1 where the way does not lead through that proxy.
func (j *judge) place(o flow.Observation) int {
	next, last := -1, -1
	for i := range j.run.Path.Hops {
		hop := &j.run.Path.Hops[i]
		if !sameProxy(hop, o.Side, o.Where.Pod) {
			continue
		}
		if hop.Kind == o.Kind {
			return i
		}
		if next < 0 && hop.Kind.Order() > o.Kind.Order() {
			next = i
		}
		last = i
	}
	if next >= 0 {
		return next
	}
	return last
}

// conflicts returns the facts that can have only one value, that no hop expects, and that were seen
// with several. A fact that is expected is judged with its hop, and one that tells of the whole
// time of a watch is not the request's alone.
func (j *judge) conflicts() []conflict {
	if j.open != nil {
		return j.open
	}
	j.open = []conflict{}
	var done []seenAt
	for k, o := range j.run.Observations {
		for _, s := range o.Facts {
			info := flow.FactOf(s.Name)
			here := seenAt{o: o, seen: s}
			if info.Number != flow.One || info.Scope == flow.OfWindow || s.Value == "" ||
				slices.ContainsFunc(done, here.same) || j.expected(here) {
				continue
			}
			done = append(done, here)
			if c, ok := j.conflict(here, k); ok {
				j.open = append(j.open, c)
			}
		}
	}
	return j.open
}

// seenAt is a fact of an observation.
type seenAt struct {
	o    flow.Observation
	seen flow.Seen
}

// same reports whether another fact is the same one: of one name, in one proxy, and, where each end
// or hop has its own, there.
func (a seenAt) same(b seenAt) bool {
	hop := flow.Hop{Side: a.o.Side, Proxy: a.o.Where.Pod}
	return a.seen.Name == b.seen.Name && sameProxy(&hop, b.o.Side, b.o.Where.Pod) &&
		flow.FactOf(a.seen.Name).SameMeaning(a.o.Kind, b.o.Kind)
}

// expected reports whether a hop says which value a fact must have.
func (j *judge) expected(a seenAt) bool {
	return slices.ContainsFunc(j.run.Path.Hops, func(hop flow.Hop) bool {
		return sameProxy(&hop, a.o.Side, a.o.Where.Pod) && slices.ContainsFunc(hop.Expect, func(f flow.Fact) bool {
			return f.Name == a.seen.Name && !f.Absent && flow.FactOf(f.Name).SameMeaning(hop.Kind, a.o.Kind)
		})
	})
}

// conflict gathers all values that were seen of a fact, beginning with the observation from.
func (j *judge) conflict(a seenAt, from int) (conflict, bool) {
	var c conflict
	var said, values []string
	for k, o := range j.run.Observations[from:] {
		for _, s := range o.Facts {
			if b := (seenAt{o: o, seen: s}); s.Value == "" || !a.same(b) || slices.Contains(values, s.Value) {
				continue
			}
			values = append(values, s.Value)
			said = append(said, fmt.Sprintf("%s saw %s", o.Instrument, s.Value))
			c.evidence = append(c.evidence, flow.Evidence{Instrument: o.Instrument, Fact: s.Name, Expected: "one value",
				Seen: s.Value, Observation: from + k})
		}
	}
	c.reason = fmt.Sprintf("%s has one value, and %s", a.seen.Name, strings.Join(said, ", "))
	c.undecided = len(values) > 1 && j.mayBeTranslated(a, values)
	return c, len(values) > 1
}
