package envoylog

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// watch says what the log could show of the request, and whether all of it is there.
func watch(j *journal, found []*exchange, below []*phase, sel Selection) flow.Watch {
	w := flow.Watch{Instrument: flow.EnvoyLog, Pod: sel.Pod, Side: sel.Side}
	problems := logProblems(j)
	switch {
	case len(below) > 0:
		sees, missing := j.watchConnection(below)
		w.Sees, problems = sees, append(problems, missing...)
	case len(found) == 0:
		problems = append(problems, absenceProblems(j, sel)...)
		if len(problems) == 0 {
			w.Sees = capabilities(nil)
		}
	default:
		w.Sees = capabilities(found[0])
		problems = append(problems, exchangeProblems(found[0], sel)...)
	}
	w.Complete, w.Problem = len(problems) == 0, strings.Join(problems, "; ")
	return w
}

// abstain is the watch of a log in which several streams could be the request's.
func abstain(j *journal, found []*exchange, sel Selection) flow.Watch {
	problems := logProblems(j)
	return flow.Watch{Instrument: flow.EnvoyLog, Pod: sel.Pod, Side: sel.Side, Complete: len(problems) == 0,
		Problem:  strings.Join(problems, "; "),
		Sees:     []flow.Capability{{Kind: flow.Listener, Fact: flow.FactConnections}},
		Abstains: fmt.Sprintf("%d streams carry the request, so none can be said to be it", len(found))}
}

// logProblems looks at the log as a whole.
func logProblems(j *journal) []string {
	if len(j.steps) == 0 {
		return []string{"the log is empty"}
	}
	if firstDebug(j.steps) >= 0 {
		return nil
	}
	return append([]string{"no statement at debug level: raise the log level before the request is sent"},
		unknownProblems(j.steps)...)
}

// debug reports whether the line is a statement that only a raised log level shows.
func (s step) debug() bool {
	return s.Kind == Statement && (s.Level == "debug" || s.Level == "trace")
}

// firstDebug returns the index of the first line that only a raised log level shows.
func firstDebug(steps []step) int {
	for _, s := range steps {
		if s.debug() {
			return s.index
		}
	}
	return -1
}

// beginsLate says that the log begins after the request was sent, so that its
// beginning may be missing.
func beginsLate(j *journal, sel Selection) []string {
	i := firstDebug(j.steps)
	if i < 0 || sel.Since.IsZero() || !j.steps[i].Time.After(sel.Since) {
		return nil
	}
	return []string{fmt.Sprintf("the log begins at %s, after the request was sent",
		j.steps[i].Time.Format("15:04:05.000000"))}
}

// absenceProblems says why it cannot be concluded from a log without the request that the request
// never came: only a log that runs on after the answer shows that.
func absenceProblems(j *journal, sel Selection) []string {
	streams := 0
	for _, s := range j.steps {
		if s.event == RequestHeaders {
			streams++
		}
	}
	if late := beginsLate(j, sel); late != nil {
		return late
	}
	if !sel.Since.IsZero() && !sel.Until.IsZero() {
		for i := len(j.steps) - 1; i >= 0; i-- {
			if s := j.steps[i]; s.Kind == Statement && s.Time.After(sel.Until) {
				return nil
			}
		}
		return []string{"the log ends before the answer was there"}
	}
	return []string{fmt.Sprintf("no stream with x-request-id %q among %d in the log", sel.RequestID, streams)}
}

// exchangeProblems says what is missing of an exchange.
func exchangeProblems(x *exchange, sel Selection) []string {
	problems := append([]string(nil), x.problems...)
	steps := x.journal.steps
	begin, end := x.headers.index, len(steps)-1
	if x.phase != nil {
		begin = x.phase.accepted.index
		if len(x.phase.steps) > 0 {
			begin = x.phase.steps[0].index
		}
		if x.phase.unsure != "" {
			problems = append(problems, fmt.Sprintf("line %d: %s", x.phase.accepted.Number, x.phase.unsure))
		}
	} else if stream, ok := x.before(x.headers.index, NewStream); !ok || stream.Connection != x.downstream ||
		firstDebug(steps) == stream.index {
		problems = append(problems, "the log begins within the stream")
	} else {
		problems = append(problems, beginsLate(x.journal, sel)...)
	}
	if last, ok := x.last(); ok {
		end = last.index
	} else {
		problems = append(problems, fmt.Sprintf("the stream's last line is missing; the log ends with line %d: %s",
			steps[end].Number, brief(*steps[end].Line)))
	}
	begin = min(begin, end)
	for _, s := range steps[begin : end+1] {
		if s.Truncated && (s.Stream == x.stream || s.Stream == "") {
			problems = append(problems, fmt.Sprintf("line %d is cut: %s", s.Number, brief(*s.Line)))
			break
		}
	}
	problems = append(problems, unknownProblems(steps[begin:end+1])...)
	return append(problems, x.missing()...)
}

// unknownProblems counts the lines of no known form.
func unknownProblems(steps []step) []string {
	count, first := 0, -1
	for i, s := range steps {
		if s.Kind == Unknown {
			if count++; first < 0 {
				first = i
			}
		}
	}
	if count == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d lines of unknown format, the first is line %d: %s", count, steps[first].Number,
		brief(*steps[first].Line))}
}

// missing names statements that every exchange of its kind has and this one does
// not: lines were lost.
func (x *exchange) missing() []string {
	var need []Event
	if _, replied := x.first(LocalReply); !replied {
		need = append(need, ClusterMatch, RouterHeaders)
		if _, reset := x.first(StreamReset); !reset {
			need = append(need, PoolReady, UpstreamHeaders, ResponseHeaders)
		}
	}
	var lost []string
	for _, event := range need {
		if _, ok := x.first(event); !ok {
			lost = append(lost, fmt.Sprintf("the stream has no line %q", nameOf(event)))
		}
	}
	if _, ready := x.first(PoolReady); ready && !x.reused {
		for _, event := range []Event{ConnectingTo, Connected, ClientConnected} {
			if _, ok := x.ofUpstream(event); !ok {
				lost = append(lost, fmt.Sprintf("connection %s has no line %q", x.upstream, nameOf(event)))
			}
		}
	}
	return lost
}

// nameOf returns how a statement is worded.
func nameOf(event Event) string {
	for _, w := range wordings {
		if w.event == event {
			return strings.TrimSpace(w.begin)
		}
	}
	return ""
}

// brief returns the beginning of a line for an error message.
func brief(line Line) string {
	const most = 100
	line.Block = nil
	text := []rune(strings.ReplaceAll(raw(line), "\t", " "))
	if len(text) > most {
		return string(text[:most]) + "…"
	}
	return string(text)
}

// answeredEarly says that the proxy answered by itself before the router spoke of the request: what
// only the router prints then stands nowhere, whether the router ran or not. Source: Envoy's
// Router::Filter::decodeHeaders, which answers a redirect, a direct response, a missing route or a
// cluster without hosts before its statement "router decoding headers".
func (x *exchange) answeredEarly() bool {
	return x.has(LocalReply) && !x.has(RouterHeaders)
}

// has reports whether one of the stream's own lines says event.
func (x *exchange) has(event Event) bool {
	_, ok := x.first(event)
	return ok
}

// capabilities lists the facts that the debug log shows about an exchange, given how it went: about
// a connection that was accepted or dialled before the log begins it shows nothing.
func capabilities(x *exchange) []flow.Capability {
	sees := []flow.Capability{
		{Kind: flow.Listener, Fact: flow.FactConnections},
		{Kind: flow.NetworkFilters, Fact: flow.FactCodec},
		{Kind: flow.NetworkFilters, Fact: flow.FactConnection},
		{Kind: flow.NetworkFilters, Fact: flow.FactNetworkFilter, Value: httpManager},
		{Kind: flow.App, Fact: flow.FactStatus},
	}
	if x == nil || !x.answeredEarly() {
		sees = append(sees,
			flow.Capability{Kind: flow.HTTPFilters, Fact: flow.FactHTTPFilter, Value: routerFilter},
			flow.Capability{Kind: flow.Cluster, Fact: flow.FactCluster},
			flow.Capability{Kind: flow.DownstreamTLS, Fact: flow.FactXFCC},
			flow.Capability{Kind: flow.Connect, Fact: flow.FactUpstreamReused})
	} else if x.has(ClusterMatch) || x.has(UnknownCluster) {
		sees = append(sees, flow.Capability{Kind: flow.Cluster, Fact: flow.FactCluster})
	}
	accepted := x == nil || x.phase != nil && x.phase.unsure == ""
	if accepted {
		sees = append(sees,
			flow.Capability{Kind: flow.Listener, Fact: flow.FactPeer},
			flow.Capability{Kind: flow.ListenerFilters, Fact: flow.FactFilter, Value: originalDst},
			flow.Capability{Kind: flow.ListenerFilters, Fact: flow.FactFilter, Value: tlsInspector},
			flow.Capability{Kind: flow.ListenerFilters, Fact: flow.FactFilter, Value: httpInspector},
			flow.Capability{Kind: flow.ListenerFilters, Fact: flow.FactSNI},
			flow.Capability{Kind: flow.ListenerFilters, Fact: flow.FactTransport})
	}
	if x == nil {
		return append(sees, flow.Capability{Kind: flow.Connect, Fact: flow.FactUpstreamRemote})
	}
	if s, ok := x.first(RouterHeaders); ok && len(s.Block) > 0 {
		for _, fact := range []string{flow.FactMethod, flow.FactPath, flow.FactAuthority, flow.FactHeader} {
			sees = append(sees, flow.Capability{Kind: flow.Connect, Fact: fact})
		}
	}
	if s, ok := x.phase.find(OriginalDstSet); ok && s.rest != "" {
		sees = append(sees, flow.Capability{Kind: flow.Redirect, Fact: flow.FactOriginalDst})
	}
	if _, ok := x.ofUpstream(ConnectingTo); ok || !x.reused {
		sees = append(sees, flow.Capability{Kind: flow.Endpoint, Fact: flow.FactEndpoint},
			flow.Capability{Kind: flow.Connect, Fact: flow.FactUpstreamRemote})
	}
	return sees
}
