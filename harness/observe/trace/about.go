package trace

import "slices"

// About returns a filter for Timeline: the events of the request, in both sidecars, the client and
// the application. These are the events of its sockets, what the kernel does with their
// connections, and what Envoy does while it serves them.
func (r *Recording) About(sel Selection) func(*Event) bool {
	c := newJournal(r.Events).follow(r, sel)
	inside := map[*Event]bool{}
	var sockets []*socket
	for _, s := range []*socket{c.clientApp, c.downstream, c.upstream, c.serverDown, c.serverUp, c.serverApp} {
		if s == nil {
			continue
		}
		sockets = append(sockets, s)
		for _, e := range slices.Concat(s.values, s.statements) {
			inside[e] = true
		}
	}
	return func(e *Event) bool {
		return inside[e] || slices.ContainsFunc(sockets, func(s *socket) bool { return s.mentions(e) })
	}
}

// mentions says whether an event is about the socket, or about its connection seen from either end.
func (s *socket) mentions(e *Event) bool {
	first := s.first()
	if e.Kind == Open || e.Kind != State &&
		(e.Time.Before(s.since.Time) || s.closed != nil && e.Time.After(s.closed.Time)) {
		return false
	}
	switch {
	case e.PID == 0:
		return e.Local == s.local && e.Remote == s.remote || e.Local == s.remote && e.Remote == s.local
	case e.PID != s.pid:
		return false
	case e.Kind == Wake:
		return s.proxy() && slices.ContainsFunc(e.Ready, func(r Ready) bool { return r.FD == first.FD })
	}
	return e.Socket == first.Socket
}
