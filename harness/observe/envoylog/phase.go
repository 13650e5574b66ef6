package envoylog

// phase is what the listener filters said about a connection before it was one. Their statements carry no id.
type phase struct {
	steps     []step
	accepted  step // NewConnection
	ambiguous bool // another connection was between accept and filter chain on the same thread at the same time
}

// inPhase says whether an event is a statement of a listener filter.
func inPhase(e Event) bool {
	switch e {
	case OriginalDstAccepted, OriginalDstSet, TLSInspectorAccepted, TLSServerName, TLSProtocols, TLSInspectorNotTLS,
		HTTPInspectorAccepted, HTTPInspectorSet:
		return true
	}
	return false
}

// listenerPhases joins the statements of listener filters to the connection that came of them, by thread and program
// order. A worker that holds two sockets in this phase at once prints their statements mixed; then nobody can tell
// whose they are, and the connections are marked as ambiguous.
func (j *journal) listenerPhases() map[string][]*phase {
	phases := map[string][]*phase{}
	open := map[string][]*phase{} // by thread
	for _, s := range j.steps {
		waiting := open[s.Thread]
		switch {
		case inPhase(s.event):
			open[s.Thread] = addToPhase(waiting, s)
		case s.event == NewConnection:
			p := &phase{}
			if len(waiting) > 0 {
				p, open[s.Thread] = waiting[0], waiting[1:]
				p.ambiguous = p.ambiguous || len(waiting) > 1
			}
			p.accepted = s
			phases[s.Connection] = append(phases[s.Connection], p)
		case s.event == NoFilterChain && len(waiting) > 0:
			open[s.Thread] = waiting[1:]
		}
	}
	return phases
}

// mostWaiting bounds how many sockets of one thread are kept that never became a connection.
const mostWaiting = 64

// addToPhase gives a statement to the only socket that waits, or opens a new one.
func addToPhase(waiting []*phase, s step) []*phase {
	if n := len(waiting); n == 0 || opens(waiting[n-1], s) {
		waiting = append(waiting, &phase{ambiguous: n > 0})
		for _, p := range waiting {
			p.ambiguous = p.ambiguous || n > 0
		}
	}
	p := waiting[len(waiting)-1]
	p.steps = append(p.steps, s)
	return waiting[max(0, len(waiting)-mostWaiting):]
}

// opens reports whether s begins the statements about another socket than p's: original_dst runs first, and each filter
// accepts a socket once.
func opens(p *phase, s step) bool {
	switch s.event {
	case OriginalDstAccepted:
		return true
	case OriginalDstSet:
		return p.steps[len(p.steps)-1].event != OriginalDstAccepted
	case TLSInspectorAccepted, HTTPInspectorAccepted:
		_, again := p.find(s.event)
		return again
	}
	return false
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
