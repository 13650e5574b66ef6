package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// unreached finds the proxy whose connection to its endpoint did not come about. There the way
// broke: that the proxy tried is confirmed, and what lies beyond was not reached. Each of the two
// needs its evidence: the proxy's own word of why, and an instrument that would have seen a
// connection, and saw none.
func (j *judge) unreached(hops []flow.HopVerdict) {
	for begin, end := range j.run.Path.Stretches() {
		at := slices.IndexFunc(hops[begin:end], func(v flow.HopVerdict) bool { return v.Kind == flow.Connect })
		if at < 0 || hops[begin+at].State != flow.NotObserved || !agrees(hops[begin+at]) {
			continue
		}
		hop := &j.run.Path.Hops[begin+at]
		cause := j.broke(hop)
		witnesses := j.sawNone(hop, flow.Fact{Name: flow.FactUpstreamLocal})
		if cause == "" || len(witnesses) == 0 {
			continue
		}
		beyond := slices.Clone(hops[begin+at+1:])
		for i := begin; i < begin+at; i++ { // TLS is only spoken over a connection
			if hops[i].Kind == flow.UpstreamTLS {
				beyond = append(beyond, hops[i])
			}
		}
		if slices.ContainsFunc(beyond, untouched) {
			continue
		}
		v := &hops[begin+at]
		v.State, v.Reason, v.Evidence = flow.Confirmed, cause, append(v.Evidence, witnesses...)
		for _, b := range beyond {
			v := &hops[b.Hop]
			v.State, v.Evidence = flow.Unreached, append(v.Evidence, witnesses...)
			v.Reason = fmt.Sprintf("the way broke at %s %s: %s", hop.Side, hop.Kind, cause)
		}
		return
	}
}

// agrees says whether a hop has evidence that it is as inferred.
func agrees(v flow.HopVerdict) bool {
	return slices.ContainsFunc(v.Evidence, func(e flow.Evidence) bool { return e.Agrees })
}

// untouched says of a hop behind the one where the way broke that it cannot be called not reached:
// something was seen of it. Which transport socket a proxy takes it decides before it dials.
func untouched(v flow.HopVerdict) bool {
	return v.State != flow.NotObserved || slices.ContainsFunc(v.Evidence, func(e flow.Evidence) bool {
		return e.Agrees && e.Fact != flow.FactSocketMatch && e.Observation >= 0
	})
}

// broke says in words why no connection of a proxy's came about; "" where one did, where it is not
// known, or where the instruments do not agree.
func (j *judge) broke(hop *flow.Hop) string {
	said := ""
	for _, o := range j.run.Observations {
		if !sameProxy(hop, o.Side, o.Where.Pod) {
			continue
		}
		for _, f := range o.Facts {
			switch {
			case f.Name == flow.FactUpstreamLocal && f.Value != "":
				return ""
			case f.Name == flow.FactUpstreamError && said == "":
				said = f.Value
			}
		}
	}
	endpoint, failed := "", 0
	for _, a := range attemptsOf(j.run).attempts {
		if a.Proxy != hop.Proxy {
			continue
		}
		if a.Failure == "" || a.Connection != "" || said != "" && !strings.Contains(plainly(a.Failure), plainly(said)) {
			return ""
		}
		endpoint, failed = orElse(endpoint, a.Endpoint), failed+1
		if said == "" && a.Number == failed {
			said = a.Failure
		}
	}
	if said == "" {
		return ""
	}
	return refusal(orElse(endpoint, j.asked(hop)), said, failed)
}

// plainly is a failure as both logs write it: one of them without blanks.
func plainly(text string) string { return strings.ReplaceAll(text, "_", " ") }

// asked is the endpoint that a proxy was seen to ask, where no attempt names it.
func (j *judge) asked(hop *flow.Hop) string {
	for _, fact := range []string{flow.FactUpstreamRemote, flow.FactEndpoint} {
		for _, seen := range j.observed(hop, fact) {
			return seen.value
		}
	}
	return "the endpoint"
}

// sawNone are the instruments that would have seen a fact at a hop, watched throughout and saw
// none.
func (j *judge) sawNone(hop *flow.Hop, fact flow.Fact) []flow.Evidence {
	var all []flow.Evidence
	for _, w := range j.watching(hop, fact) {
		if whole(w) && !w.Instrument.Snapshot() && w.Abstains == "" {
			all = append(all, flow.Evidence{Instrument: w.Instrument, Fact: fact.Name, Expected: "absent",
				Seen: "nothing, and it watched throughout", Agrees: true, Observation: -1})
		}
	}
	return all
}

// refusal says how an endpoint did not take a connection, and how often.
func refusal(endpoint, failure string, times int) string {
	text := endpoint + ": " + plainly(failure)
	switch {
	case strings.Contains(plainly(failure), "Connection refused"):
		text = endpoint + " refused the connection"
	case strings.Contains(plainly(failure), "connection timeout"):
		text = endpoint + " did not take the connection in time"
	case strings.Contains(plainly(failure), "No route to host"):
		text = "there is no route to " + endpoint
	}
	return text + often(times)
}

// often says how many times something happened; "" once.
func often(times int) string {
	switch {
	case times < 2:
		return ""
	case times == 2:
		return ", twice"
	case times < len(smallNumbers):
		return ", " + smallNumbers[times] + " times"
	}
	return fmt.Sprintf(", %d times", times)
}

var smallNumbers = []string{"no", "one", "two", "three", "four", "five", "six"}
