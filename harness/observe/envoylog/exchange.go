package envoylog

import (
	"fmt"
	"slices"
)

// step is a line with what it says.
type step struct {
	*Line
	event Event
	rest  string // what the wording leaves open: an address, a cluster, …
	index int
}

// journal is a log that has been understood line by line.
type journal struct {
	steps   []step
	threads bool                // the format names threads
	phases  map[string][]*phase // by connection id, which begins anew when Envoy is restarted
	refused map[string][]*phase // of sockets that no filter chain matched, by the peer's address
}

// newJournal says of each line what it means, and joins listener filters to connections.
func newJournal(lines []Line) *journal {
	j := &journal{steps: make([]step, len(lines))}
	for i := range lines {
		event, rest := eventOf(&lines[i])
		j.steps[i] = step{Line: &lines[i], event: event, rest: rest, index: i}
		j.threads = j.threads || lines[i].Thread != ""
	}
	j.phases, j.refused = j.listenerPhases()
	return j
}

// An exchange is what the log shows of one request: a stream on a downstream connection
// and what it caused.
type exchange struct {
	journal    *journal
	downstream string
	stream     string
	thread     string
	own        []step // lines with the stream's id
	headers    step   // RequestHeaders
	phase      *phase // of the downstream connection; nil when it was accepted before the log begins
	upstream   string // id of the upstream connection; empty when there was none
	reused     bool   // the upstream connection came from the pool
	problems   []string
	// answering is the index of the line that begins the attempt whose connection is upstream: the
	// last that was given one, or the first over the same
	answering int
}

// exchange gathers what belongs to the stream whose request headers are at s.
func (j *journal) exchange(s step) *exchange {
	x := &exchange{journal: j, downstream: s.Connection, stream: s.Stream, thread: s.Thread, headers: s}
	for _, other := range j.steps[s.index:] {
		if other.event == RequestHeaders && other.Stream == s.Stream && other.index > s.index {
			break // of an Envoy that was restarted
		}
		if other.Stream == s.Stream && other.Kind == Statement {
			x.own = append(x.own, other)
		}
	}
	for _, p := range j.phases[s.Connection] {
		if p.accepted.index < s.index {
			x.phase = p
		}
	}
	x.answering = x.lastGiven()
	x.findUpstream()
	x.checkConcurrency()
	return x
}

// first returns the first of the stream's own lines that says event; of what belongs to an attempt,
// the first of the one that counts.
func (x *exchange) first(event Event) (step, bool) {
	ofAttempt := event == PoolReady || event == UpstreamHeaders || event == UpstreamReset
	for _, s := range x.own {
		if s.event == event && (!ofAttempt || s.index >= x.answering) {
			return s, true
		}
	}
	return step{}, false
}

// findUpstream finds the connection that the pool gave the stream. `creating stream` of the
// connection and `pool ready` of the stream are printed by one call, so on the stream's thread the
// first stands directly before the second. A stream that never got a connection has the one that
// was dialled for it.
func (x *exchange) findUpstream() {
	if ready, ok := x.first(PoolReady); ok {
		if s, ok := x.before(ready.index, CreatingStream); ok {
			x.upstream = s.Connection
			previous, found := x.before(s.index, UsingExisting, AttachingStream)
			x.reused = found && previous.event == UsingExisting && previous.Connection == s.Connection ||
				x.carried(s.index)
		}
		if s, ok := x.after(ready.index, Attached); ok {
			up, down, _ := attached(s.rest)
			switch {
			case down != x.downstream:
			case x.upstream == "":
				x.upstream = up
			case x.upstream != up:
				x.problems = append(x.problems,
					fmt.Sprintf("line %d attaches connection %s, but connection %s created the stream",
						s.Number, up, x.upstream))
			}
		}
		return
	}
	if router, ok := x.first(RouterHeaders); ok {
		if s, ok := x.after(router.index, ConnectingTo, RouterHeaders); ok && s.event == ConnectingTo {
			x.upstream = s.Connection
		}
	}
}

// carried reports whether the upstream connection was there before the stream that it was given to,
// at the line index. A stream that waits for a connection gets the first that is free: one that was
// dialled for it, or one on which another stream ended meanwhile. The log shows the second by that
// other stream, or by lines of a connection of which it does not show that it was dialled.
func (x *exchange) carried(index int) bool {
	router, routed := x.first(RouterHeaders)
	before, dialled := false, false
	for _, s := range x.journal.steps[:index] {
		switch {
		case s.Connection != x.upstream:
		case s.event == CreatingStream:
			return true
		case slices.Contains([]Event{ConnectingTo, Connected, ClientConnected}, s.event):
			dialled = true
		default:
			before = before || routed && s.index < router.index
		}
	}
	return before && !dialled
}

// before returns the nearest line of the exchange's thread before index that says
// one of the events.
func (x *exchange) before(index int, events ...Event) (step, bool) {
	for i := index - 1; i >= 0; i-- {
		if s := x.journal.steps[i]; s.Thread == x.thread && slices.Contains(events, s.event) {
			return s, true
		}
	}
	return step{}, false
}

// after returns the nearest line of the exchange's thread after index that says one of the events.
func (x *exchange) after(index int, events ...Event) (step, bool) {
	for _, s := range x.journal.steps[min(index+1, len(x.journal.steps)):] {
		if s.Thread == x.thread && slices.Contains(events, s.event) {
			return s, true
		}
	}
	return step{}, false
}

// ofUpstream returns the line that says event and has the upstream connection's id: the last before
// the pool gave the connection to the stream, or the first after the stream was routed.
func (x *exchange) ofUpstream(event Event) (found step, ok bool) {
	if x.upstream == "" {
		return step{}, false
	}
	limit := len(x.journal.steps)
	if ready, given := x.first(PoolReady); given {
		limit = ready.index
	}
	for _, s := range x.journal.steps {
		if s.event != event || s.Connection != x.upstream {
			continue
		}
		if s.index > limit && ok {
			break
		}
		found, ok = s, true
		if router, routed := x.first(RouterHeaders); limit == len(x.journal.steps) && routed && s.index > router.index {
			break
		}
	}
	return found, ok
}

// last returns the line that ends the stream.
func (x *exchange) last() (step, bool) {
	end := ending{stream: x.stream}
	for _, s := range x.journal.steps[x.headers.index:] {
		if end.add(s) {
			return s, true
		}
	}
	return step{}, false
}

// checkConcurrency says when lines without ids cannot be told apart: the format names no threads
// and another stream was alive at the same time.
func (x *exchange) checkConcurrency() {
	if x.journal.threads || len(x.own) == 0 {
		return
	}
	begin, end := x.own[0].index, x.own[len(x.own)-1].index
	for _, s := range x.journal.steps[begin:end] {
		if s.event == RouterHeaders && s.Stream != x.stream {
			x.problems = append(x.problems,
				fmt.Sprintf("the log names no threads, and stream %s ran at the same time (line %d)",
					s.Stream, s.Number))
			return
		}
	}
}
