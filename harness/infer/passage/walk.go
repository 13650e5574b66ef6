// Package passage is one request on its way through one proxy: what is known of connection and
// request so far, and the decision that grows. The packages connection, hcm and upstream take it
// further, each by one phase.
package passage

import (
	"net/netip"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/certainty"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/proxy"
	"github.com/flowproof/lab/harness/infer/say"
	"github.com/flowproof/lab/harness/netfilter"
)

// IsLoopback is Network::Utility::isLoopbackAddress: 127.0.0.1 and ::1 only, not the
// rest of 127.0.0.0/8.
func IsLoopback(addr netip.Addr) bool {
	return addr == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || addr == netip.IPv6Loopback()
}

// A Picked is what load balancing came to: one host, or the set that it picks from.
type Picked struct {
	Hosts    []proxy.Host
	Choices  []flow.Choice // all that may be picked, where hosts has only the one that the way is followed to
	Original bool          // the original destination
}

// Address returns the address when there is only one.
func (p Picked) Address() string {
	if len(p.Hosts) == 1 {
		return p.Hosts[0].Address
	}
	return ""
}

// Nowhere stands for the addresses of an internal connection in Envoy's filter chain match.
// (FilterChainManagerImpl, fakeAddress)
var Nowhere = netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), 0)

// A Verdict is what happens to a connection in netfilter.
type Verdict struct {
	To          netip.AddrPort // that it is taken to; an address that is not valid is the pod's own
	Dropped     bool
	Target      string // REDIRECT, TPROXY or DNAT; "": not captured
	Why         string
	Source      configdump.Value
	Rejected    []flow.Alternative
	Assumptions []flow.Reason
}

// A Refusal is an answer of the connection manager itself, before any route or filter is asked.
type Refusal struct {
	Status   int
	Code     flow.Reason
	Flag     string
	Details  string
	Location string
	Why      string
	At       configdump.Value
}

// A Walk is one request on its way through one proxy: what is known so far, and the
// Decision that grows.
type Walk struct {
	certainty.Questions

	Proxy *proxy.Proxy
	Req   Request
	Opts  Around
	Side  flow.Side
	Out   flow.Decision
	Done  bool

	Conn  Connection
	Taken Verdict // of netfilter
	// socket address that netfilter takes the connection to; its address is not valid where it is
	// not known
	Arrived   netip.AddrPort
	ArrivedAt *proxy.Listener // that is bound there, or nil
	Assumed   bool            // where netfilter takes the connection was not said by rules
	Client    netip.Addr      // whose request it is, as the connection manager sees it; not valid when unknown
	Listener  *proxy.Listener
	Via       *proxy.Listener // the one that handed the connection over to listener
	Chain     *proxy.FilterChain
	HCM       *proxy.Manager // nil when the chain ends in a TCP proxy
	TCPProxy  configdump.Value
	Named     string // cluster that a filter names instead of the TCP proxy
	// what a filter of another protocol routes by, in the place of the TCP proxy; "" for the TCP
	// proxy itself
	RoutedBy    string
	Table       *proxy.RouteTable
	VirtualHost *proxy.VirtualHost
	Route       *proxy.RouteEntry
	Cluster     *proxy.Cluster
	Pick        Picked

	Outer        *flow.Decision // of the HTTP request that went inside of the proxy
	Inside       int            // how many connections inside of the proxy have been taken
	Restart      bool           // the way goes on at a listener that has been taken
	AssumedInner bool           // the request was inside of a CONNECT and the request does not say it

	Undetected *Refusal          // by an original_ip_detection extension
	HostBy     string            // a filter that may choose the host
	Causes     map[string]string // why the connection manager made of something what it is

	Respond   func(status int) int // what filters make of an answer of the proxy itself; nil: nothing
	Answering *match.Headers       // of the route's own answer, while it is made; nil: there is none yet

	Meta  match.Metadata // dynamic metadata
	State match.Metadata // filter state: each key is a namespace with one value, ""
}

// Around is what is known of a request's surroundings beside the dump and the request.
type Around struct {
	Explain bool               // keep every condition that was evaluated
	Rules   *netfilter.Ruleset // the pod's netfilter rules; nil: from the interception mode in the dump
	Peer    string             // identity (URI) in the client's certificate, where it is known
	Cold    bool               // no connection to the endpoint is pooled
	Warm    bool               // every worker has a connection to the endpoint pooled
	Sender  netfilter.Sender   // who in the pod sends an outbound request
	Before  *match.Headers     // as the proxy before has sent them: what is open there is open here
	Toward  []string           // addresses of the pod that the way goes to, where several endpoints may be picked
	Partial bool               // the request may have had headers beside those that it has
}

// Known opens the headers of a request of which nothing is known.
func (a Around) Known(h *match.Headers) {
	h.Inherit(a.Before)
	if !a.Partial {
		return
	}
	named := map[string][]string{}
	for _, name := range h.Names() {
		named[name] = h.Values(name)
	}
	h.LoosenAll(match.Cause{On: "the request's other headers",
		Why: "the request may have had headers that are not known"}, false)
	for name, values := range named {
		h.Set(name, values[0])
		for _, v := range values[1:] {
			h.Append(name, v)
		}
	}
}

// A Connection is what Envoy knows of the downstream connection when it chooses a filter chain.
type Connection struct {
	Local    netip.AddrPort // destination: as restored by original_dst
	Restored bool           // the destination was restored and differs from the listener's own
	Remote   netip.AddrPort // not valid when unknown
	// the socket's own peer, which a PROXY protocol header does not change; not valid when unknown
	Direct     netip.AddrPort
	Transport  string   // raw_buffer or tls, as detected
	ServerName string   // SNI, as detected
	Alpn       []string // application protocols, as detected by tls_inspector or http_inspector
	Terminated bool     // TLS is terminated by the chain
	Internal   bool     // it comes from the same proxy: its ends have no address unless original_dst restores them
}

// SameHost says whether the client is on the host of the proxy; one that is not
// known counts as another.
func (c *Connection) SameHost() bool {
	return IsLoopback(c.Remote.Addr()) || c.Remote.IsValid() && c.Remote.Addr() == c.Local.Addr()
}

// maxHops is how many hops a way through one proxy has room for: more only where it goes inside.
const maxHops = 12

// New begins a walk of a request through a proxy.
func New(e *proxy.Proxy, req Request, opts Around) *Walk {
	w := &Walk{Proxy: e, Req: req, Opts: opts, Side: flow.Client, Questions: certainty.Questions{Explain: opts.Explain}}
	switch req.Direction {
	case flow.Inbound:
		w.Side = flow.Server
	case flow.Gateway:
		w.Side = "" // neither half of a way between two sidecars
	}
	w.Conn = Connection{Local: req.Dst, Remote: req.Src, Direct: req.Direct, Transport: "raw_buffer"}
	w.Out = flow.Decision{
		Schema: flow.DecisionSchema, ID: req.ID, Proxy: e.Name, FilterChainIndex: proxy.NoChain, RouteIndex: -1,
		Hops: make([]flow.Hop, 0, maxHops),
	}
	return w
}

// Add appends a hop of this proxy. source is where the decision stands.
func (w *Walk) Add(kind flow.HopKind, source configdump.Value, hop flow.Hop) *flow.Hop {
	hop.Kind, hop.Side, hop.Proxy, hop.Source = kind, w.Side, w.Proxy.Name, source.Pointer()
	hop.Conditions, w.Trail = w.Trail, nil
	hop.Inside = w.Inside
	w.Out.Hops = append(w.Out.Hops, hop)
	return &w.Out.Hops[len(w.Out.Hops)-1]
}

// remedies say for each failure what would have to change for the request to get further.
var remedies = map[flow.Failure]string{
	flow.NoListener: "a listener would have to be there for the address and port",
	flow.NoFilterChain: "the client would have to offer what one of the chains needs, or the listener have a " +
		"default_filter_chain",
	flow.TLSError:          "the client would have to speak TLS, or a chain match clear text",
	flow.MTLSError:         "the client would have to show a certificate, or the chain not require one",
	flow.ProtocolError:     "the client would have to speak what the chain's filters understand",
	flow.NoVirtualHost:     "a virtual host would have to have the domain, or *",
	flow.NoRoute:           "a route would have to match the request",
	flow.NoCluster:         "the cluster that is named would have to exist",
	flow.NoHealthyEndpoint: "the cluster would have to have an endpoint that may be used",
	flow.Denied:            "a policy would have to allow the request",
	flow.Unanswered:        "the filters would have to end in the router",
	flow.BlackHole: "another filter chain would have to take the connection: this one leads nowhere by " +
		"intention",
}

// Fail ends the way with a failure and the response flag that Envoy logs for it. The last hop then
// also says what would have to change.
func (w *Walk) Fail(failure flow.Failure, flag string) {
	if n := len(w.Out.Hops); n > 0 {
		w.Out.Hops[n-1].Why = say.Join(w.Out.Hops[n-1].Why, remedies[failure])
	}
	w.Out.Outcome, w.Out.Failure, w.Out.Flag, w.Done = flow.Failed, failure, flag, true
}

// Answer ends the way with a response that the proxy makes itself.
func (w *Walk) Answer(status int, location string) {
	w.Out.Outcome, w.Out.Status, w.Out.Location, w.Done = flow.Answered, w.LocalStatus(status, ""), location, true
}

// Decided is what the walk has decided.
func (w *Walk) Decided() *flow.Decision { return &w.Out }

// MatchedPath is the path that conditions on it are held against: without its query, and without
// the parameters of its segments where the route configuration ignores them.
// (RouteEntryImplBase::sanitizePathBeforePathMatching)
func (w *Walk) MatchedPath(path string) string {
	path = match.PathOnly(path)
	if w.Table == nil || !w.Table.NoParameters || !strings.Contains(path, ";") {
		return path
	}
	if !w.Proxy.Guarded("strip_path_parameters_per_segment") {
		path, _, _ = strings.Cut(path, ";")
		return path
	}
	segments := strings.Split(path, "/")
	for i := range segments {
		segments[i], _, _ = strings.Cut(segments[i], ";")
	}
	return strings.Join(segments, "/")
}
