package trace

import "slices"

// About returns a filter for Timeline: the events of the request, in both sidecars, the client and the application. These
// are the events of its sockets; what the kernel does with their connections; and what the worker threads do that serve
// them, from the first such event to the last.
func (r *Recording) About(sel Selection) func(*Event) bool {
	j := newJournal(r.Events)
	c := j.follow(r, sel)
	var sockets []*socket
	for _, s := range []*socket{c.clientApp, c.downstream, c.upstream, c.serverDown, c.serverUp, c.serverApp} {
		if s != nil {
			sockets = append(sockets, s)
		}
	}
	threads := map[threadID]bool{}
	var first, last *Event
	of := func(e *Event) bool {
		return slices.ContainsFunc(sockets, func(s *socket) bool { return s.mentions(e) })
	}
	for i := range r.Events {
		e := &r.Events[i]
		if e.Kind == Open || !of(e) {
			continue
		}
		if e.TID != 0 && e.Process == proxyProcess {
			threads[threadID{e.PID, e.TID}] = true
		}
		if first == nil {
			first = e
		}
		last = e
	}
	return func(e *Event) bool {
		if first == nil || e.Kind == Open || e.Time.Before(first.Time) || e.Time.After(last.Time) {
			return false
		}
		return of(e) || e.Socket == 0 && threads[threadID{e.PID, e.TID}]
	}
}

// mentions says whether an event is about the socket, or about its connection seen from either end. A socket of the
// kernel's has no port before it is connected and after it is closed, so that one port and the other end are enough.
func (s *socket) mentions(e *Event) bool {
	if e.PID == s.pid && e.PID != 0 && s.first() != nil && e.Socket == s.first().Socket {
		return true
	}
	return e.PID == 0 && (e.Local == s.local && e.Remote == s.remote || e.Local == s.remote && e.Remote == s.local)
}
