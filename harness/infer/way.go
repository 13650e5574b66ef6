package infer

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
	"github.com/flowproof/lab/harness/infer/say"
	"github.com/flowproof/lab/harness/infer/upstream"
	"github.com/flowproof/lab/harness/netfilter"
)

// WayOptions are what is known of a call beside the two dumps. The zero value is right where
// nothing more is known.
type WayOptions struct {
	// address that the URL's host resolves to; "": from the client's dump
	Resolved string `json:"resolved,omitempty"`
	// the client's address, ip or ip:port; "": the client's pod IP
	Source string `json:"source,omitempty"`
	// what `iptables-save -c` or `nft -j list ruleset` prints in the client's pod;
	// "": from the interception mode
	ClientRules string           `json:"-"`
	ServerRules string           `json:"-"`               // the same of the server's pod
	Sender      netfilter.Sender `json:"sender,omitzero"` // who sends in the client's pod
	// what the client itself speaks; "": tls for https, else plaintext
	TLS      string  `json:"tls,omitempty"`
	Protocol string  `json:"protocol,omitempty"` // http, http2, grpc, tcp, http1.0; "": http
	Random   *uint64 `json:"random,omitempty"`
	// what stands behind the port of a node that the URL names; nil: it names a pod or a Service
	NodePort *NodePort `json:"nodePort,omitempty"`
	Cold     bool      `json:"cold,omitempty"` // no connection is pooled between the two sidecars or to the app
	// every worker has a connection pooled, to the other sidecar and to the app
	Warm bool `json:"warm,omitempty"`
	// why no sidecar takes the call where the client's sends it;
	// "": one may, whose dump is not given
	Beyond  string `json:"beyond,omitempty"`
	Explain bool   `json:"explain,omitempty"` // keep every condition
}

// Errors that are in the chain of what this package returns.
var (
	// ErrWay is in the chain of an error about a call that makes no sense with the dumps: another
	// pod's, or one too few.
	ErrWay = errors.New("infer way")
	// ErrRequest is in the chain of an error about a request that makes no sense by itself.
	ErrRequest = passage.ErrRequest
)

// way is Way, without the names of places.
func way(client, server *configdump.Dump, call flow.Call, opts WayOptions) (flow.Path, error) {
	path := flow.Path{Schema: flow.PathSchema, Call: call, Hops: []flow.Hop{}}
	target, err := parseTarget(call)
	if err != nil {
		return path, err
	}
	if client == nil && server == nil {
		return path, fmt.Errorf("%w: neither the client's nor the server's dump is given", ErrWay)
	}
	next := arrival{opts: opts, call: call, target: target}
	if client != nil {
		done, err := next.throughClient(New(client), server, &path)
		if server == nil && path.Outcome == flow.Forwarded {
			path.Beyond = opts.Beyond
		}
		if err != nil || done {
			return path, err
		}
	} else if err := next.straightTo(server.Node(), &path); err != nil {
		return path, err
	}
	if server == nil {
		path.Outcome = flow.Forwarded
		return path, nil
	}
	return path, next.throughServer(New(server), &path)
}

// An arrival is a request between two proxies: what the next one receives.
type arrival struct {
	opts    WayOptions
	call    flow.Call
	target  target
	request flow.Request
	peer    string        // identity in the client's certificate
	left    *passage.Walk // the request as it left the client's proxy; nil where there is none
}

// throughClient takes the call through the client's sidecar. done means that the way ended there.
func (a *arrival) throughClient(e *Engine, server *configdump.Dump, path *flow.Path) (done bool, err error) {
	decision, left, others, sent, err := a.clientDecision(e, server, path)
	if err != nil {
		return false, err
	}
	before := slices.Clone(path.Hops)
	path.Hops = append(path.Hops, decision.Hops...)
	concluded(path, decision)
	for _, other := range others {
		path.Variants = append(path.Variants, a.variant(e, other, sent, server, before))
	}
	if decision.Outcome != flow.Forwarded || server == nil {
		return true, nil
	}
	if decision.Cluster == "" && len(decision.Clusters) > 1 && promote(path) {
		return true, nil
	}
	if a.opts.NodePort != nil && a.dials(decision) {
		parted(path)
		return false, a.throughNode(server.Node(), path)
	}
	return false, a.leave(e, left, decision, sent, server)
}

// parted says of a way that a node takes on that the connection which arrives is another than the
// one that was dialled.
func parted(path *flow.Path) {
	for i := range path.Hops {
		for k := range path.Hops[i].Expect {
			if f := &path.Hops[i].Expect[k]; f.Join == passage.JoinMesh {
				f.Join = ""
			}
		}
	}
}

// dials reports whether the proxy sends the call on to the very address that the client dialled, as
// it does with what no listener of its own takes.
func (a *arrival) dials(d flow.Decision) bool {
	return len(d.Endpoints) == 1 && d.Endpoints[0].Address == net.JoinHostPort(a.target.host, portText(a.target.port))
}

// promote takes, where chance decides between clusters, the first of the ways that comes to the
// server's pod for the path.
func promote(path *flow.Path) bool {
	for i, v := range path.Variants {
		if n := len(v.Hops); n > 0 && v.Hops[n-1].Kind == flow.App {
			path.Outcome, path.Failure, path.Flag, path.Hops = v.Outcome, v.Failure, v.Flag, v.Hops
			path.Variants = slices.Delete(path.Variants, i, i+1)
			return true
		}
	}
	return false
}

// leave is a request that leaves the client's proxy for the server's.
func (a *arrival) leave(
	e *Engine, left *passage.Walk, decision flow.Decision, sent flow.Request, server *configdump.Dump,
) error {
	a.peer, a.left = identity(e), left
	if left.HCM != nil {
		sent.Headers, sent.Unknown = sentHeaders(left), nil // what is open there, is open here too
	}
	return a.handOn(decision, sent, server.Node())
}

// variant is the way of a call that takes another way through the client's proxy. Where that does
// not lead to the server's pod, the way is known up to there.
func (a *arrival) variant(
	e *Engine, left *passage.Walk, sent flow.Request, server *configdump.Dump, before []flow.Hop,
) flow.Variant {
	path := flow.Path{Hops: append(slices.Clone(before), left.Out.Hops...)}
	path.Outcome, path.Failure, path.Flag = left.Out.Outcome, left.Out.Failure, left.Out.Flag
	next, goesOn := *a, left.Out.Outcome == flow.Forwarded && server != nil
	if goesOn && next.leave(e, left, left.Out, sent, server) == nil {
		_ = next.throughServer(New(server), &path) // where it cannot be followed, the way is known up to there
	}
	return flow.Variant{Outcome: path.Outcome, Failure: path.Failure, Flag: path.Flag, Hops: path.Hops}
}

// clientDecision resolves the call's host, which becomes a hop, and decides the request at
// the client's proxy.
func (a *arrival) clientDecision(
	e *Engine, server *configdump.Dump, path *flow.Path,
) (flow.Decision, *passage.Walk, []*passage.Walk, flow.Request, error) {
	resolved, hop, err := e.resolve(a.target, a.opts.Resolved)
	if err != nil {
		return flow.Decision{}, nil, nil, flow.Request{}, err
	}
	rules, err := netfilter.Parse(a.opts.ClientRules)
	if err != nil {
		return flow.Decision{}, nil, nil, flow.Request{}, fmt.Errorf("client: %w", err)
	}
	if rules.CapturesDNS() {
		hop.Why += "; the pod's netfilter rules send its DNS queries to the sidecar, which answers them itself"
	}
	path.Hops = append(path.Hops, hop)
	source := a.opts.Source
	if source == "" && len(e.proxy.Node.IPs) > 0 {
		source = e.proxy.Node.IPs[0]
	}
	req := a.firstRequest(resolved, source)
	opts := passage.Around{Explain: a.opts.Explain, Rules: rules, Cold: a.opts.Cold, Warm: a.opts.Warm,
		Sender: a.opts.Sender}
	if server != nil {
		opts.Toward = server.Node().IPs
	}
	decision, left, others, err := e.decideWalk(req, opts)
	return decision, left, others, req, err
}

// firstRequest is the call as the client's own proxy receives it.
func (a *arrival) firstRequest(resolved netip.Addr, source string) flow.Request {
	req := flow.Request{
		Direction: flow.Outbound, Source: source, Address: resolved.String(), Port: a.target.port,
		Protocol: a.opts.Protocol, TLS: a.opts.TLS, Scheme: a.target.scheme, Authority: a.target.authority,
		Method: a.call.Method, Path: a.target.path, Headers: headersOf(a.call), Unknown: a.call.Unknown,
		Random: a.opts.Random,
	}
	if req.TLS == "" && a.target.scheme == "https" {
		req.TLS, req.SNI, req.ALPN = flow.TLS, a.target.host, []string{"h2", "http/1.1"}
	}
	return req
}

// headersOf are all headers that a call is sent with, as far as they are known.
func headersOf(call flow.Call) flow.Headers {
	all := flow.Headers{}
	maps.Copy(all, call.Own)
	if call.RequestID != "" {
		all["x-request-id"] = []string{call.RequestID}
	}
	maps.Copy(all, call.Headers)
	return all
}

// sentHeaders are the headers of a request that leaves a proxy, as the next one receives them. An
// x-request-id that the proxy makes is not known.
func sentHeaders(w *passage.Walk) flow.Headers {
	sent := flow.Headers{}
	for name := range w.Req.Header.All() {
		values := upstream.SentValues(w, name)
		if !strings.HasPrefix(name, ":") &&
			!(name == "x-request-id" && slices.Contains(values, passage.PlaceholderID)) {
			sent[name] = values
		}
	}
	return sent
}

// handOn turns the end of the client's way into what the server's proxy receives.
func (a *arrival) handOn(d flow.Decision, sent flow.Request, server configdump.Node) error {
	endpoint, err := chosenEndpoint(d, server)
	if err != nil {
		return err
	}
	a.request = sent
	a.request.Direction = flow.Inbound
	a.request.Address, a.request.Port = endpoint.Addr().String(), uint32(endpoint.Port())
	if ip, err := netip.ParseAddrPort(sent.Source); err == nil {
		a.request.Source = ip.Addr().String() // the port is the proxy's own, which is not known yet
	}
	passed := sent.TLS != "" && sent.TLS != flow.Plaintext && d.RouteConfig == "" // the client's own TLS, unopened
	if tls := d.UpstreamTLS; tls != nil && (tls.Mode != flow.Plaintext || !passed) {
		a.request.TLS, a.request.SNI, a.request.ALPN = tls.Mode, tls.SNI, tls.ALPN
	}
	a.rewritten(d)
	return nil
}

// rewritten applies what the client's proxy did to the request: rewrites, and the protocol
// it speaks upstream.
func (a *arrival) rewritten(d flow.Decision) {
	if d.Rewrite != nil {
		a.request.Path = cmp.Or(d.Rewrite.Path, a.request.Path)
		a.request.Authority = cmp.Or(d.Rewrite.Host, a.request.Authority)
	}
	if d.RouteConfig == "" {
		return
	}
	if d.UpstreamProtocol == upstream.HTTP2 && a.request.Protocol != passage.GRPC {
		a.request.Protocol = passage.HTTP2
	} else if d.UpstreamProtocol == upstream.HTTP1 {
		a.request.Protocol = passage.HTTP11
	}
}

// concluded adds what one proxy decides to the end of the path. The way is as sure as
// its least sure proxy.
func concluded(path *flow.Path, d flow.Decision) {
	path.Outcome, path.Failure, path.Flag = d.Outcome, d.Failure, d.Flag
	path.Depends = append(path.Depends, d.Depends...)
	path.Others = path.Others || d.Others
	if len(path.Possible) == 0 {
		path.Possible = d.Possible
	}
	if path.Certainty == "" || path.Certainty == flow.Certain || d.Certainty == flow.Depends {
		path.Certainty = d.Certainty
	}
}

// chosenEndpoint returns the endpoint of the decision that is the server's pod.
func chosenEndpoint(d flow.Decision, server configdump.Node) (netip.AddrPort, error) {
	var seen []string
	for _, h := range d.Endpoints {
		addr, err := netip.ParseAddrPort(h.Address)
		if err != nil || !h.Healthy {
			continue
		}
		if proxy.OwnAddress(server, addr.Addr().String()) {
			return addr, nil
		}
		seen = append(seen, h.Address)
	}
	return netip.AddrPort{}, fmt.Errorf("%w: cluster %s of the client sends to %s, and the server's dump is of "+
		"%s at %s (give the dump of the pod that is called)",
		ErrWay, d.Cluster, say.OrNone(say.List(seen)), server.Proxy(), say.List(server.IPs))
}

// straightTo is a call from a client without a sidecar: clear text, to the server's pod itself, or
// to a port of a node.
func (a *arrival) straightTo(server configdump.Node, path *flow.Path) error {
	if a.opts.NodePort != nil {
		return a.throughNode(server, path)
	}
	if len(server.IPs) == 0 {
		return fmt.Errorf("%w: the server's dump does not say its pod's address", ErrWay)
	}
	addr, err := netip.ParseAddr(cmp.Or(a.opts.Resolved, server.IPs[0]))
	if err != nil {
		return fmt.Errorf("%w: resolved address %q is not an IP address", ErrWay, a.opts.Resolved)
	}
	if !slices.Contains(server.IPs, addr.String()) {
		if addr, err = netip.ParseAddr(server.IPs[0]); err != nil {
			return fmt.Errorf("%w: address %q in the server's dump is not an IP address", ErrWay, server.IPs[0])
		}
	}
	a.request = a.firstRequest(addr, a.opts.Source)
	a.request.Direction = flow.Inbound
	return nil
}

// throughServer takes the request through the server's sidecar to the app.
func (a *arrival) throughServer(e *Engine, path *flow.Path) error {
	rules, err := netfilter.Parse(a.opts.ServerRules)
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	opts := passage.Around{Explain: a.opts.Explain, Rules: rules, Cold: a.opts.Cold, Warm: a.opts.Warm, Peer: a.peer}
	if a.left != nil && a.left.HCM != nil {
		opts.Before = a.left.Req.Header
	}
	decision, _, others, err := e.decideWalk(a.request, opts)
	if err != nil {
		return err
	}
	before := slices.Clone(path.Hops)
	for _, other := range others {
		path.Variants = append(path.Variants, flow.Variant{Outcome: other.Out.Outcome, Failure: other.Out.Failure,
			Flag: other.Out.Flag, Hops: append(slices.Clone(before), atServer(e, other.Out)...)})
	}
	path.Hops = append(path.Hops, atServer(e, decision)...)
	concluded(path, decision)
	return nil
}

// portText is a port in an address.
func portText(port uint32) string { return strconv.FormatUint(uint64(port), 10) }
