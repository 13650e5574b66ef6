package verify

import (
	"slices"
	"strings"
	"sync"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe"
)

// instruments are all that there are with what each can see at best: they say so themselves, and
// nothing is said of it here again.
var instruments = sync.OnceValue(func() []instrument {
	var all []instrument
	for _, i := range observe.Instruments() {
		all = append(all, instrument{i.Name(), i.Sees()})
	}
	return all
})

type instrument struct {
	name flow.Instrument
	sees []flow.Capability
}

// canSee says whether an instrument can see at best anything that a hop expects; of a hop that
// expects nothing, anything of its kind.
func canSee(hop *flow.Hop, name flow.Instrument) bool {
	i := slices.IndexFunc(instruments(), func(i instrument) bool { return i.name == name })
	return i >= 0 && slices.ContainsFunc(instruments()[i].sees, func(c flow.Capability) bool {
		if len(hop.Expect) == 0 {
			return c.Kind == hop.Kind
		}
		return slices.ContainsFunc(hop.Expect, func(f flow.Fact) bool {
			return c.Fact == f.Name && flow.FactOf(f.Name).SameMeaning(hop.Kind, c.Kind) &&
				(c.Value == "" || c.Value == f.Value)
		})
	})
}

// witnesses names the instruments that would see a hop and did not run, with the reason
// where one could not.
func witnesses(hop *flow.Hop, run flow.Run) string {
	var names []string
	for _, i := range instruments() {
		ran := slices.ContainsFunc(run.Watches, func(w flow.Watch) bool { return w.Instrument == i.name })
		if ran || !canSee(hop, i.name) {
			continue
		}
		name := string(i.name)
		for _, a := range run.Absences {
			if a.Instrument == i.name && missedBy(hop.Proxy, a) {
				name += " (not available: " + a.Reason + ")"
				break
			}
		}
		names = append(names, name)
	}
	return strings.Join(names, " or ")
}

// missedBy says whether an absence concerns what a proxy does; a hop without a proxy is
// everybody's.
func missedBy(proxy string, a flow.Absence) bool { return a.Pod == "" || proxy == "" || a.Pod == proxy }

// without says of each instrument that could not take part why, and which hops stay unobserved that
// it could have seen.
func without(run flow.Run, hops []flow.HopVerdict) []string {
	var all []string
	for _, a := range run.Absences {
		var cost []string
		for _, v := range hops {
			hop := &run.Path.Hops[v.Hop]
			if v.State == flow.NotObserved && canSee(hop, a.Instrument) && missedBy(hop.Proxy, a) {
				cost = append(cost, strings.TrimSpace(string(v.Side)+" "+string(v.Kind)))
			}
		}
		where, price := "", "no hop stays unobserved without it"
		if a.Pod != "" {
			where = " of " + a.Pod
		}
		if a.Cost != "" {
			price = a.Cost
		} else if len(cost) > 0 {
			price = "not observed without it: " + strings.Join(cost, ", ")
		}
		all = append(all, string(a.Instrument)+where+" was not available: "+a.Reason+"; "+price)
	}
	return all
}
