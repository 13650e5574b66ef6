package accesslog

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/redact"
)

// Selection says which request to look for, in whose log.
type Selection struct {
	RequestID string // x-request-id that the request was sent with
	Peer      string // ip:port of the client's end: finds the line of a connection that is no HTTP; "": unknown
	Pod       string // "pod.namespace" of the sidecar
	Side      flow.Side
	From      string    // address of the client's pod, where its own sidecar dials; "": another address arrives
	Client    Sent      // what the client's sidecar wrote about the request, for a server's log
	Answered  time.Time // when the answer was there; zero: unknown
	Problem   string    // why the log may not be whole, such as a deadline that passed; "": it is
}

// The ports that connections are redirected to, by which a sidecar that passes one request on twice
// tells its two lines apart.
const (
	outboundPort = 15001
	inboundPort  = 15006
)

// Observe tells what Envoy wrote about the selected request when it was over. The watch is complete
// when there is exactly one line of it; where there are several it abstains. Envoy writes the line
// some time after the answer, so without one the watch is complete only when the log shows a
// request that began after that answer: then Envoy wrote none, as of a connection whose filter
// chain has no access log, and the instrument can see nothing of it.
func Observe(lines []Line, damaged []int, sel Selection) ([]flow.Observation, flow.Watch) {
	w := flow.Watch{Instrument: flow.AccessLog, Pod: sel.Pod, Side: sel.Side}
	f := find(lines, sel)
	found := f.own
	beside := &observer{sel: sel}
	beside.next(f)
	var problems []string
	if len(damaged) > 0 {
		w.Lost = len(damaged)
		problems = append(problems,
			fmt.Sprintf("line %d of the log begins as a line of the access log and cannot be read", damaged[0]))
	}
	switch len(found) {
	case 1:
		o := observer{Line: found[0], sel: sel}
		o.observe()
		beside.arrived(f.arrivals)
		o.seen = append(o.seen, beside.seen...)
		w.Sees = o.sees
		w.Complete, w.Problem = len(problems) == 0, strings.Join(problems, "; ")
		return o.seen, w
	case 0:
		if len(problems) == 0 && (writtenAfter(lines, sel.Answered) || len(f.came) > 0) {
			w.Complete = true
			return beside.seen, w
		}
		problems = append(problems, fmt.Sprintf("no line of the request %s among %d", sel.RequestID, len(lines)))
		if sel.Problem != "" {
			problems = append(problems, sel.Problem)
		}
	default:
		w.Complete, w.Problem = len(problems) == 0, strings.Join(problems, "; ")
		w.Abstains = fmt.Sprintf("%d lines are of the request, so none can be said to be it: lines %d and %d",
			len(found), found[0].Number, found[1].Number)
		return beside.seen, w
	}
	if len(lines) > 0 { // what it would have shown
		o := observer{Line: lines[0], sel: sel}
		o.observe()
		w.Sees = o.sees
	}
	w.Problem = strings.Join(problems, "; ")
	return nil, w
}

// writtenAfter reports whether a line is of a request that began after a time. Envoy appends the
// lines in the order in which requests end, and writes what it has in one piece.
func writtenAfter(lines []Line, at time.Time) bool {
	return !at.IsZero() && slices.ContainsFunc(lines, func(l Line) bool { return l.Time.After(at) })
}

// observer turns one line into observations.
type observer struct {
	Line
	sel  Selection
	seen []flow.Observation
	sees []flow.Capability
}

// observe reads every member that the line has.
func (o *observer) observe() {
	o.redirect()
	o.value(flow.Redirect, flow.FactOriginalDst, downLocal)
	o.value(flow.Listener, flow.FactListener, listenerName)
	o.peer()
	o.value(flow.ListenerFilters, flow.FactSNI, downServerName)
	o.filterChain()
	o.downstreamTLS()
	o.codec()
	o.value(flow.NetworkFilters, flow.FactConnection, connectionID)
	o.value(flow.Route, flow.FactVirtualHost, virtualHostName)
	o.value(flow.Route, flow.FactRoute, routeName)
	o.value(flow.Route, flow.FactDetails, responseDetails)
	o.value(flow.Cluster, flow.FactCluster, upCluster)
	o.value(flow.Endpoint, flow.FactEndpoint, upHost)
	o.upstreamTLS()
	o.value(flow.Connect, flow.FactUpstreamLocal, upLocal)
	o.value(flow.Connect, flow.FactUpstreamRemote, upRemote)
	if code := o.values[responseCode]; code != "0" {
		o.value(flow.App, flow.FactStatus, responseCode)
	}
	o.value(flow.App, flow.FactFlags, responseFlags)
	o.value(flow.App, flow.FactAttempts, attemptCount)
	o.value(flow.App, flow.FactUpstreamError, upTLSFailure)
}

// value observes the value of a member as a fact. Where Envoy has none there is nothing to observe;
// where the log's format has no such member, the fact cannot be seen at all.
func (o *observer) value(kind flow.HopKind, fact, member string) {
	value, known := o.Get(member)
	if !known {
		return
	}
	o.sees = append(o.sees, flow.Capability{Kind: kind, Fact: fact})
	if value != "" {
		o.see(kind, fact, value)
	}
}

func (o *observer) see(kind flow.HopKind, fact, value string) {
	o.seen = append(o.seen, flow.Observation{
		Time: o.Time, Instrument: flow.AccessLog, Where: flow.Where{Pod: o.sel.Pod, Connection: o.values[connectionID]},
		Side: o.sel.Side, Kind: kind, Facts: []flow.Seen{{Name: fact, Value: value}}, Raw: o.raw(),
	})
}

// raw is the line as it may be kept with an observation.
func (o *observer) raw() string {
	const most = 4 << 10
	text := redact.Printable(redact.Text(o.Text))
	if len(text) > most {
		text = text[:most] + "…"
	}
	return text
}

// redirect reads the port that the connection arrived at before its original destination was
// restored. A connection whose destination is the socket's own was not redirected.
func (o *observer) redirect() {
	text, known := o.Get(downDirectLocal)
	restored, also := o.Get(downLocal)
	if !known || !also {
		return
	}
	o.sees = append(o.sees, flow.Capability{Kind: flow.Redirect, Fact: flow.FactRedirectPort})
	if direct, err := netip.ParseAddrPort(text); err == nil && text != restored {
		o.see(flow.Redirect, flow.FactRedirectPort, strconv.Itoa(int(direct.Port())))
	}
}

// peer reads the remote end of the downstream connection. A format may have
// %DOWNSTREAM_REMOTE_ADDRESS% there, which Envoy takes from x-forwarded-for where it trusts that;
// such an address has no port, and is no end of a connection.
func (o *observer) peer() {
	text, known := o.Get(downRemote)
	if end, err := netip.ParseAddrPort(text); !known || err != nil || end.Port() == 0 {
		return
	}
	o.value(flow.Listener, flow.FactPeer, downRemote)
}

// downstreamTLS tells which TLS the proxy terminated, or that it terminated none: a request came
// through the connection, so a handshake would have been over, and Envoy would tell its version.
func (o *observer) downstreamTLS() {
	version, known := o.Get(downTLSVersion)
	if !known {
		return
	}
	if version == "" && !o.request() && o.Text != "" {
		o.value(flow.DownstreamTLS, flow.FactPeerURI, downPeerURI)
		// of a connection that is no HTTP the line tells no more than that Envoy knows of no TLS:
		// it may be passed through
		return
	}
	o.sees = append(o.sees, flow.Capability{Kind: flow.DownstreamTLS, Fact: flow.FactTLSVersion})
	switch {
	case version != "":
		o.see(flow.DownstreamTLS, flow.FactTLSVersion, version)
	case o.request() && o.values[downTLSFailure] == "":
		o.see(flow.DownstreamTLS, flow.FactTLSVersion, flow.NoTLS)
	}
	o.value(flow.DownstreamTLS, flow.FactPeerURI, downPeerURI)
}

// upstreamTLS is the same for the upstream connection, which was established if it
// has a local address.
func (o *observer) upstreamTLS() {
	version, known := o.Get(upTLSVersion)
	_, local := o.Get(upLocal)
	if !known || !local {
		return
	}
	o.sees = append(o.sees, flow.Capability{Kind: flow.UpstreamTLS, Fact: flow.FactTLSVersion},
		flow.Capability{Kind: flow.UpstreamTLS, Fact: flow.FactTransport})
	switch {
	case version != "":
		o.see(flow.UpstreamTLS, flow.FactTLSVersion, version)
		o.see(flow.UpstreamTLS, flow.FactTransport, "tls")
	case o.values[upLocal] != "" && o.values[upTLSFailure] == "":
		o.see(flow.UpstreamTLS, flow.FactTLSVersion, flow.NoTLS)
		o.see(flow.UpstreamTLS, flow.FactTransport, "raw_buffer")
	}
	o.value(flow.UpstreamTLS, flow.FactPeerURI, upPeerURI)
	o.value(flow.UpstreamTLS, flow.FactSNI, upServerName)
}

// request reports whether the line is about an HTTP request, which came through a filter chain to a
// connection manager.
func (o *observer) request() bool { return o.values[protocol] != "" }

// filterChain tells the name of the filter chain, or that it has none: a filter of the chain looked
// at a request, or chose a cluster for the connection.
func (o *observer) filterChain() {
	o.value(flow.FilterChain, flow.FactFilterChain, filterChainName)
	chosen := o.request() || o.values[upCluster] != ""
	if name, known := o.Get(filterChainName); known && name == "" && chosen {
		o.see(flow.FilterChain, flow.FactFilterChain, flow.Unnamed)
	}
}

// codec reads the protocol that the downstream connection spoke.
func (o *observer) codec() {
	text, known := o.Get(protocol)
	if !known {
		return
	}
	o.sees = append(o.sees, flow.Capability{Kind: flow.NetworkFilters, Fact: flow.FactCodec})
	switch {
	case strings.HasPrefix(text, "HTTP/1"):
		o.see(flow.NetworkFilters, flow.FactCodec, "http1")
	case text == "HTTP/2":
		o.see(flow.NetworkFilters, flow.FactCodec, "http2")
	}
}
