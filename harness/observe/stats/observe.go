package stats

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/redact"
)

// Selection says whose counters they are.
type Selection struct {
	Pod  string // "pod.namespace"
	Side flow.Side
	Time time.Time // when the counters after the request were read
}

// Ports of a sidecar's listeners that no request of an application comes through: health,
// metrics, and pilot-agent's.
var ownPorts = map[string]bool{"15021": true, "15090": true, "15020": true, "15004": true, "15000": true, "15053": true}

// virtualPorts are those that connections are redirected to; their listeners are named
// virtualOutbound and virtualInbound, but their counters after the address.
var virtualPorts = map[string]bool{"15001": true, "15006": true}

// Observe tells what the counters of one sidecar prove about the only request in between. Where
// more was answered, or a counter went up by more than one request can make it, it abstains:
// counters name no request.
func Observe(before, after Counters, sel Selection) ([]flow.Observation, flow.Watch) {
	o := &observer{before: before, after: after, sel: sel}
	if o.alone() {
		o.listener()
		o.inspectors()
		o.noFilterChain()
		o.filters(o.terminal())
		o.cluster()
		o.nowhere()
	}
	return o.seen, flow.Watch{Instrument: flow.Stats, Pod: sel.Pod, Side: sel.Side, Sees: o.sees, Complete: true,
		Abstains: strings.Join(o.abstained, "; ")}
}

type observer struct {
	before, after Counters
	sel           Selection
	seen          []flow.Observation
	sees          []flow.Capability
	abstained     []string
}

func (o *observer) abstain(why string) { o.abstained = append(o.abstained, why) }

// see adds what a counter proves about a hop.
func (o *observer) see(counter string, kind flow.HopKind, fact, value string) {
	raw := fmt.Sprintf("%s: %d → %d", counter, o.before[counter], o.after[counter])
	o.seen = append(o.seen, flow.Observation{Time: o.sel.Time, Instrument: flow.Stats, Side: o.sel.Side, Kind: kind,
		Where: flow.Where{Pod: o.sel.Pod}, Facts: []flow.Seen{{Name: fact, Value: value}}, Raw: redact.Printable(raw)})
}

func (o *observer) can(kind flow.HopKind, facts ...string) {
	for _, fact := range facts {
		o.sees = append(o.sees, flow.Capability{Kind: kind, Fact: fact})
	}
}

// up returns by how much a counter went up.
func (o *observer) up(name string) uint64 {
	d, ok := delta(o.before, o.after, name)
	if !ok {
		return 0
	}
	return d
}

// has reports whether the sidecar has a counter at all; proxyStatsMatcher hides most of them.
func (o *observer) has(name string) bool {
	_, ok := o.after[name]
	return ok
}

// only returns the one name between prefix and suffix whose counter went up by one, or "" where
// none did. When several went up, or one by more, other traffic was there: ok is false, and
// nothing can be said.
func (o *observer) only(prefix, suffix string, skip func(string) bool) (name string, ok bool) {
	var risen []string
	for counter := range o.after {
		name, fits := strings.CutPrefix(counter, prefix)
		if name, fits = cutSuffix(name, suffix, fits); !fits || skip(name) {
			continue
		}
		if d := o.up(counter); d > 0 {
			risen = append(risen, name)
		}
	}
	slices.Sort(risen)
	switch {
	case len(risen) == 0:
		return "", true
	case len(risen) == 1 && o.up(prefix+risen[0]+suffix) == 1:
		return risen[0], true
	}
	said := make([]string, 0, len(risen))
	for _, name := range risen[:min(len(risen), 4)] {
		said = append(said, fmt.Sprintf("%s%s%s by %d", prefix, name, suffix, o.up(prefix+name+suffix)))
	}
	o.abstain("other traffic was there, so the counters cannot be told apart: " + strings.Join(said, ", ") + " went up")
	return "", false
}

func cutSuffix(name, suffix string, fits bool) (string, bool) {
	if !fits {
		return name, false
	}
	return strings.CutSuffix(name, suffix)
}

// listener finds the listener that took the connection. A client that kept its connection
// makes no listener count.
func (o *observer) listener() {
	const prefix, suffix = "listener.", ".downstream_cx_total"
	own := func(name string) bool {
		_, port, ok := cutLast(name, "_")
		return !ok || ownPorts[port] || strings.Contains(name, ".worker_") || strings.Contains(name, ".main_thread")
	}
	if !o.anyCounter(prefix, suffix, own) {
		return // the counters are hidden
	}
	name, ok := o.only(prefix, suffix, own)
	if !ok {
		return
	}
	o.can(flow.Listener, flow.FactConnections)
	if name == "" {
		return
	}
	counter := prefix + name + suffix
	o.see(counter, flow.Listener, flow.FactConnections, "1")
	if host, port, _ := cutLast(name, "_"); virtualPorts[port] {
		o.can(flow.Listener, flow.FactListening)
		o.see(counter, flow.Listener, flow.FactListening, host+":"+port)
	} else {
		o.can(flow.Listener, flow.FactListener)
		o.see(counter, flow.Listener, flow.FactListener, name)
	}
	handshakes := prefix + name + ".ssl.handshake"
	o.can(flow.DownstreamTLS, flow.FactHandshakes)
	o.see(orElse(o.has(handshakes), handshakes, counter), flow.DownstreamTLS, flow.FactHandshakes,
		strconv.FormatUint(o.up(handshakes), 10))
	if o.up(handshakes) == 1 {
		o.can(flow.DownstreamTLS, flow.FactTransport)
		o.see(handshakes, flow.DownstreamTLS, flow.FactTransport, "tls")
	}
}

// cluster finds the cluster that the request was sent to, how, and what came back.
func (o *observer) cluster() {
	const prefix, suffix = "cluster.", ".upstream_rq_total"
	own := func(name string) bool {
		switch strings.TrimSuffix(name, ";") {
		case "agent", "prometheus_stats", "xds-grpc", "sds-grpc", "zipkin":
			return true
		}
		return false
	}
	if !o.anyCounter(prefix, suffix, own) {
		return
	}
	name, ok := o.only(prefix, suffix, own)
	if !ok {
		return
	}
	o.can(flow.Cluster, flow.FactCluster)
	if name == "" {
		return
	}
	base := prefix + name
	o.see(base+suffix, flow.Cluster, flow.FactCluster, strings.TrimSuffix(name, ";"))
	o.connection(base)
	o.status(base)
}

// connection tells whether the cluster dialled for the request, and whether it shook hands.
func (o *observer) connection(base string) {
	dialled, handshakes := base+".upstream_cx_total", base+".ssl.handshake"
	if !o.has(dialled) {
		return
	}
	n := o.up(dialled)
	if n <= 1 {
		o.can(flow.Connect, flow.FactUpstreamReused)
	}
	switch n {
	case 0:
		o.see(dialled, flow.Connect, flow.FactUpstreamReused, "true")
	case 1:
		o.see(dialled, flow.Connect, flow.FactUpstreamReused, "false")
		o.can(flow.UpstreamTLS, flow.FactTransport, flow.FactHandshakes)
		shaken := o.up(handshakes)
		o.see(orElse(o.has(handshakes), handshakes, dialled), flow.UpstreamTLS, flow.FactHandshakes,
			strconv.FormatUint(shaken, 10))
		transport := "raw_buffer"
		if shaken > 0 {
			transport = "tls"
		}
		if o.up(base+".upstream_cx_connect_fail") == 0 {
			o.see(orElse(o.has(handshakes), handshakes, dialled), flow.UpstreamTLS, flow.FactTransport, transport)
		}
	default:
		o.abstain(fmt.Sprintf("%s went up by %d for one request", dialled, n))
	}
}

// status tells the status that the upstream answered with. A request that was tried
// again has several.
func (o *observer) status(base string) {
	for _, counter := range slices.Sorted(maps.Keys(o.after)) {
		code, ok := strings.CutPrefix(counter, base+".upstream_rq_")
		if !ok || len(code) != 3 || strings.Trim(code, "0123456789") != "" || interim(code) || o.up(counter) != 1 {
			continue
		}
		o.can(flow.App, flow.FactUpstreamStatus)
		o.see(counter, flow.App, flow.FactUpstreamStatus, code)
	}
}

// interim says whether another answer follows one of a status: after each of 1xx but 101, with
// which HTTP ends on the connection. (RFC 9110, 15.2)
func interim(code string) bool { return code[0] == '1' && code != "101" }

// anyCounter reports whether the sidecar shows any counter of a kind.
func (o *observer) anyCounter(prefix, suffix string, skip func(string) bool) bool {
	for counter := range o.after {
		name, fits := strings.CutPrefix(counter, prefix)
		if name, fits = cutSuffix(name, suffix, fits); fits && !skip(name) {
			return true
		}
	}
	return false
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func orElse(ok bool, s, other string) string {
	if ok {
		return s
	}
	return other
}
