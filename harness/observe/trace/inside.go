package trace

import "github.com/flowproof/lab/bpf/envoy"

// A join is a request that Envoy took from a downstream connection and gave an upstream one.
type join struct {
	down, up *socket
	at       *Event // the request is given its connection; it names the cluster, where that could be read
}

// inside puts what the probes on Envoy tell together with sockets. Probes know objects and threads;
// system calls of the same thread tell which socket an object is: a connection's own reads and
// writes follow when a thread turns to it.
type inside struct {
	journal *journal
	threads map[threadID]*thread
	conns   map[object]*connection
	places  map[*Event]place
	turns   map[uint32]bool // the processes that tell when a thread turns to a connection
}

// A place says which descriptors an event of Envoy's is about: that of the connection, and that of
// the one which its request is given.
type place struct {
	listener *socket // before there is a connection object
	at       *connection
	down, to *socket // of a request that is given its connection
}

// fds returns the two descriptors; -1 where it is not known.
func (p place) fds() (at, to int32) {
	fd := func(s *socket) int32 {
		if s == nil {
			return -1
		}
		return s.first().FD
	}
	switch {
	case p.listener != nil:
		return fd(p.listener), -1
	case p.at != nil && !p.at.clash:
		return fd(p.at.socket), -1
	}
	return fd(p.down), fd(p.to)
}

// object is one of Envoy's objects in one process; threadID one of its threads.
type (
	object struct {
		pid     uint32
		address uint64
	}
	threadID struct{ pid, tid uint32 }
)

// A thread is what a worker is at.
type thread struct {
	turned   *connection // the connection that it turned to, until it waits again
	fresh    bool        // nothing was read or written since
	listener *socket     // the socket that listener filters look at
	chain    *Event      // a filter chain was chosen for a connection that is about to be made
	wake     *Event      // by which its round began
}

// A connection is one of Envoy's connection objects.
type connection struct {
	socket *socket
	clash  bool // what it read and wrote is not always the same socket
	early  []*Event
}

func newInside(j *journal, events []Event) *inside {
	in := &inside{journal: j, threads: map[threadID]*thread{}, conns: map[object]*connection{},
		places: map[*Event]place{}, turns: map[uint32]bool{}}
	for i := range events {
		if events[i].Kind == Dispatch {
			in.turns[events[i].PID] = true
		}
	}
	return in
}

func (in *inside) thread(e *Event) *thread {
	id := threadID{e.PID, e.TID}
	if in.threads[id] == nil {
		in.threads[id] = &thread{}
	}
	return in.threads[id]
}

// take looks at an event of Envoy's.
func (in *inside) take(e *Event) {
	if e.Process != ProxyProcess || e.TID == 0 {
		return
	}
	t := in.thread(e)
	switch e.Kind {
	case Wake:
		*t = thread{wake: e}
	case Accept, Peek:
		t.listener, t.turned, t.fresh = in.journal.live[identity{e.PID, e.Socket}], nil, false
		if e.Kind == Accept && t.wake != nil && t.listener != nil {
			t.listener.keep(t.wake)
		}
	case Read, Write:
		in.transfer(t, e)
	case Interest, SetOption:
		in.made(t, e)
	case Close:
		in.closed(e)
	case Dispatch:
		in.turn(t, e)
	case Value:
		in.value(t, e)
	case Statement, NewRequest:
		in.about(t, e)
	case PoolReady:
		in.given(e)
	}
}

// given notes which sockets a request's two connections are. Envoy itself names their ends, so that
// it does not matter what the thread did meanwhile: whether it waited for a connection, for a
// timer, or for another filter's answer.
func (in *inside) given(e *Event) {
	if e.Ends == nil {
		return
	}
	down := in.only(e, func(s *socket) bool { return s.connected == nil && s.remote == e.Ends.Downstream })
	up := in.only(e, func(s *socket) bool {
		return s.accepted == nil && s.local == e.Ends.Local && s.remote == e.Ends.Remote
	})
	if down == nil || up == nil {
		if e.Ends.Downstream.IsValid() {
			in.journal.strangers = append(in.journal.strangers, e)
		}
		return
	}
	down.keep(e)
	in.places[e] = place{down: down, to: up}
	in.journal.joins = append(in.journal.joins, join{down: down, up: up, at: e})
}

// only is the one open socket of the event's process for which fits holds; nil where there is
// none, or more than one.
func (in *inside) only(e *Event, fits func(*socket) bool) *socket {
	var found *socket
	for k, s := range in.journal.live {
		if k.pid != e.PID || s.listens || !fits(s) {
			continue
		}
		if found != nil {
			in.journal.clashes++
			return nil
		}
		found = s
	}
	return found
}

func key(e *Event, address uint64) object { return object{pid: e.PID, address: address} }

// turn notes that the thread turns to a connection.
func (in *inside) turn(t *thread, e *Event) {
	*t = thread{turned: in.connection(e), fresh: true, wake: t.wake}
	in.about(t, e)
}

// connection is the one that an event names.
func (in *inside) connection(e *Event) *connection {
	k := key(e, e.Object)
	if in.conns[k] == nil {
		in.conns[k] = &connection{}
	}
	return in.conns[k]
}

// transfer tells which socket a connection is: the first bytes that go after a thread
// turned to it are its own.
func (in *inside) transfer(t *thread, e *Event) {
	s := in.journal.live[identity{e.PID, e.Socket}]
	if s != nil && !in.turns[e.PID] && e.Kind == Read {
		if t.turned == nil || t.turned.socket != s { // nothing tells: it is where the thread reads
			*t = thread{turned: &connection{socket: s}, wake: t.wake}
		}
		return
	}
	if t.turned == nil || !t.fresh || s == nil {
		return
	}
	t.fresh = false
	c := t.turned
	switch {
	case c.socket == nil:
		c.socket = s
		for _, early := range c.early {
			s.keep(early)
		}
		c.early = nil
	case c.socket != s && !c.clash:
		c.clash = true
		in.journal.clashes++
	}
}

// made is the first thing that a new connection does with its socket: it registers for events. The
// filter chain that the same thread chose just before is its own.
func (in *inside) made(t *thread, e *Event) {
	s := in.journal.live[identity{e.PID, e.Socket}]
	if s == nil || s.accepted == nil {
		return
	}
	if t.chain != nil {
		s.keep(t.chain)
		in.places[t.chain] = place{listener: s}
		t.chain = nil
	}
}

// closed forgets the objects of a socket: their memory is used again.
func (in *inside) closed(e *Event) {
	for k, c := range in.conns {
		if k.pid == e.PID && c.socket != nil && c.socket.closed == e {
			delete(in.conns, k)
		}
	}
}

func (in *inside) value(t *thread, e *Event) {
	switch e.Name {
	case envoy.ProbeFilterChain:
		t.chain = e
	case envoy.ProbeCluster:
		in.about(t, e)
	case envoy.ProbeSNI:
		if t.listener != nil {
			t.listener.keep(e)
			in.places[e] = place{listener: t.listener}
		}
	}
}

// about gives an event to the connection that the thread is at.
func (in *inside) about(t *thread, e *Event) {
	in.places[e] = place{at: t.turned}
	switch {
	case t.turned != nil && t.turned.socket != nil:
		t.turned.socket.keep(e)
	case t.turned != nil:
		t.turned.early = append(t.turned.early, e)
	case t.listener != nil:
		t.listener.keep(e)
		in.places[e] = place{listener: t.listener}
	}
}

// keep adds what a probe on Envoy told about a socket's connection: a value, or what
// Envoy did meanwhile.
func (s *socket) keep(e *Event) {
	if e.Kind == Value {
		s.values = append(s.values, e)
		return
	}
	if n := len(s.statements); n > 0 && s.statements[n-1].again(e) {
		return
	}
	s.statements = append(s.statements, e)
}

// again says whether two events are one statement: where its level is on, some ask the gate a
// second time, from another place of the code.
func (e *Event) again(next *Event) bool {
	return e.Kind == Statement && next.Kind == Statement && e.Where == next.Where && e.Text == next.Text &&
		e.TID == next.TID && e.Object != next.Object
}
