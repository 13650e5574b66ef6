package verify

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// next are the requests that applications made on their own for the one that they served, and where
// what the instruments told of them does not agree.
type next struct {
	calls    []flow.NextCall
	problems []string
}

// nextOf joins what was told of next calls by pod and order. Each instrument that can see one, and
// saw all at a pod, has to tell of each. The run's observations are redacted.
func nextOf(run flow.Run) next {
	var n next
	told := map[string]map[flow.Instrument][]flow.NextCall{}
	for _, o := range run.Observations {
		facts := values(o)
		call, made := facts[flow.FactNextCall]
		if !made {
			n.alone(o, facts)
			continue
		}
		method, url, whole := strings.Cut(call, " ")
		status, _ := strconv.Atoi(facts[flow.FactNextStatus])
		attempts, err := strconv.Atoi(facts[flow.FactNextAttempts])
		// one that goes on has no status in the debug log yet, and no line in the access log
		endpoint, went := facts[flow.FactNextEndpoint]
		answer, ended := facts[flow.FactNextStatus]
		if !whole || ended && !isStatus(answer) || !ended && o.Instrument != flow.EnvoyLog ||
			went && !isEndpoint(endpoint) || facts[flow.FactNextAttempts] != "" && (err != nil || attempts < 2) {
			n.problems = append(n.problems, fmt.Sprintf("%s saw a next call that is none: %s", o.Instrument, call))
		}
		pod := o.Where.Pod
		if told[pod] == nil {
			told[pod] = map[flow.Instrument][]flow.NextCall{}
		}
		told[pod][o.Instrument] = append(told[pod][o.Instrument], flow.NextCall{From: pod, Method: method, URL: url,
			Endpoint: facts[flow.FactNextEndpoint], Status: status, Attempts: attempts})
	}
	for _, pod := range slices.Sorted(maps.Keys(told)) {
		n.join(run, pod, told[pod])
	}
	n.came(run.Observations)
	return n
}

// alone says that an observation tells of a next call what cannot stand without one.
func (n *next) alone(o flow.Observation, facts map[string]string) {
	for _, fact := range []string{flow.FactNextEndpoint, flow.FactNextStatus, flow.FactNextAttempts} {
		if facts[fact] != "" && facts[flow.FactNextPeer] == "" {
			n.problems = append(n.problems, fmt.Sprintf("%s saw %s %s of no call", o.Instrument, fact, facts[fact]))
		}
	}
}

// join joins what the instruments of one pod told.
func (n *next) join(run flow.Run, pod string, told map[flow.Instrument][]flow.NextCall) {
	for _, i := range instruments() {
		for _, call := range told[i.name] {
			at := n.same(call, i.name)
			if at < 0 {
				call.SeenBy = []flow.Instrument{i.name}
				n.calls = append(n.calls, call)
				continue
			}
			n.agree(&n.calls[at], call, i.name)
		}
	}
	for _, c := range n.calls {
		if c.From != pod || c.Status == 0 { // one without an answer may go on
			continue
		}
		for _, i := range instruments() {
			can := slices.ContainsFunc(i.sees, func(s flow.Capability) bool { return s.Fact == flow.FactNextCall })
			if can && !slices.Contains(c.SeenBy, i.name) && watchedWhole(run, i.name, pod) {
				n.problems = append(n.problems, fmt.Sprintf("%s of %s saw the next call %s %s, and %s, which saw all "+
					"there, did not", c.SeenBy[0], pod, c.Method, c.URL, i.name))
			}
		}
	}
}

// same is the call of one method and URL that another instrument told of; -1: there is none. Of
// several it is one with the same answer from the same endpoint, else one that may have it, else
// the first: an instrument tells of calls when they begin, and another when they end.
func (n *next) same(call flow.NextCall, by flow.Instrument) int {
	for _, fits := range []func(c flow.NextCall) bool{
		func(c flow.NextCall) bool { return c.Status == call.Status && !contradict(c, call) },
		func(c flow.NextCall) bool { return !contradict(c, call) },
		func(flow.NextCall) bool { return true },
	} {
		at := slices.IndexFunc(n.calls, func(c flow.NextCall) bool {
			return c.From == call.From && c.Method == call.Method && c.URL == call.URL &&
				!slices.Contains(c.SeenBy, by) && fits(c)
		})
		if at >= 0 {
			return at
		}
	}
	return -1
}

// contradict says whether two calls went to two endpoints, or were answered with two statuses.
func contradict(a, b flow.NextCall) bool {
	return a.Endpoint != "" && b.Endpoint != "" && a.Endpoint != b.Endpoint ||
		a.Status != 0 && b.Status != 0 && a.Status != b.Status
}

// agree adds what another instrument told of a call.
func (n *next) agree(c *flow.NextCall, other flow.NextCall, by flow.Instrument) {
	if contradict(*c, other) {
		n.problems = append(n.problems, fmt.Sprintf("of the next call %s %s %s saw %s %d, and %s %s %d", c.Method,
			c.URL, c.SeenBy[0], c.Endpoint, c.Status, by, other.Endpoint, other.Status))
	}
	c.Endpoint, c.SeenBy = orElse(c.Endpoint, other.Endpoint), append(c.SeenBy, by)
	if c.Status == 0 {
		c.Status = other.Status
	}
	c.Attempts = max(c.Attempts, other.Attempts)
}

// came holds the calls as they came to other pods against those that were made: to each endpoint
// those that were made, with their answers, and no more beside them than the attempts before the
// last of each call.
func (n *next) came(observations []flow.Observation) {
	seen := n.arrivals(observations)
	made := map[string][]int{} // answers by endpoint
	before := 0
	for _, c := range n.calls {
		made[c.Endpoint] = append(made[c.Endpoint], c.Status)
		before += max(c.Attempts-1, 0)
	}
	for _, i := range instruments() {
		left := before
		for _, endpoint := range slices.Sorted(maps.Keys(seen[i.name])) {
			if endpoint == "" {
				continue
			}
			more, missing := remainder(seen[i.name][endpoint], made[endpoint])
			if left -= len(more); len(missing) == 0 && left >= 0 {
				continue
			}
			n.problems = append(n.problems, fmt.Sprintf("%d calls of applications were made to %s, and %s saw "+
				"%d come, answered with %v and %v", len(made[endpoint]), endpoint, i.name, len(seen[i.name][endpoint]),
				made[endpoint], seen[i.name][endpoint]))
		}
	}
}

// arrivals are the answers to calls of applications as they came, by the instrument that saw them
// and the endpoint.
func (n *next) arrivals(observations []flow.Observation) map[flow.Instrument]map[string][]int {
	seen := map[flow.Instrument]map[string][]int{}
	for _, o := range observations {
		facts := values(o)
		peer, is := facts[flow.FactNextPeer]
		if !is {
			continue
		}
		text, ended := facts[flow.FactNextStatus]
		endpoint := facts[flow.FactNextEndpoint]
		if !isEndpoint(peer) || ended && !isStatus(text) || !ended && o.Instrument != flow.EnvoyLog {
			n.problems = append(n.problems, fmt.Sprintf("%s saw a next call that is none come from %s: %s %s",
				o.Instrument, peer, endpoint, text))
			continue
		}
		if seen[o.Instrument] == nil {
			seen[o.Instrument] = map[string][]int{}
		}
		status, _ := strconv.Atoi(text)
		seen[o.Instrument][endpoint] = append(seen[o.Instrument][endpoint], status)
	}
	return seen
}

// remainder takes of two lists of answers away what both have.
func remainder(a, b []int) (ofA, ofB []int) {
	ofA = slices.Clone(a)
	for _, status := range b {
		if i := slices.Index(ofA, status); i >= 0 {
			ofA = slices.Delete(ofA, i, i+1)
		} else {
			ofB = append(ofB, status)
		}
	}
	return ofA, ofB
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
