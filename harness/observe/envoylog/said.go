package envoylog

import "slices"

// Said is a line of the log that is about one request, with the part of Envoy that said it.
type Said struct {
	Line
	Event     Event
	Component Component
}

// A Component is a part of Envoy that speaks in the log, by the names of the book's drawing.
type Component string

// The components, in the order in which a request meets them.
const (
	OriginalDst   Component = "original_dst"
	Inspector     Component = "inspector"
	ListenerPart  Component = "listener"
	Manager       Component = "HTTP connection manager"
	Router        Component = "router"
	LoadBalancing Component = "cluster, load balancing"
	Pool          Component = "connection pool"
	Codec         Component = "codec client"
	ConnectionOf  Component = "connection"
	Extension     Component = "extension"
)

// Components are all of them, in their order.
var Components = []Component{
	OriginalDst,
	Inspector,
	ListenerPart,
	Manager,
	Router,
	LoadBalancing,
	Pool,
	Codec,
	ConnectionOf,
	Extension,
}

// ofLogger says which component has a logger of its own.
var ofLogger = map[string]Component{
	"conn_handler": ListenerPart,
	"http":         Manager,
	"router":       Router,
	"upstream":     LoadBalancing,
	"pool":         Pool,
	"client":       Codec,
	"connection":   ConnectionOf,
}

// componentOf is the component that made a statement.
func componentOf(s step) Component {
	switch s.event {
	case OriginalDstAccepted, OriginalDstSet:
		return OriginalDst
	case TLSInspectorAccepted, TLSServerName, TLSProtocols, TLSInspectorNotTLS, HTTPInspectorAccepted, HTTPInspectorSet:
		return Inspector
	}
	if c, ok := ofLogger[s.Logger]; ok {
		return c
	}
	return Extension
}

// About returns the lines about the selected request, in the order of the log: what the
// listener filters said about its connection, what was said of its stream and of both of its
// connections while it ran, and what was said between them of the cluster, the pool and Istio's
// extensions, which carry no id. Where the log does not show the request, or more than one that
// could be it, there are none.
func About(lines []Line, sel Selection) []Said {
	j := newJournal(lines)
	found := j.find(sel).own
	if len(found) != 1 {
		return nil
	}
	x := found[0]
	begin, end := x.headers.index, x.headers.index
	var before []int
	if x.phase != nil {
		for _, s := range append(slices.Clone(x.phase.steps), x.phase.accepted) {
			if s.Line != nil {
				before = append(before, s.index)
			}
		}
	}
	if last, ok := x.last(); ok {
		end = last.index
	}
	for _, s := range x.own {
		begin, end = min(begin, s.index), max(end, s.index)
	}
	for _, s := range j.steps[end:] { // the pool lets go of its stream after the response was written
		if x.upstream != "" && s.Connection == x.upstream &&
			(s.event == PoolResponseComplete || s.event == DestroyingStream) {
			end = s.index
		}
		if s.event == RequestHeaders && s.Stream != x.stream {
			break
		}
	}
	for _, s := range j.steps {
		if s.event == NewStream && s.Connection == x.downstream && s.index < begin &&
			!slices.Contains(before, s.index) {
			before = append(before, s.index)
		}
	}
	var all []Said
	for _, s := range j.steps {
		if slices.Contains(before, s.index) || s.index >= begin && s.index <= end && x.about(s) {
			all = append(all, Said{Line: *s.Line, Event: s.event, Component: componentOf(s)})
		}
	}
	return all
}

// about reports whether a line between the first and the last of an exchange is about it.
func (x *exchange) about(s step) bool {
	switch {
	case s.Kind != Statement:
		return false
	case s.Stream != "":
		return s.Stream == x.stream
	case s.Connection != "":
		return s.Connection == x.downstream || s.Connection == x.upstream
	case s.event == MembershipUpdate || s.event == LocalLB || s.event == AddHost:
		return true // every thread has its own copy of the cluster
	}
	known := s.event != 0 && !inPhase(s.event)
	return known && (x.thread == "" || s.Thread == x.thread)
}
