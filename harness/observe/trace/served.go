package trace

import "net/netip"

// A Served is a connection that a sidecar accepted while it was watched, with what the probes
// on Envoy told of it.
type Served struct {
	Values     []*Event // values that were read
	Statements []*Event // what Envoy did while it served the connection: Statement, Dispatch and the like
	Requests   []*Event // PoolReady: its requests that were given a connection which was seen, in their order
}

// Served are all connections that sidecars accepted, by the client's end. Where several objects of
// Envoy's could be one connection, or several connections one object, clashes counts it, and
// nothing of the whole may be counted on.
func (r *Recording) Served() (served map[netip.AddrPort]Served, clashes int) {
	j := newJournal(r.Events)
	served = map[netip.AddrPort]Served{}
	for _, s := range j.sockets {
		if s.accepted == nil || !s.proxy() {
			continue
		}
		of := Served{Values: s.values, Statements: s.statements}
		for _, join := range j.joins {
			if join.down == s {
				of.Requests = append(of.Requests, join.at)
			}
		}
		served[s.remote] = of
	}
	return served, j.clashes
}

// Descriptors returns a function that says of an event which descriptors Envoy's objects are that
// it is about, as Event.Tell takes them.
func (r *Recording) Descriptors() func(*Event) (at, to int32) {
	j := newJournal(r.Events)
	return func(e *Event) (at, to int32) { return j.places[e].fds() }
}
