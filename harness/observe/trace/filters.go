package trace

import (
	"slices"
	"strconv"

	"github.com/flowproof/lab/harness/flow"
)

// filters tells of every filter whose statement was reached while Envoy served the request on its
// downstream connection: the file of the statement names it. How many HTTP filters were given the
// request's headers, the filter manager's own statement tells, once for each.
func (o *observer) filters(side flow.Side, down *socket) {
	stream := o.stream(side, down)
	seen := map[string]bool{}
	for _, e := range down.statements {
		fact, name := flow.FilterOfSource(e.Source)
		if name == "" || seen[fact+name] || fact == flow.FactHTTPFilter && !slices.Contains(stream, e) ||
			!o.chain.during(e) {
			continue
		}
		seen[fact+name] = true
		o.see(side, e, flow.KindOfFilter(fact), fact, name)
	}
	if at, n := called(stream, o.sentOn(side)); n > 0 {
		o.see(side, at, flow.HTTPFilters, flow.FactHTTPFilters, strconv.Itoa(n))
	}
}

// stream is the part of a downstream connection's statements that is about the request: from where
// its headers are complete to where those of the connection's next request are. The client's
// sidecar reads the request before, the server's writes it after.
func (o *observer) stream(side flow.Side, down *socket) []*Event {
	request := o.chain.clientRequest
	if side == flow.Server {
		request = o.chain.serverRequest
	}
	if request == nil || !slices.Contains(o.recording.inside(down.pod).Statements, headersComplete) {
		return nil
	}
	begin := -1
	for i, e := range down.statements {
		switch {
		case e.Text != headersComplete:
		case side == flow.Server && !e.Time.After(request.Time),
			side != flow.Server && begin < 0 && !e.Time.Before(request.Time):
			begin = i
		case begin >= 0:
			return down.statements[begin:i]
		}
	}
	if begin < 0 {
		return nil
	}
	return down.statements[begin:]
}

// called counts the HTTP filters that were given the headers. The router says so before it is done,
// and what is called after that are the filters of the upstream request, which are not of this
// chain. Where the request was sent on and the router's own statement is not among them, some were
// not told apart, as after a filter that waited for a timer: then nothing is counted.
func called(stream []*Event, sentOn bool) (at *Event, n int) {
	for _, e := range stream {
		switch e.Text {
		case headersCalled:
			at, n = e, n+1
		case headersRouted:
			if n == 0 {
				return nil, 0 // a single filter, or a build whose statement could not be decoded
			}
			return e, n + 1
		}
	}
	if sentOn {
		return nil, 0
	}
	return at, n
}

// sentOn says whether the sidecar of a side sent the request on.
func (o *observer) sentOn(side flow.Side) bool {
	if side == flow.Server {
		return o.chain.serverUp != nil
	}
	return o.chain.upstream != nil
}
