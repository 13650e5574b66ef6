package trace

import (
	"cmp"
	"net/http"
	"net/netip"
	"slices"

	"github.com/flowproof/lab/harness/flow"
)

// A socket is the life of one TCP socket, put together from the events about it.
type socket struct {
	pod, process  string
	pid           uint32
	local, remote netip.AddrPort
	accepted      *Event // exactly one of these three
	connected     *Event
	open          *Event
	listens       bool
	originalDst   *Event
	redirected    *Event // where a connection that was open before was dialled
	peeked        *Event // the last look that a listener filter took
	hellos        []*Event
	heads         []*Event // HTTP in clear text
	reads, writes []*Event
	closed        *Event
	since         *Event   // the first event about it: one that dials is bound and registered before
	values        []*Event // what Envoy's probes read about the connection on this socket
	statements    []*Event // what Envoy did while it served the connection, log statements above all
}

// first is the event by which the socket became known.
func (s *socket) first() *Event {
	for _, e := range []*Event{s.accepted, s.connected, s.open} {
		if e != nil {
			return e
		}
	}
	return nil
}

// inward says that both ends of the connection are in one pod: what the application asks of others
// under the same request id leaves it. Envoy dials its own application from 127.0.0.6, or from the
// pod's address, or on a loopback address.
func (s *socket) inward() bool {
	return s.local.Addr().IsLoopback() || s.remote.Addr().IsLoopback() || s.local.Addr() == s.remote.Addr() ||
		s.local.Addr().Is6() && s.local.Addr() == bound6
}

// bound6 is 127.0.0.6 of IPv6 (Istio: InboundPassthroughBindIpv6).
var bound6 = netip.MustParseAddr("::6")

// proxy says whether the sidecar owns it.
func (s *socket) proxy() bool { return s.process == ProxyProcess }

// ProxyProcess is the name of the process of a sidecar's Envoy.
const ProxyProcess = "envoy"

// downstream says whether it is the accepting end. Of a socket that was open before, the port
// of a listener tells.
func (s *socket) downstream(listening []netip.AddrPort) bool {
	if s.open == nil {
		return s.accepted != nil
	}
	return slices.ContainsFunc(listening, func(l netip.AddrPort) bool {
		return l.Port() == s.local.Port() && (l.Addr().IsUnspecified() || l.Addr() == s.local.Addr())
	})
}

// hello is the ClientHello or ServerHello that the socket sent, as kind says (Read, Peek or Write).
func (s *socket) hello(kind Kind, server bool) *Event {
	for _, e := range s.hellos {
		if e.Kind == kind && e.Hello.Server == server {
			return e
		}
	}
	return nil
}

// head is the first head of a request, or of a response, that was read or written.
func (s *socket) head(kind Kind, request bool) *Event {
	for _, e := range s.heads {
		if e.Kind == kind && e.HTTP.Request() == request {
			return e
		}
	}
	return nil
}

// response is the first final response after an event; of 1xx only 101 is one (RFC 9110, 15.2).
func (s *socket) response(kind Kind, after *Event) *Event {
	for _, e := range s.heads {
		final := e.HTTP.Status >= http.StatusOK || e.HTTP.Status == http.StatusSwitchingProtocols
		if e.Kind == kind && final && after != nil && !e.Time.Before(after.Time) {
			return e
		}
	}
	return nil
}

// request is the event that read or wrote the request with an id.
func (s *socket) request(kind Kind, id string) *Event {
	for _, e := range s.heads {
		if e.Kind == kind && e.HTTP.Request() && flow.SameRequestID(e.HTTP.RequestID, id) {
			return e
		}
	}
	return nil
}

// busy says whether bytes went over the socket between two events.
func (s *socket) busy(from, to *Event) bool {
	within := func(e *Event) bool {
		return e.Result > 0 && !e.Time.Before(from.Time) && (to == nil || !e.Time.After(to.Time))
	}
	return slices.ContainsFunc(s.reads, within) || slices.ContainsFunc(s.writes, within)
}

// A journal is a recording by sockets.
type journal struct {
	sockets []*socket
	live    map[identity]*socket // while it is read; afterwards those that never closed
	joins   []join
	// strangers are requests whose connections, as Envoy names them, are not among those that were
	// seen, or not one alone.
	strangers []*Event
	clashes   int                 // connections of Envoy that could not be told apart
	unborn    map[identity]*Event // the first event about a socket that has not dialled or listened yet
	places    map[*Event]place
}

// identity finds a socket's life: the kernel's socket in one process. An address of the kernel's
// memory is used again after a socket's end, so a new beginning is a new life.
type identity struct {
	pid    uint32
	socket uint64
}

func newJournal(events []Event) *journal {
	j := &journal{live: map[identity]*socket{}, unborn: map[identity]*Event{}}
	inside := newInside(j, events)
	for i := range events {
		e := &events[i]
		switch {
		case e.Kind == Redirected:
			j.dialled(e)
		case e.Socket != 0 && e.PID != 0:
			j.take(e)
		}
		inside.take(e)
	}
	j.places = inside.places
	return j
}

// dialled notes where a connection that was open before was dialled.
func (j *journal) dialled(e *Event) {
	for _, s := range j.sockets {
		if s.open != nil && s.pod == e.Pod && s.local == e.Local && s.remote == e.Remote {
			s.redirected = e
		}
	}
}

// take adds an event about a socket to its life.
func (j *journal) take(e *Event) {
	key := identity{e.PID, e.Socket}
	switch e.Kind {
	case Accept, Connect, Open, Listen:
		j.live[key] = j.begin(j.live[key], e)
		if s := j.live[key]; s.since == nil {
			s.since = cmp.Or(j.unborn[key], e)
		}
		delete(j.unborn, key)
		return
	}
	s := j.live[key]
	switch {
	case s != nil:
	case e.Kind == Close:
		delete(j.unborn, key)
		return
	default:
		j.unborn[key] = cmp.Or(j.unborn[key], e)
		return
	}
	s.add(e)
	if e.Kind == Close && !s.listens {
		delete(j.live, key)
	}
}

// begin makes a socket of the event that begins its life. A descriptor that was duplicated, or a
// second connect of the same socket, is the same life.
func (j *journal) begin(known *socket, e *Event) *socket {
	if known != nil && known.local == e.Local && known.remote == e.Remote && e.Kind != Accept {
		return known
	}
	s := &socket{pod: e.Pod, process: e.Process, pid: e.PID, local: e.Local, remote: e.Remote}
	switch e.Kind {
	case Accept:
		s.accepted = e
	case Connect:
		s.connected = e
	case Open:
		s.open = e
		s.listens = e.Change == "LISTEN"
	case Listen:
		s.open, s.listens = e, true
	}
	j.sockets = append(j.sockets, s)
	return s
}

func (s *socket) add(e *Event) {
	switch e.Kind {
	case OriginalDst:
		s.originalDst = e
	case Peek:
		s.peeked = e
		if e.Hello != nil {
			s.hellos = append(s.hellos, e)
		}
	case Read, Write:
		if e.Hello != nil {
			s.hellos = append(s.hellos, e)
		}
		if e.HTTP != nil {
			s.heads = append(s.heads, e)
		}
		if e.Kind == Read {
			s.reads = append(s.reads, e)
		} else {
			s.writes = append(s.writes, e)
		}
	case Close:
		s.closed = e
	}
}

// find returns the sockets of a pod for which ok holds.
func (j *journal) find(pod string, ok func(*socket) bool) []*socket {
	var found []*socket
	for _, s := range j.sockets {
		if s.pod == pod && !s.listens && ok(s) {
			found = append(found, s)
		}
	}
	return found
}

// listening lists the addresses that a pod's sidecar listens on.
func (j *journal) listening(pod string) []netip.AddrPort {
	var all []netip.AddrPort
	for _, s := range j.sockets {
		if s.pod == pod && s.listens && s.proxy() && !slices.Contains(all, s.local) {
			all = append(all, s.local)
		}
	}
	return all
}
