package infer

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/filters"
	"github.com/flowproof/lab/harness/infer/match"
)

// This file holds connections inside of the proxy: an endpoint with envoy_internal_address leads to an internal listener of
// the same Envoy, as waypoints and HBONE have it, and the way goes on there. (docs: configuration/other_features/internal_listener)

// maxInside bounds how many internal connections one request may take: a forged dump may let them go round.
const maxInside = 8

// nowhere stands for the addresses of an internal connection in Envoy's filter chain match. (FilterChainManagerImpl, fakeAddress)
var nowhere = netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), 0)

// Filter state and metadata that original_dst restores the ends of an internal connection from.
const (
	stateLocal   = "envoy.filters.listener.original_dst.local_ip"
	stateRemote  = "envoy.filters.listener.original_dst.remote_ip"
	restoredFrom = "envoy.filters.listener.original_dst"
)

// internalOf returns which internal listener a host is, or "".
func (h host) internalOf() string {
	return h.at.Get("endpoint", "address", "envoy_internal_address", "server_listener_name").Text()
}

// goInside follows the connection to an internal listener, where the endpoint that was picked is one, and says whether it did.
// The way goes on with the hops of that listener.
func (w *walk) goInside() bool {
	name := w.chooseInside()
	if name == "" {
		return false
	}
	hop := flow.Hop{Decision: "internal listener " + name, Why: "the endpoint is an internal address, so the connection goes on in the same proxy"}
	w.add(flow.Connect, w.pick.hosts[0].at, hop)
	r, ok := w.e.dump.Lookup(configdump.Listener, name)
	if !ok || r.State > configdump.Active || !r.Value().Has("internal_listener") {
		w.noInside(name)
		return true
	}
	if w.inside++; w.inside > maxInside {
		w.open(flow.WhatWay, "internal listeners that lead to each other", fmt.Sprintf("only %d connections inside of the proxy are followed", maxInside), w.cluster.at.Value)
		w.out.Outcome, w.done = flow.Forwarded, true
		return true
	}
	w.enter(w.e.listener(r))
	return true
}

// noInside is an internal listener that is not there: the connection fails as one that is refused.
func (w *walk) noInside(name string) {
	h := &w.out.Hops[len(w.out.Hops)-1]
	h.Decision, h.Why = "connection fails", fmt.Sprintf("the dump has no internal listener %q, so the connection to it fails", name)
	w.fail(flow.NoListener, "UF")
	w.out.Status = w.statusOf(503)
}

// chooseInside returns the internal listener that the picked endpoint is; "" for one outside. Of endpoints that lead to
// different ones chance decides.
func (w *walk) chooseInside() string {
	groups := map[string][]host{}
	for _, h := range w.pick.hosts {
		key := h.internalOf() + "\n" + string(named(h.metadata.Get("filter_metadata"), restoredFrom).Raw())
		groups[key] = append(groups[key], h)
	}
	keys := slices.Sorted(maps.Keys(groups))
	if len(keys) > 1 {
		total := 0.0
		shares := make([]float64, len(keys))
		for i, k := range keys {
			for _, h := range groups[k] {
				shares[i] += float64(h.weight)
			}
			total += shares[i]
		}
		for i := range shares {
			shares[i] /= max(total, 1)
		}
		if w.pick.hosts[0].internalOf() == "" && !slices.ContainsFunc(w.pick.hosts, func(h host) bool { return h.internalOf() != "" }) {
			return ""
		}
		key := "which endpoint of " + w.cluster.name + " is taken"
		w.pick.hosts = groups[keys[w.draw(flow.WhatWay, key, key+": they lead to different listeners of the proxy", w.cluster.at.Value, shares...)]]
	}
	return w.pick.hosts[0].internalOf()
}

// enter takes the connection to an internal listener. What it carries is what the cluster would send upstream.
func (w *walk) enter(l *listener) {
	state, meta := w.passed()
	next, assumed := w.sentUpstream()
	if w.hcm != nil && !w.terminatesConnect() {
		outer := w.out
		w.outer = &outer
	}
	w.req, w.assumedInner = next, assumed || w.assumedInner && next.Inner == nil && w.hcm == nil
	w.conn = connection{local: nowhere, remote: nowhere, direct: nowhere, transport: "raw_buffer", internal: true}
	w.client = netip.Addr{}
	w.state, w.meta = state, meta
	w.via, w.chain, w.hcm, w.tcpProxy, w.named = nil, nil, nil, configdump.Value{}, ""
	w.routedBy = ""
	w.table, w.vhost, w.route, w.cluster, w.pick = nil, nil, nil, nil, picked{}
	out := &w.out
	out.FilterChain, out.FilterChainIndex, out.RouteConfig, out.VirtualHost, out.Route, out.RouteIndex = "", noChain, "", "", "", -1
	out.Cluster, out.Clusters, out.Endpoints, out.UpstreamTLS, out.UpstreamProtocol = "", nil, nil, nil, ""
	w.restart = true
	w.take(l, "the connection inside of the proxy arrives there", nil)
}

// surface makes the decision that of the HTTP request, where it went inside of the proxy as bytes alone: its own listener, route
// and cluster are what its access log says. Hops tell the rest.
func (w *walk) surface() {
	o := w.outer
	if o == nil || w.hcm != nil {
		return
	}
	o.Outcome, o.Failure, o.Flag, o.Status, o.Location, o.Hops = w.out.Outcome, w.out.Failure, w.out.Flag, w.out.Status, w.out.Location, w.out.Hops
	if o.Outcome == flow.Failed && o.Status == 0 { // the connection ends without a response
		o.Flag, o.Status = "UC", 503
	}
	w.out = *o
}

// passed is what of filter state and metadata an internal connection begins with: objects shared with the upstream, and what
// passthrough_metadata names. Only the transport socket internal_upstream hands them on.
func (w *walk) passed() (state, meta match.Metadata) {
	socket, _, _ := socketFor(ownerOf(w.pick.hosts[0].cluster, w.cluster), w.pick.hosts[0])
	config, kind := socket.socket.Get("typed_config").Typed()
	if !strings.HasSuffix(kind, ".InternalUpstreamTransport") {
		return state, meta
	}
	for key, v := range w.state.Namespaces() {
		switch shared, _ := v[filters.Shared].(string); shared {
		case "TRANSITIVE", "2":
			state.Set(key, v)
		case "ONCE", "1":
			once := maps.Clone(v)
			delete(once, filters.Shared)
			state.Set(key, once)
		}
	}
	for _, m := range config.Get("passthrough_metadata").Elements() {
		name := m.Get("name").Text()
		from := w.pick.hosts[0].metadata
		if m.Get("kind").Has("cluster") {
			from = w.cluster.at.Get("metadata")
		}
		if v := named(from.Get("filter_metadata"), name); v.Exists() {
			meta.Set(name, match.Struct(v))
		}
	}
	return state, meta
}

// sentUpstream is what the cluster's endpoint receives. assumed says that it is the inside of a CONNECT that the request does
// not tell.
func (w *walk) sentUpstream() (next request, assumed bool) {
	next = w.req
	tls := w.out.UpstreamTLS
	encrypted := tls != nil && tls.Mode != flow.Plaintext
	switch {
	case w.hcm != nil && w.terminatesConnect():
		next, assumed = w.innerRequest()
		next.src, next.direct = w.req.src, w.req.direct
	case w.hcm != nil:
		next.Protocol = map[string]string{upstreamHTTP1: http11, upstreamHTTP2: http2, upstreamHTTP3: http3}[w.out.UpstreamProtocol]
		setDefault(&next.Protocol, http11)
		next.Authority, _ = w.req.header.Get(":authority")
		next.Path, _ = w.req.header.Get(":path")
		if r := w.out.Rewrite; r != nil {
			setDefault2(&next.Authority, r.Host)
			setDefault2(&next.Path, r.Path)
		}
		next.setOpen(":authority", next.Authority)
		next.setOpen(":path", next.Path)
		next.TLS, next.SNI, next.ALPN = flow.Plaintext, "", nil
	default:
		if w.conn.terminated {
			next.TLS, next.SNI, next.ALPN = flow.Plaintext, "", nil
		}
		if tunnel := w.tcpProxy.Get("tunneling_config"); tunnel.Exists() {
			next = w.tunnelled(tunnel, next)
		}
	}
	if encrypted {
		next.TLS, next.SNI, next.ALPN = tls.Mode, tls.SNI, tls.ALPN
	}
	return next, assumed
}

// setOpen sets a header and leaves it open where it is.
func (r *request) setOpen(name, value string) {
	cause, open := r.header.Open(name)
	if r.header.Set(name, value); open {
		r.header.Loosen(name, cause)
	}
}

func setDefault2(field *string, value string) {
	if value != "" {
		*field = value
	}
}

// terminatesConnect says whether the request is a CONNECT whose payload alone is sent on: connect_config of the route.
func (w *walk) terminatesConnect() bool {
	if w.req.Method != "CONNECT" || w.route == nil {
		return false
	}
	for _, c := range w.route.action.Get("upgrade_configs").Elements() {
		if strings.EqualFold(c.Get("upgrade_type").Text(), "CONNECT") && c.Has("connect_config") && !isFalse(c.Get("enabled")) {
			return true
		}
	}
	return false
}

// innerRequest is what is inside of a CONNECT: as the request says it, or else a GET for the CONNECT's own authority.
func (w *walk) innerRequest() (inner request, assumed bool) {
	of := flow.Request{Authority: w.req.Authority}
	if assumed = w.req.Inner == nil; !assumed {
		of = *w.req.Inner
	}
	of.Direction, of.Address, of.Port = flow.Gateway, w.req.Address, w.req.Port
	inner, err := normalise(of)
	if err != nil { // it was looked at when the request was read
		inner = w.req
	}
	return inner, assumed
}

// openInner notes that the inside of a CONNECT decides, and is not told.
func (w *walk) openInner(at configdump.Value) {
	w.open(flow.WhatWay, "what is inside of the CONNECT", "the request does not say what the CONNECT carries (its field inner); a GET in clear text is taken for it", at)
}

// tunnelled wraps a connection into the CONNECT, or POST, that tunneling_config of a TCP proxy sends.
func (w *walk) tunnelled(config configdump.Value, inner request) request {
	hostname, known := w.formatted(config.Get("hostname").Text(), "-")
	if !known {
		w.open(flow.WhatHeaders, "the tunnel's hostname", "tunneling_config makes it of a value that is not known", config)
	}
	of := inner.Request
	outer := flow.Request{Direction: flow.Gateway, Address: of.Address, Port: of.Port, Method: "CONNECT", Authority: hostname, Inner: &of,
		Protocol: http11, Path: config.Get("post_path").Text()}
	if w.upstreamProtocol(w.cluster) == upstreamHTTP2 {
		outer.Protocol = http2
	}
	if config.Get("use_post").Bool() {
		outer.Method = "POST"
	}
	next, err := normalise(outer)
	if err != nil {
		return inner
	}
	for _, option := range config.Get("headers_to_add").Elements() {
		filters.AddHeader(next.header, option, w.formatted, match.Cause{On: "a value that the tunnel adds", Why: "tunneling_config adds a value that is not known"})
	}
	return next
}

// restoreInside is original_dst on an internal connection: filter state, and else metadata, say its ends.
func (w *walk) restoreInside() {
	end := func(state, field string) (netip.AddrPort, bool) {
		text, ok := w.stateText(state)
		if !ok {
			text, ok = w.meta.Namespace(restoredFrom)[field].(string)
		}
		to, err := netip.ParseAddrPort(text)
		return to, ok && err == nil
	}
	if to, ok := end(stateLocal, "local"); ok {
		w.conn.local, w.conn.restored = to, true
	}
	if from, ok := end(stateRemote, "remote"); ok {
		w.conn.remote = from
	}
}

// stateText returns filter state that is a text. A value that a filter may have set opens what asks for it.
func (w *walk) stateText(key string) (string, bool) {
	if cause, open := w.state.Open(key); open {
		w.open(flow.WhatWay, cause.On, cause.Why, configdump.Value{})
		return "", false
	}
	text, ok := w.state.Namespace(key)[""].(string)
	return text, ok
}

// metadataText returns the text that envoy.type.metadata.v3.MetadataKey leads to in the request's dynamic metadata.
func (w *walk) metadataText(key configdump.Value) (string, bool) {
	name := key.Get("key").Text()
	if cause, open := w.meta.Open(name); open {
		w.open(flow.WhatHost, cause.On, cause.Why, key)
		return "", false
	}
	var at any = w.meta.Namespace(name)
	for _, segment := range key.Get("path").Elements() {
		of, ok := at.(map[string]any)
		if !ok {
			return "", false
		}
		at = of[segment.Get("key").Text()]
	}
	text, ok := at.(string)
	return text, ok
}

// A waypoint takes what comes to a Service inside of a CONNECT, on the port of HBONE. A user asks for the inner request.
func (w *walk) throughWaypoint() bool {
	entry, ok := w.e.dump.Lookup(configdump.Listener, "connect_terminate")
	if !ok || entry.State > configdump.Active {
		return false
	}
	var at netip.AddrPort
	for _, a := range addressesOf(entry) {
		if addr, ok := socketAddress(a); ok && !at.IsValid() {
			at = addr
		}
	}
	if !at.IsValid() {
		return false
	}
	dialled := at
	if at.Addr().IsUnspecified() && len(w.e.node.IPs) > 0 {
		if ip, err := netip.ParseAddr(w.e.node.IPs[0]); err == nil {
			dialled = netip.AddrPortFrom(ip, at.Port())
		}
	}
	inner := w.req.Request
	inner.Inner = nil
	outer := flow.Request{ID: inner.ID, Direction: flow.Gateway, Source: inner.Source, Address: dialled.Addr().String(), Port: uint32(dialled.Port()),
		Protocol: http2, TLS: flow.MTLS, ALPN: []string{"h2"}, Method: "CONNECT", Authority: w.req.dst.String(), Inner: &inner, Random: inner.Random}
	next, err := normalise(outer)
	if err != nil {
		return false
	}
	w.add(flow.Redirect, entry.Value(), flow.Hop{Decision: fmt.Sprintf("inside of CONNECT %s to %s", w.req.dst, dialled),
		Why: "the proxy has no listener for redirected connections and one that terminates CONNECT: a waypoint, which is sent HBONE"})
	w.req = next
	w.conn = connection{local: next.dst, remote: next.src, direct: next.direct, transport: "raw_buffer"}
	return true
}
