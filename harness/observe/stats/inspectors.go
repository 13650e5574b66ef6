package stats

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// Canonical names of the listener filters that count what they find, and what they count of each connection: exactly one of
// these. Source: ALL_TLS_INSPECTOR_STATS and ALL_HTTP_INSPECTOR_STATS in Envoy.
const (
	tlsInspector  = "envoy.filters.listener.tls_inspector"
	httpInspector = "envoy.filters.listener.http_inspector"
)

var found = map[string][]string{
	tlsInspector:  {"tls_inspector.tls_found", "tls_inspector.tls_not_found"},
	httpInspector: {"http_inspector.http10_found", "http_inspector.http11_found", "http_inspector.http2_found", "http_inspector.http_not_found"},
}

// inspectors tell whether a listener filter ran, and whether it found TLS. They count for all listeners together; the
// sidecar's own ports have none. A filter whose counters are shown and did not move did not run.
func (o *observer) inspectors() {
	for _, filter := range []string{tlsInspector, httpInspector} {
		counter, n, shown := o.oneOf(found[filter])
		if !shown {
			continue
		}
		o.sees = append(o.sees, flow.Capability{Kind: flow.ListenerFilters, Fact: flow.FactFilter, Value: filter})
		switch {
		case n > 1:
			o.problems = append(o.problems, fmt.Sprintf("other connections were inspected: %s counted %d", filter, n))
		case n == 1:
			o.see(counter, flow.ListenerFilters, flow.FactFilter, filter)
		}
		if n == 1 && filter == tlsInspector {
			transport := "raw_buffer"
			if strings.HasSuffix(counter, ".tls_found") {
				transport = "tls"
			}
			o.can(flow.ListenerFilters, flow.FactTransport)
			o.see(counter, flow.ListenerFilters, flow.FactTransport, transport)
		}
	}
}

// oneOf adds up counters of which each connection moves one, and names the last that moved.
func (o *observer) oneOf(names []string) (moved string, n uint64, shown bool) {
	for _, name := range names {
		shown = shown || o.has(name)
		if d := o.up(name); d > 0 {
			moved, n = name, n+d
		}
	}
	return moved, n, shown
}

// filterChainNotFound is Envoy's own name for what becomes of a socket that no filter chain matches.
const filterChainNotFound = "filter_chain_not_found"

// noFilterChain tells that a listener closed a connection because no filter chain matched.
func (o *observer) noFilterChain() {
	const prefix, suffix = "listener.", ".no_filter_chain_match"
	if !o.anyCounter(prefix, suffix, nobody) {
		return
	}
	o.sees = append(o.sees, flow.Capability{Kind: flow.FilterChain, Fact: flow.FactDetails, Value: filterChainNotFound})
	if name, ok := o.only(prefix, suffix, nobody); ok {
		o.see(prefix+name+suffix, flow.FilterChain, flow.FactDetails, filterChainNotFound)
	}
}

func nobody(string) bool { return false }

// ownManagers are the connection managers of the sidecar's own ports.
var ownManagers = []string{"admin", "agent", "stats"}

// terminal tells which network filter took the connection: the connection manager that answered one request, or the TCP proxy
// that took one connection, by the prefix of its counters.
func (o *observer) terminal() {
	risen := map[string]uint64{}
	moved := ""
	for counter := range o.after {
		prefix, ok := terminalOf(counter)
		if !ok || slices.Contains(ownManagers, prefix) {
			continue
		}
		if d := o.up(counter); d > 0 {
			risen[prefix] += d
			moved = counter
		}
	}
	prefix, _ := terminalOf(moved)
	switch {
	case len(risen) == 1 && risen[prefix] == 1:
		o.can(flow.NetworkFilters, flow.FactStatPrefix)
		o.see(moved, flow.NetworkFilters, flow.FactStatPrefix, prefix)
	case len(risen) > 0:
		o.problems = append(o.problems, fmt.Sprintf("other traffic was there, so the network filters cannot be told apart: %d of them counted", len(risen)))
	}
}

// terminalOf returns the prefix in http.PREFIX.downstream_rq_2xx, one of which goes up with each answer, and in
// tcp.PREFIX.downstream_cx_total. Istio ends the prefixes that it gives with a semicolon.
func terminalOf(counter string) (prefix string, ok bool) {
	if name, http := strings.CutPrefix(counter, "http."); http {
		name, class, found := cutLast(name, ".downstream_rq_")
		return strings.TrimSuffix(name, ";"), found && slices.Contains([]string{"2xx", "3xx", "4xx", "5xx"}, class)
	}
	if name, tcp := strings.CutPrefix(counter, "tcp."); tcp {
		name, ok = strings.CutSuffix(name, ".downstream_cx_total")
		return strings.TrimSuffix(name, ";"), ok
	}
	return "", false
}

// nowhere tells that a connection was given to a cluster without a host, which is not counted as a request.
func (o *observer) nowhere() {
	const prefix, suffix = "cluster.", ".upstream_cx_none_healthy"
	if !o.anyCounter(prefix, suffix, nobody) {
		return
	}
	o.can(flow.Cluster, flow.FactCluster)
	if name, ok := o.only(prefix, suffix, nobody); ok {
		o.see(prefix+name+suffix, flow.Cluster, flow.FactCluster, strings.TrimSuffix(name, ";"))
	}
}
