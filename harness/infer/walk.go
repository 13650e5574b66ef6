package infer

import (
	"fmt"
	"net/netip"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
)

// A walk is one request on its way through one proxy: what is known so far, and the Decision that grows.
type walk struct {
	e    *Engine
	req  request
	opts Options
	side flow.Side
	out  flow.Decision
	done bool

	conn      connection
	taken     verdict        // of netfilter
	arrived   netip.AddrPort // socket address that netfilter takes the connection to; its address is not valid where it is not known
	arrivedAt *listener      // that is bound there, or nil
	assumed   bool           // where netfilter takes the connection was not said by rules
	client    netip.Addr     // whose request it is, as the connection manager sees it; not valid when unknown
	listener  *listener
	via       *listener // the one that handed the connection over to listener
	chain     *filterChain
	hcm       *httpManager // nil when the chain ends in a TCP proxy
	tcpProxy  configdump.Value
	named     string // cluster that a filter names instead of the TCP proxy
	routedBy  string // what a filter of another protocol routes by, in the place of the TCP proxy; "" for the TCP proxy itself
	table     *routeTable
	vhost     *virtualHost
	route     *routeEntry
	cluster   *cluster
	pick      picked
	trail     []flow.Condition // conditions of the hop that is being decided, with Options.Explain

	outer        *flow.Decision // of the HTTP request that went inside of the proxy
	inside       int            // how many connections inside of the proxy have been taken
	restart      bool           // the way goes on at a listener that has been taken
	assumedInner bool           // the request was inside of a CONNECT and the request does not say it

	undetected *refusal          // by an original_ip_detection extension
	hostBy     string            // a filter that may choose the host
	causes     map[string]string // why the connection manager made of something what it is

	meta  match.Metadata // dynamic metadata
	state match.Metadata // filter state: each key is a namespace with one value, ""

	deciding flow.HopKind // the hop that is being decided
	given    []int        // answers to the questions, in the order in which they are asked; a question beyond them gets its first
	asked    []question
	unasked  bool // there were more questions than may be asked
}

// A connection is what Envoy knows of the downstream connection when it chooses a filter chain.
type connection struct {
	local      netip.AddrPort // destination: as restored by original_dst
	restored   bool           // the destination was restored and differs from the listener's own
	remote     netip.AddrPort // not valid when unknown
	direct     netip.AddrPort // the socket's own peer, which a PROXY protocol header does not change; not valid when unknown
	transport  string         // raw_buffer or tls, as detected
	serverName string         // SNI, as detected
	alpn       []string       // application protocols, as detected by tls_inspector or http_inspector
	terminated bool           // TLS is terminated by the chain
	internal   bool           // it comes from the same proxy: its ends have no address unless original_dst restores them
}

func newWalk(e *Engine, req request, opts Options) *walk {
	w := &walk{e: e, req: req, opts: opts, side: flow.Client}
	switch req.Direction {
	case flow.Inbound:
		w.side = flow.Server
	case flow.Gateway:
		w.side = "" // neither half of a way between two sidecars
	}
	w.conn = connection{local: req.dst, remote: req.src, direct: req.direct, transport: "raw_buffer"}
	w.out = flow.Decision{
		Schema: flow.DecisionSchema, ID: req.ID, Proxy: e.name, FilterChainIndex: noChain, RouteIndex: -1, Hops: make([]flow.Hop, 0, len(hops)+1),
	}
	return w
}

// hops are the decisions on the way through one proxy, in order. httpRequest makes two hops, and TCP has none of them.
var hops = [...]struct {
	kind   flow.HopKind
	decide func(*walk)
}{
	{flow.Redirect, (*walk).redirect}, {flow.Listener, (*walk).findListener}, {flow.ListenerFilters, (*walk).listenerFilters},
	{flow.FilterChain, (*walk).matchChain}, {flow.DownstreamTLS, (*walk).downstreamTLS}, {flow.NetworkFilters, (*walk).networkFilters},
	{flow.HTTPFilters, (*walk).httpRequest}, {flow.Cluster, (*walk).findCluster}, {flow.Endpoint, (*walk).pickEndpoint},
	{flow.UpstreamTLS, (*walk).upstreamTLS}, {flow.Connect, (*walk).connect},
}

// afterListener is the place among hops where the way through a listener begins.
const afterListener = 2

// run takes the request through the proxy, hop by hop, until it is forwarded, answered or has failed.
func (w *walk) run() {
	for i := 0; i < len(hops); i++ {
		w.deciding = hops[i].kind
		if hops[i].decide(w); w.done {
			break
		}
		if w.restart { // at an internal listener, which has been taken
			w.restart, i = false, afterListener-1
		}
	}
	if !w.done {
		w.out.Outcome = flow.Forwarded
	}
	w.surface()
}

// add appends a hop of this proxy. source is where the decision stands.
func (w *walk) add(kind flow.HopKind, source configdump.Value, hop flow.Hop) *flow.Hop {
	hop.Kind, hop.Side, hop.Proxy, hop.Source = kind, w.side, w.e.name, source.Pointer()
	hop.Conditions, w.trail = w.trail, nil
	hop.Inside = w.inside
	w.out.Hops = append(w.out.Hops, hop)
	return &w.out.Hops[len(w.out.Hops)-1]
}

// remedies say for each failure what would have to change for the request to get further.
var remedies = map[flow.Failure]string{
	flow.NoListener:        "a listener would have to be there for the address and port",
	flow.NoFilterChain:     "the client would have to offer what one of the chains needs, or the listener have a default_filter_chain",
	flow.TLSError:          "the client would have to speak TLS, or a chain match clear text",
	flow.MTLSError:         "the client would have to show a certificate, or the chain not require one",
	flow.ProtocolError:     "the client would have to speak what the chain's filters understand",
	flow.NoVirtualHost:     "a virtual host would have to have the domain, or *",
	flow.NoRoute:           "a route would have to match the request",
	flow.NoCluster:         "the cluster that is named would have to exist",
	flow.NoHealthyEndpoint: "the cluster would have to have an endpoint that may be used",
	flow.Denied:            "a policy would have to allow the request",
	flow.Unanswered:        "the filters would have to end in the router",
	flow.BlackHole:         "another filter chain would have to take the connection: this one leads nowhere by intention",
}

// fail ends the way with a failure and the response flag that Envoy logs for it. The last hop then also says what would
// have to change.
func (w *walk) fail(failure flow.Failure, flag string) {
	if n := len(w.out.Hops); n > 0 {
		w.out.Hops[n-1].Why = joinWhy(w.out.Hops[n-1].Why, remedies[failure])
	}
	w.out.Outcome, w.out.Failure, w.out.Flag, w.done = flow.Failed, failure, flag, true
}

// answer ends the way with a response that the proxy makes itself.
func (w *walk) answer(status int, location string) {
	w.out.Outcome, w.out.Status, w.out.Location, w.done = flow.Answered, w.localStatus(status), location, true
}

// check keeps one evaluated condition when the caller wants all of them, and returns whether it holds.
func (w *walk) check(at configdump.Value, holds bool, format string, args ...any) bool {
	if w.opts.Explain {
		w.trail = append(w.trail, flow.Condition{Text: fmt.Sprintf(format, args...), Source: at.Pointer(), Holds: holds})
	}
	return holds
}

// fact is a value that an instrument must see.
func fact(name, value string) flow.Fact { return flow.Fact{Name: name, Value: value} }

// joined is a fact that has to have the same value wherever it is seen.
func joined(name, value, join string) flow.Fact {
	return flow.Fact{Name: name, Value: value, Join: join}
}

// absent is a value that an instrument must not see.
func absent(name, value string) flow.Fact { return flow.Fact{Name: name, Value: value, Absent: true} }

// The connections of a way that several instruments see from both ends, by the Join of their facts.
const (
	joinMesh = "mesh" // client's sidecar to server's sidecar
	joinApp  = "app"  // server's sidecar to the application
)

// connection is the Join of what names the proxy's downstream connection by Envoy's id: whoever does has to mean the same one.
func (w *walk) connection() string {
	if w.side == "" {
		return "downstream connection"
	}
	return string(w.side) + "'s downstream connection"
}
