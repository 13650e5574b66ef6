package verify

import (
	"fmt"
	"slices"
	"strconv"
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
		witnesses := j.sawNone(hop, flow.Fact{Name: flow.FactUpstreamLocal})
		cause := j.broke(hop, witnesses)
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
// known of each attempt that there was one, or where the instruments do not agree.
func (j *judge) broke(hop *flow.Hop, witnesses []flow.Evidence) string {
	said := ""
	for _, o := range j.run.Observations {
		if further(*hop, o) && arrival(o) {
			return ""
		}
		if !sameProxy(hop, o.Side, o.Where.Pod) {
			continue
		}
		for _, f := range o.Facts {
			switch {
			case connected(o, f):
				return ""
			case f.Name == flow.FactUpstreamError && said == "":
				said = f.Value
			}
		}
	}
	var endpoints []string
	failed := 0
	for _, a := range j.tried.attempts {
		if a.Proxy != hop.Proxy {
			continue
		}
		said = orElse(said, a.Failure)
		if a.Connection != "" || !strings.Contains(plainly(a.Failure), plainly(said)) {
			return ""
		}
		if failed++; a.Endpoint != "" && !slices.Contains(endpoints, a.Endpoint) {
			endpoints = append(endpoints, a.Endpoint)
		}
	}
	if !j.undialled(hop, said) || failed == 0 && j.counted(hop) != 1 && !slices.ContainsFunc(witnesses, byKernel) {
		return ""
	}
	return refusal(orElse(strings.Join(endpoints, " and "), j.asked(hop)), said, failed)
}

// byKernel says of evidence that it is of all connections of a request, of each of its attempts.
func byKernel(e flow.Evidence) bool { return e.Instrument == flow.Trace }

// arrival says whether an observation shows that something came to where it was made.
func arrival(o flow.Observation) bool {
	info := o.Kind.Info()
	return slices.ContainsFunc(o.Facts, func(f flow.Seen) bool {
		return f.Value != "" && (slices.Contains(info.Arrivals, f.Name) || slices.Contains(info.Present, f.Name))
	})
}

// connected says whether a fact shows that a proxy had a connection upstream. The counters of a
// proxy count an attempt that failed beside those that did not.
func connected(o flow.Observation, f flow.Seen) bool {
	switch f.Name {
	case flow.FactUpstreamLocal:
		return f.Value != ""
	case flow.FactUpstreamReused, flow.FactUpstreamStatus:
		return f.Value != "" && o.Instrument != flow.Stats
	}
	return false
}

// undialled says whether a failure is one before a connection stood. The kernel's own word on what
// was dialled is: Envoy writes it behind "connect error". Its timeout also ends a TLS handshake, so
// it is one only where the endpoint is spoken to in clear text; any other failure, such as one of
// TLS, came over a connection. (Envoy: ConnectionImpl::onWriteReady, ConnPoolImplBase)
func (j *judge) undialled(hop *flow.Hop, failure string) bool {
	failure = plainly(failure)
	return strings.Contains(failure, "connect error") ||
		strings.Contains(failure, "connection timeout") && j.speaksClear(hop)
}

// speaksClear says whether a proxy is inferred to speak to its endpoint in clear text.
func (j *judge) speaksClear(hop *flow.Hop) bool {
	return slices.ContainsFunc(j.run.Path.Hops, func(h flow.Hop) bool {
		return h.Proxy == hop.Proxy && h.Side == hop.Side && h.Kind == flow.UpstreamTLS &&
			slices.ContainsFunc(h.Expect, func(f flow.Fact) bool {
				return f.Name == flow.FactTransport && f.Value == rawBuffer && !f.Absent && !f.May
			})
	})
}

// counted is how many attempts a proxy counted; 0 where it does not say. What became of several
// that were not told of one by one is not known: the last may be the only one that failed.
func (j *judge) counted(hop *flow.Hop) int {
	for _, o := range j.run.Observations {
		if n, err := strconv.Atoi(values(o)[flow.FactAttempts]); err == nil && sameProxy(hop, o.Side, o.Where.Pod) {
			return n
		}
	}
	return 0
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
