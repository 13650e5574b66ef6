package upstream

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/connection"
	"github.com/flowproof/lab/harness/infer/filters"
	"github.com/flowproof/lab/harness/infer/hcm"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
)

// goInside follows the connection to an internal listener, where the endpoint that was picked is
// one, and says whether it did. The way goes on with the hops of that listener.
func goInside(w *passage.Walk) bool {
	name := chooseInside(w)
	if name == "" {
		return false
	}
	hop := flow.Hop{
		Decision: "internal listener " + name,
		Why:      "the endpoint is an internal address, so the connection goes on in the same proxy",
	}
	w.Add(flow.Connect, w.Pick.Hosts[0].At, hop)
	r, ok := w.Proxy.Dump.Lookup(configdump.Listener, name)
	if !ok || r.State > configdump.Active || !r.Value().Has("internal_listener") {
		noInside(w, name)
		return true
	}
	if w.Inside++; w.Inside > passage.MaxInside {
		w.Open(flow.WhatWay, "internal listeners that lead to each other",
			fmt.Sprintf("only %d connections inside of the proxy are followed", passage.MaxInside), w.Cluster.At.Value)
		w.Out.Outcome, w.Done = flow.Forwarded, true
		return true
	}
	enter(w, w.Proxy.Listener(r))
	return true
}

// noInside is an internal listener that is not there: the connection fails as one that is refused.
func noInside(w *passage.Walk, name string) {
	h := &w.Out.Hops[len(w.Out.Hops)-1]
	h.Decision, h.Why = "connection fails",
		fmt.Sprintf("the dump has no internal listener %q, so the connection to it fails", name)
	w.Fail(flow.NoListener, "UF")
	w.Out.Status = w.StatusOf(503, w.Out.Flag)
}

// chooseInside returns the internal listener that the picked endpoint is; "" for one outside. Of
// endpoints that lead to different ones chance decides.
func chooseInside(w *passage.Walk) string {
	groups := map[string][]proxy.Host{}
	for _, h := range w.Pick.Hosts {
		key := h.InternalOf() + "\n" + string(h.Metadata.Get("filter_metadata").Key(passage.RestoredFrom).Raw())
		groups[key] = append(groups[key], h)
	}
	keys := slices.Sorted(maps.Keys(groups))
	if len(keys) > 1 {
		total := 0.0
		shares := make([]float64, len(keys))
		for i, k := range keys {
			for _, h := range groups[k] {
				shares[i] += float64(h.Weight)
			}
			total += shares[i]
		}
		for i := range shares {
			shares[i] /= max(total, 1)
		}
		if w.Pick.Hosts[0].InternalOf() == "" && !slices.ContainsFunc(w.Pick.Hosts, func(h proxy.Host) bool {
			return h.InternalOf() != ""
		}) {
			return ""
		}
		key := "which endpoint of " + w.Cluster.Name + " is taken"
		w.Pick.Hosts = groups[keys[w.Draw(flow.WhatWay, key, key+": they lead to different listeners of the proxy",
			w.Cluster.At.Value, shares...)]]
	}
	return w.Pick.Hosts[0].InternalOf()
}

// enter takes the connection to an internal listener. What it carries is what the cluster
// would send upstream.
func enter(w *passage.Walk, l *proxy.Listener) {
	state, meta := passed(w)
	next, assumed := sentUpstream(w)
	if w.HCM != nil && !hcm.TerminatesConnect(w) {
		outer := w.Out
		w.Outer = &outer
	}
	w.Req, w.AssumedInner = next, assumed || w.AssumedInner && next.Inner == nil && w.HCM == nil
	w.Conn = passage.Connection{Local: passage.Nowhere, Remote: passage.Nowhere, Direct: passage.Nowhere,
		Transport: "raw_buffer", Internal: true}
	w.Client = netip.Addr{}
	w.State, w.Meta = state, meta
	w.Via, w.Chain, w.HCM, w.TCPProxy, w.Named = nil, nil, nil, configdump.Value{}, ""
	w.RoutedBy = ""
	w.Table, w.VirtualHost, w.Route, w.Cluster, w.Pick = nil, nil, nil, nil, passage.Picked{}
	out := &w.Out
	out.FilterChain, out.FilterChainIndex, out.RouteConfig, out.VirtualHost, out.Route, out.RouteIndex = "",
		proxy.NoChain, "", "", "", -1
	out.Cluster, out.Clusters, out.Endpoints, out.UpstreamTLS, out.UpstreamProtocol = "", nil, nil, nil, ""
	w.Restart = true
	connection.Take(w, l, "the connection inside of the proxy arrives there", nil)
}

// passed is what of filter state and metadata an internal connection begins with: objects shared
// with the upstream, and what passthrough_metadata names. Only the transport socket
// internal_upstream hands them on.
func passed(w *passage.Walk) (state, meta match.Metadata) {
	socket, _, _ := socketFor(w, w.Pick.Hosts[0])
	config, kind := socket.Socket.Get("typed_config").Typed()
	if !strings.HasSuffix(kind, ".InternalUpstreamTransport") {
		return state, meta
	}
	for key, v := range w.State.Namespaces() {
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
		from := w.Pick.Hosts[0].Metadata
		if m.Get("kind").Has("cluster") {
			from = w.Cluster.At.Get("metadata")
		}
		if v := from.Get("filter_metadata").Key(name); v.Exists() {
			meta.Set(name, match.Struct(v))
		}
	}
	return state, meta
}

// sentUpstream is what the cluster's endpoint receives. assumed says that it is the inside of a
// CONNECT that the request does not tell.
func sentUpstream(w *passage.Walk) (next passage.Request, assumed bool) {
	next = w.Req
	tls := w.Out.UpstreamTLS
	encrypted := tls != nil && tls.Mode != flow.Plaintext
	switch {
	case w.HCM != nil && hcm.TerminatesConnect(w):
		next, assumed = innerRequest(w)
		next.Src, next.Direct = w.Req.Src, w.Req.Direct
	case w.HCM != nil:
		next.Protocol = map[string]string{HTTP1: passage.HTTP11, HTTP2: passage.HTTP2,
			HTTP3: passage.HTTP3}[w.Out.UpstreamProtocol]
		next.Protocol = cmp.Or(next.Protocol, passage.HTTP11)
		next.Authority, _ = w.Req.Header.Get(":authority")
		next.Path, _ = w.Req.Header.Get(":path")
		if r := w.Out.Rewrite; r != nil {
			next.Authority = cmp.Or(r.Host, next.Authority)
			next.Path = cmp.Or(r.Path, next.Path)
		}
		next.Header.SetFrom(":authority", next.Authority, ":authority")
		next.Header.SetFrom(":path", next.Path, ":path")
		next.TLS, next.SNI, next.ALPN = flow.Plaintext, "", nil
	default:
		if w.Conn.Terminated {
			next.TLS, next.SNI, next.ALPN = flow.Plaintext, "", nil
		}
		if tunnel := w.TCPProxy.Get("tunneling_config"); tunnel.Exists() {
			next = tunnelled(w, tunnel, next)
		}
	}
	if encrypted {
		next.TLS, next.SNI, next.ALPN = tls.Mode, tls.SNI, tls.ALPN
	}
	return next, assumed
}

// innerRequest is what is inside of a CONNECT: as the request says it, or else a GET for the
// CONNECT's own authority.
func innerRequest(w *passage.Walk) (inner passage.Request, assumed bool) {
	of := flow.Request{Authority: w.Req.Authority}
	if assumed = w.Req.Inner == nil; !assumed {
		of = *w.Req.Inner
	}
	of.Direction, of.Address, of.Port = flow.Gateway, w.Req.Address, w.Req.Port
	inner, err := passage.Normalise(of)
	if err != nil { // it was looked at when the request was read
		inner = w.Req
	}
	return inner, assumed
}

// tunnelled wraps a connection into the CONNECT, or POST, that tunneling_config of
// a TCP proxy sends.
func tunnelled(w *passage.Walk, config configdump.Value, inner passage.Request) passage.Request {
	hostname, known := w.Formatted(config.Get("hostname").Text(), "-")
	if !known {
		w.Open(flow.WhatHeaders, "the tunnel's hostname",
			"tunneling_config makes it of a value that is not known", config)
	}
	of := inner.Request
	outer := flow.Request{Direction: flow.Gateway, Address: of.Address, Port: of.Port, Method: "CONNECT",
		Authority: hostname, Inner: &of, Protocol: passage.HTTP11, Path: config.Get("post_path").Text()}
	if upstreamProtocol(w, w.Cluster) == HTTP2 {
		outer.Protocol = passage.HTTP2
	}
	if config.Get("use_post").Bool() {
		outer.Method = "POST"
	}
	next, err := passage.Normalise(outer)
	if err != nil {
		return inner
	}
	for _, option := range config.Get("headers_to_add").Elements() {
		filters.AddHeader(next.Header, option, w.Formatted, match.Cause{On: "a value that the tunnel adds",
			Why: "tunneling_config adds a value that is not known"})
	}
	return next
}
