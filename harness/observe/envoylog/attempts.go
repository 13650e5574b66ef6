package envoylog

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/flow"
)

// An attempt is one try of the router's: what its lines say between its beginning and the next one.
type attempt struct {
	begin step
	own   []step // the stream's lines of it
	end   int    // index of the line behind it
}

// tries are the attempts of an exchange that the router routed. A retry begins with a line of its
// own. (Envoy: Router::Filter::doRetry)
func (x *exchange) tries() []attempt {
	router, ok := x.first(RouterHeaders)
	if !ok {
		return nil
	}
	all := []attempt{{begin: router}}
	for _, s := range x.own {
		if s.index <= router.index {
			continue
		}
		if s.event == Retry {
			all[len(all)-1].end = s.index
			all = append(all, attempt{begin: s})
			continue
		}
		last := &all[len(all)-1]
		last.own = append(last.own, s)
	}
	all[len(all)-1].end = len(x.journal.steps)
	return all
}

// lastGiven is where the attempt begins whose connection counts: the last that was given one, or
// the first over the same connection. Where none was given one, it is 0.
func (x *exchange) lastGiven() int {
	begins := map[string]int{} // by connection
	last := 0
	for _, a := range x.tries() {
		id, given, _ := x.took(a)
		if !given {
			continue
		}
		if _, known := begins[id]; !known {
			begins[id] = a.begin.index
		}
		last = begins[id]
	}
	return last
}

// find is the first of the stream's lines of the attempt that says event.
func (a attempt) find(event Event) (step, bool) {
	i := slices.IndexFunc(a.own, func(s step) bool { return s.event == event })
	if i < 0 {
		return step{}, false
	}
	return a.own[i], true
}

// took is the id of the upstream connection that an attempt was given, or that was dialled for it;
// given says which.
func (x *exchange) took(a attempt) (id string, given, reused bool) {
	if ready, ok := a.find(PoolReady); ok {
		created, found := x.before(ready.index, CreatingStream)
		if !found || created.index < a.begin.index {
			return "", true, false
		}
		dialled, ok := x.dialledAt(created.Connection, created.index)
		return created.Connection, true, !ok || dialled.index < a.begin.index
	}
	if s, ok := x.after(a.begin.index, ConnectingTo, RouterHeaders, Retry); ok && s.event == ConnectingTo &&
		s.index < a.end {
		return s.Connection, false, false
	}
	return "", false, false
}

// dialledAt is the line that says where an upstream connection was dialled, the last before an
// index.
func (x *exchange) dialledAt(connection string, before int) (found step, ok bool) {
	for _, s := range x.journal.steps[:min(before+1, len(x.journal.steps))] {
		if s.event == ConnectingTo && s.Connection == connection {
			found, ok = s, true
		}
	}
	return found, ok
}

// attempts tells of each try, where there were several, or the only one got no answer from
// upstream. Of one that was answered the other facts say all.
func (o *observer) attempts() {
	all := o.tries()
	if len(all) == 0 {
		return
	}
	if _, failed := all[0].find(UpstreamReset); len(all) == 1 && !failed {
		return
	}
	for i, a := range all {
		facts := []string{flow.FactAttempt, strconv.Itoa(i + 1)}
		id, given, reused := o.took(a)
		if dialled, ok := o.dialledAt(id, a.end-1); ok && id != "" {
			facts = append(facts, flow.FactAttemptEndpoint, dialled.rest)
		}
		switch {
		case given && reused:
			facts = append(facts, flow.FactAttemptConnects, flow.ReusedConnection)
		case given && id != "": // of one that the log does not name it is not known
			facts = append(facts, flow.FactAttemptConnects, flow.NewConnection)
		}
		o.see(a.begin, flow.Connect, append(facts, o.became(a, i == len(all)-1)...)...)
	}
}

// became are the facts about what became of an attempt. The status of one that was retried the
// router does not print.
func (o *observer) became(a attempt, last bool) (facts []string) {
	reset, failed := a.find(UpstreamReset)
	timeout, late := a.find(PerTryTimeout)
	headers, answered := a.find(UpstreamHeaders)
	switch {
	case answered:
		facts = append(facts, flow.FactAttemptAfter, between(a.begin, headers))
		if response, ok := a.find(ResponseHeaders); ok && last {
			if _, replied := a.find(LocalReply); !replied {
				status, _ := response.Header(":status")
				facts = append(facts, flow.FactAttemptStatus, status)
			}
		}
	case failed:
		facts = append(facts, flow.FactAttemptAfter, between(a.begin, reset), flow.FactAttemptFailure,
			failure(reset.rest))
	case late:
		facts = append(facts, flow.FactAttemptAfter, between(a.begin, timeout), flow.FactAttemptFailure,
			"upstream per try timeout")
	default:
		if reply, ok := a.find(LocalReply); ok {
			facts = append(facts, flow.FactAttemptAfter, between(a.begin, reply), flow.FactAttemptFailure, reply.rest)
		}
	}
	return facts
}

// failure is "<reason>: <transport failure>" of the end of an UpstreamReset.
func failure(rest string) string {
	reason, transport, _ := strings.Cut(rest, ", transport failure reason: ")
	if transport = strings.Trim(transport, "' "); transport != "" {
		return strings.TrimSpace(reason) + ": " + transport
	}
	return strings.TrimSpace(reason)
}

// between is the time between two lines.
func between(a, b step) string { return b.Time.Sub(a.Time).Round(time.Microsecond).String() }

// arrived tells of each attempt of the proxy before that arrived here, where there were several.
func (o *observer) arrived(all []*exchange) {
	for i, x := range all {
		facts := []string{flow.FactArrival, strconv.Itoa(i + 1)}
		if n := x.number(); n > 0 {
			facts = append(facts, flow.FactAttempt, strconv.Itoa(n))
		}
		if s, ok := x.first(ResponseHeaders); ok {
			status, _ := s.Header(":status")
			facts = append(facts, flow.FactAttemptStatus, status)
		}
		o.see(x.headers, flow.NetworkFilters, facts...)
	}
}

// next tells of requests that applications made on their own for the one that they serve.
func (o *observer) next(f finding) {
	for _, x := range f.next {
		method, _ := x.headers.Header(":method")
		authority, _ := x.headers.Header(":authority")
		path, _ := x.headers.Header(":path")
		path, _, _ = strings.Cut(path, "?")
		facts := []string{flow.FactNextCall, method + " " + authority + path}
		if dialled, ok := x.dialledAt(x.upstream, len(x.journal.steps)-1); ok && x.upstream != "" {
			facts = append(facts, flow.FactNextEndpoint, dialled.rest)
		}
		o.see(x.headers, flow.App, append(facts, x.nextStatus()...)...)
	}
	for _, x := range f.came {
		facts := []string{flow.FactNextPeer, x.peer()}
		if dst, ok := x.phase.find(OriginalDstSet); ok && dst.rest != "" {
			facts = append(facts, flow.FactNextEndpoint, dst.rest)
		}
		o.see(x.headers, flow.App, append(facts, x.nextStatus()...)...)
	}
}

func (x *exchange) nextStatus() []string {
	s, ok := x.first(ResponseHeaders)
	if !ok {
		return nil
	}
	status, _ := s.Header(":status")
	return []string{flow.FactNextStatus, status}
}
