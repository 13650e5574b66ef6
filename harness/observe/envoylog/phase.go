package envoylog

import (
	"slices"

	"github.com/flowproof/lab/harness/flow"
)

// phase is what the listener filters said about a connection before it was one. Their statements
// carry no id; they are joined to the connection by thread and program order.
//
// original_dst, and in older releases tls_inspector, speak when the socket is accepted; then the
// worker may serve others until data comes. Several sockets may wait like that, and one that is
// closed while it waits leaves no line. So what was said at accept is taken as the connection's
// only where all sockets that wait agree. An inspector that has its data speaks in the call that
// ends with `new connection from`, so its statements stand directly before it.
//
// A listener without filters, such as that of the health check, accepts in one call too. Where its
// connection follows directly on a socket that waits, it looks as if the two were one. That shows
// when an inspector speaks and no socket waits: then one of those that were taken had none.
type phase struct {
	steps    []step
	others   []step // of listener filters whose wording is not known here, by the file of the statement
	accepted step   // NewConnection or NoFilterChain
	unsure   string // why the statements may be another connection's; empty where they are its own
	unlike   bool   // of those taken, one had no listener filters, and this is counted as that one
}

// Why statements may be another connection's.
const (
	noThreads = "the log names no threads, and the listener filters of two sockets cannot be told apart"
	noFilters = "a connection to a listener without filters was accepted while a socket waited for data, " +
		"and they cannot be told apart"
)

// atAccept says whether an event is said when a socket is accepted.
func atAccept(e Event) bool {
	return e == OriginalDstAccepted || e == OriginalDstSet || e == TLSInspectorAccepted
}

// withData says whether an event is said by an inspector that has its data.
func withData(e Event) bool {
	switch e {
	case TLSServerName, TLSProtocols, TLSInspectorNotTLS, HTTPInspectorAccepted, HTTPInspectorSet:
		return true
	}
	return false
}

// inPhase says whether an event is a statement of a listener filter.
func inPhase(e Event) bool { return atAccept(e) || withData(e) }

// mostWaiting bounds how many sockets of one thread are kept that never became a connection.
const mostWaiting = 64

// worker is what one thread's listener filters have said that is not joined yet.
type worker struct {
	waiting  [][]step // what was said at accept, by socket
	taken    []*phase // connections that stood directly behind what was said at accept
	spoken   []step   // what inspectors have said since the last connection
	repeated bool     // … one of them twice
	previous int      // index of the thread's line before
	others   []step   // what other listener filters have said since the thread last spoke of a connection
	before   string   // the connection that it spoke of since
	// begun is the index of the thread's line before the first about a connection: a network filter
	// may speak of the connection before `new connection from` is printed.
	begun map[string]int
}

// listenerPhases joins the listener filters' statements to connections: phases by connection id,
// and those of sockets that no filter chain matched, by the peer's address.
func (j *journal) listenerPhases() (byID, refused map[string][]*phase) {
	byID, refused = map[string][]*phase{}, map[string][]*phase{}
	workers := map[string]*worker{}
	for _, s := range j.steps {
		w := workers[s.Thread]
		if w == nil {
			w = &worker{previous: -1, begun: map[string]int{}}
			workers[s.Thread] = w
		}
		if _, ok := w.begun[s.Connection]; !ok && s.Connection != "" {
			w.begun[s.Connection] = w.previous
		}
		if w.other(s) {
			continue
		}
		switch {
		case atAccept(s.event):
			w.accept(s)
		case withData(s.event):
			w.speak(s)
		case s.event == NewConnection:
			byID[s.Connection] = append(byID[s.Connection], w.join(j, s))
		case s.event == NoFilterChain:
			refused[s.rest] = append(refused[s.rest], w.join(j, s))
		}
		w.previous = s.index
	}
	return byID, refused
}

// other takes a statement of a listener filter whose wording is not known. Only the
// connection of which the thread speaks next can be meant: when it speaks of another first,
// the statement is dropped.
func (w *worker) other(s step) bool {
	if fact, _ := flow.FilterOfSource(s.Source); s.event == Other && fact == flow.FactFilter && s.Connection == "" {
		w.others, w.before = append(w.others, s), ""
		return true
	}
	switch {
	case s.Connection == "" || s.Connection == w.before:
	case w.before == "":
		w.before = s.Connection
	default:
		w.others, w.before = nil, s.Connection
	}
	return false
}

// accept takes a statement about a socket that was accepted: the newest one's, or the
// first about another.
func (w *worker) accept(s step) {
	n := len(w.waiting)
	if n == 0 || opens(w.waiting[n-1], s) {
		w.waiting = append(w.waiting[max(0, n+1-mostWaiting):], nil)
		n = len(w.waiting)
	}
	w.waiting[n-1] = append(w.waiting[n-1], s)
}

// opens reports whether s begins the statements about another socket: original_dst runs first, and
// each filter accepts a socket once.
func opens(said []step, s step) bool {
	switch s.event {
	case OriginalDstAccepted:
		return true
	case OriginalDstSet:
		return said[len(said)-1].event != OriginalDstAccepted
	}
	return slices.ContainsFunc(said, func(other step) bool { return other.event == s.event })
}

// speak takes a statement of an inspector that has its data. The same inspector speaks once about a
// socket, so what stands before is another socket's.
func (w *worker) speak(s step) {
	if slices.ContainsFunc(w.spoken, func(other step) bool { return other.event == s.event }) {
		w.spoken, w.repeated = nil, true
	}
	w.spoken = append(w.spoken, s)
}

// join makes the phase of the connection that is accepted, or refused, at s.
func (w *worker) join(j *journal, s step) *phase {
	p := &phase{accepted: s}
	if w.repeated && !j.threads {
		p.unsure = noThreads
	}
	if len(w.waiting) <= 1 {
		p.others = w.others
	}
	w.others = nil
	before, ok := w.begun[s.Connection]
	if !ok {
		before = w.previous
	}
	adjacent := before >= 0 && atAccept(j.steps[before].event) && len(w.waiting) > 0
	if adjacent && j.threads { // accepted and connected in one call
		p.steps = w.waiting[len(w.waiting)-1]
		w.waiting = w.waiting[:len(w.waiting)-1]
		w.taken = append(w.taken[max(0, len(w.taken)+1-mostWaiting):], p)
		return p
	}
	switch {
	case len(w.spoken) > 0 && len(w.waiting) > 0:
		p.steps = agreed(append(w.takenSince(), w.waiting...))
		if unanimous(w.waiting) {
			w.waiting = w.waiting[:len(w.waiting)-1]
		}
	case len(w.spoken) > 0:
		p.steps = w.giveBack()
	}
	p.steps = append(slices.Clip(p.steps), w.spoken...)
	w.spoken, w.repeated = nil, false
	return p
}

// takenSince returns what was said at accept of the connections that were taken after the newest
// socket that waits was accepted: one of them may have been taken wrongly.
func (w *worker) takenSince() [][]step {
	newest := w.waiting[len(w.waiting)-1]
	var said [][]step
	for _, p := range w.taken {
		if len(p.steps) > 0 && p.steps[0].index > newest[len(newest)-1].index {
			said = append(said, p.steps)
		}
	}
	return said
}

// giveBack returns what was said at accept of a socket whose inspector speaks now, where
// connections behind it were taken for it: what was said of all of them. Where there was one, it
// had no listener filters; where there were several, it is unknown which of them had none.
func (w *worker) giveBack() []step {
	if len(w.taken) == 0 {
		return nil
	}
	var said [][]step
	for _, p := range w.taken {
		said = append(said, p.steps)
		if len(w.taken) > 1 {
			p.unsure = noFilters
		}
	}
	last := w.taken[len(w.taken)-1]
	last.unlike = true
	if len(w.taken) == 1 {
		last.steps = nil
	}
	w.taken = w.taken[:len(w.taken)-1]
	return agreed(said)
}

// unanimous reports whether the same was said of all sockets that wait.
func unanimous(waiting [][]step) bool {
	for _, said := range waiting {
		if !slices.EqualFunc(said, waiting[0], func(a, b step) bool { return a.event == b.event && a.rest == b.rest }) {
			return false
		}
	}
	return true
}

// agreed returns what was said of all sockets that wait; where only the values differ, the
// statement without its value.
func agreed(waiting [][]step) []step {
	if len(waiting) == 0 {
		return nil
	}
	var all []step
	for _, s := range waiting[len(waiting)-1] {
		for _, said := range waiting {
			i := slices.IndexFunc(said, func(other step) bool { return other.event == s.event })
			if i < 0 {
				s.event = Other
				break
			}
			if said[i].rest != s.rest {
				s.rest = ""
			}
		}
		if s.event != Other {
			all = append(all, s)
		}
	}
	return all
}

// find returns the phase's first statement of an event.
func (p *phase) find(event Event) (step, bool) {
	if p != nil {
		for _, s := range p.steps {
			if s.event == event {
				return s, true
			}
		}
	}
	return step{}, false
}
