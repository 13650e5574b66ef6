package stats

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// Canonical names of the listener filters that count what they find, and what they count of
// each connection: exactly one of these. Source: ALL_TLS_INSPECTOR_STATS and
// ALL_HTTP_INSPECTOR_STATS in Envoy.
const (
	tlsInspector  = "envoy.filters.listener.tls_inspector"
	httpInspector = "envoy.filters.listener.http_inspector"
)

var found = map[string][]string{
	tlsInspector: {"tls_inspector.tls_found", "tls_inspector.tls_not_found"},
	httpInspector: {"http_inspector.http10_found", "http_inspector.http11_found", "http_inspector.http2_found",
		"http_inspector.http_not_found"},
}

// inspectors tell whether a listener filter ran, and whether it found TLS. They count for all
// listeners together; the sidecar's own ports have none. A filter whose counters are shown and did
// not move did not run.
func (o *observer) inspectors() {
	for _, filter := range []string{tlsInspector, httpInspector} {
		counter, n, shown := o.oneOf(found[filter])
		if !shown {
			continue
		}
		if n > 1 {
			o.abstain(fmt.Sprintf("other connections were inspected: %s counted %d", filter, n))
			continue
		}
		o.sees = append(o.sees, flow.Capability{Kind: flow.ListenerFilters, Fact: flow.FactFilter, Value: filter})
		if n == 1 {
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

// filterChainNotFound is Envoy's own name for what becomes of a socket that no
// filter chain matches.
const filterChainNotFound = "filter_chain_not_found"

// noFilterChain tells that a listener closed a connection because no filter chain matched.
func (o *observer) noFilterChain() {
	const prefix, suffix = "listener.", ".no_filter_chain_match"
	if !o.anyCounter(prefix, suffix, none) {
		return
	}
	name, ok := o.only(prefix, suffix, none)
	if !ok {
		return
	}
	o.sees = append(o.sees, flow.Capability{Kind: flow.FilterChain, Fact: flow.FactDetails, Value: filterChainNotFound})
	if name != "" {
		o.see(prefix+name+suffix, flow.FilterChain, flow.FactDetails, filterChainNotFound)
	}
}

func none(string) bool { return false }

// ownManagers are the connection managers of the sidecar's own ports.
var ownManagers = []string{"admin", "agent", "stats"}

// answered adds up what the network filters that end a chain counted, by their prefix: a connection
// manager's answers and a TCP proxy's connections.
func (o *observer) answered() (risen map[string]uint64, total uint64, moved string) {
	risen = map[string]uint64{}
	for _, counter := range slices.Sorted(maps.Keys(o.after)) {
		prefix, ok := terminalOf(counter)
		if !ok || slices.Contains(ownManagers, prefix) {
			continue
		}
		if d := o.up(counter); d > 0 {
			risen[prefix] += d
			total += d
			moved = counter
		}
	}
	return risen, total, moved
}

// alone reports whether not more than one request or connection was answered, so that what went up
// can be the request's.
func (o *observer) alone() bool {
	risen, total, _ := o.answered()
	if total <= 1 {
		return true
	}
	said := make([]string, 0, len(risen))
	for _, prefix := range slices.Sorted(maps.Keys(risen)) {
		said = append(said, fmt.Sprintf("%s by %d", prefix, risen[prefix]))
	}
	o.abstain("other traffic was there, so the counters cannot be told apart: the answers of " +
		strings.Join(said[:min(len(said), 4)], ", ") + " went up")
	return false
}

// terminal tells which network filter took the connection: the connection manager that answered one
// request, or the TCP proxy that took one connection, by the prefix of its counters.
func (o *observer) terminal() (prefix string) {
	_, total, moved := o.answered()
	if total == 0 {
		return ""
	}
	prefix, _ = terminalOf(moved)
	o.can(flow.NetworkFilters, flow.FactStatPrefix)
	o.see(moved, flow.NetworkFilters, flow.FactStatPrefix, prefix)
	return prefix
}

// terminalOf returns the prefix in http.PREFIX.downstream_rq_2xx, one of which goes up
// with each answer, and in tcp.PREFIX.downstream_cx_total. Istio ends the prefixes that
// it gives with a semicolon.
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

// nowhere tells that a connection was given to a cluster without a host, which is not
// counted as a request.
func (o *observer) nowhere() {
	const prefix, suffix = "cluster.", ".upstream_cx_none_healthy"
	if !o.anyCounter(prefix, suffix, none) {
		return
	}
	name, ok := o.only(prefix, suffix, none)
	if !ok {
		return
	}
	o.can(flow.Cluster, flow.FactCluster)
	if name != "" {
		o.see(prefix+name+suffix, flow.Cluster, flow.FactCluster, strings.TrimSuffix(name, ";"))
	}
}
