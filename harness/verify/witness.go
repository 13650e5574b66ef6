package verify

import (
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// witnesses names the instruments that would see a hop and did not run, with the reason where one could not.
func witnesses(hop *flow.Hop, run flow.Run) string {
	var names []string
	for _, instrument := range hop.Kind.Info().Witnesses {
		if slices.ContainsFunc(run.Watches, func(w flow.Watch) bool { return w.Instrument == instrument }) {
			continue
		}
		name := string(instrument)
		for _, a := range run.Absences {
			if a.Instrument == instrument && missedBy(hop.Proxy, a) {
				name += " (not available: " + a.Reason + ")"
				break
			}
		}
		names = append(names, name)
	}
	return strings.Join(names, " or ")
}

// missedBy says whether an absence concerns what a proxy does; a hop without a proxy is everybody's.
func missedBy(proxy string, a flow.Absence) bool { return a.Pod == "" || proxy == "" || a.Pod == proxy }

// without says of each instrument that could not take part why, and which hops stay unobserved that it could have seen.
func without(run flow.Run, hops []flow.HopVerdict) []string {
	var all []string
	for _, a := range run.Absences {
		var cost []string
		for _, v := range hops {
			hop := &run.Path.Hops[v.Hop]
			if v.State == flow.NotObserved && slices.Contains(v.Kind.Info().Witnesses, a.Instrument) && missedBy(hop.Proxy, a) {
				cost = append(cost, strings.TrimSpace(string(v.Side)+" "+string(v.Kind)))
			}
		}
		where, price := "", "no hop stays without a witness for want of it"
		if a.Pod != "" {
			where = " of " + a.Pod
		}
		if a.Cost != "" {
			price = a.Cost
		} else if len(cost) > 0 {
			price = "not observed for want of it: " + strings.Join(cost, ", ")
		}
		all = append(all, string(a.Instrument)+where+" was not available: "+a.Reason+"; "+price)
	}
	return all
}
