package envoylog

import (
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// filters tells of every filter that printed a statement about this stream or its connection: the
// file of the statement names it. At trace level the filter manager itself names the HTTP filters
// that it calls, by their names in the configuration.
func (o *observer) filters() {
	end := len(o.journal.steps) - 1
	if last, ok := o.last(); ok {
		end = last.index
	}
	begin := o.headers.index
	if o.phase != nil {
		begin = o.phase.accepted.index
	}
	reported := map[string]bool{}
	for _, s := range o.journal.steps[begin : end+1] {
		fact, name := flow.FilterOfSource(s.Source)
		if fact == "" && s.Stream == o.stream {
			fact, name = flow.FactHTTPFilter, actingFilter(s.Logger)
		}
		if name == "" || fact == flow.FactFilter || reported[fact+name] || !o.mine(s, fact) {
			continue
		}
		reported[fact+name] = true
		o.see(s, flow.KindOfFilter(fact), fact, name)
	}
	o.called()
}

// mine reports whether a statement of a filter is about this stream, or, of a network filter, about
// its connection. A statement without ids is, where the lines with ids before and after it on the
// thread are: a worker serves one connection at a time.
func (o *observer) mine(s step, fact string) bool {
	own := func(s step) bool {
		return s.Stream == o.stream ||
			s.Stream == "" && (s.Connection == o.exchange.downstream || s.Connection == o.upstream && o.upstream != "")
	}
	switch {
	case s.Stream != "":
		return s.Stream == o.stream
	case s.Connection != "":
		return s.Connection == o.exchange.downstream && (fact == flow.FactNetworkFilter || s.index > o.headers.index)
	case o.phase != nil && mentions(s, o.phase.accepted.rest):
		return true
	}
	before, found := o.tagged(s, -1)
	after, also := o.tagged(s, 1)
	return found && also && own(before) && own(after)
}

// mentions reports whether a statement names an address.
func mentions(s step, address string) bool {
	if address == "" {
		return false
	}
	for _, text := range append([]string{s.Message}, s.Block...) {
		if _, rest, ok := strings.Cut(text, address); ok && (rest == "" || rest[0] < '0' || rest[0] > '9') {
			return true
		}
	}
	return false
}

// tagged returns the nearest line of the thread, before or after s, that has an id.
func (o *observer) tagged(s step, direction int) (step, bool) {
	for i := s.index + direction; i >= 0 && i < len(o.journal.steps); i += direction {
		if other := o.journal.steps[i]; other.Thread == s.Thread && (other.Connection != "" || other.Stream != "") {
			return other, true
		}
	}
	return step{}, false
}

// called tells which HTTP filters were given the request's headers, and how many. Those
// after the router's own statement are the router, and the filters of the upstream request,
// which are not of this chain.
func (o *observer) called() {
	const begin = "decode headers called: filter="
	n := 0
	for _, s := range o.own {
		if s.event == RouterHeaders {
			if n > 0 {
				o.see(s, flow.HTTPFilters, flow.FactHTTPFilters, strconv.Itoa(n+1))
			}
			return
		}
		rest, ok := strings.CutPrefix(s.Message, begin)
		if !ok || s.Logger != "http" {
			continue
		}
		n++
		name, _, _ := strings.Cut(rest, " status=")
		o.see(s, flow.HTTPFilters, flow.FactHTTPFilter, name)
	}
}
