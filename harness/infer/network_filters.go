package infer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/filters"
	"github.com/flowproof/lab/harness/infer/match"
)

// Types and canonical names of the network filters that decide something.
const (
	managerName = "envoy.filters.network.http_connection_manager"
	managerType = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
	tcpName     = "envoy.filters.network.tcp_proxy"
	tcpType     = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
	netRBACType = "envoy.extensions.filters.network.rbac.v3.RBAC"
	echoType    = "envoy.extensions.filters.network.echo.v3.Echo"
	directType  = "envoy.extensions.filters.network.direct_response.v3.Config"
	sniName     = "envoy.filters.network.sni_cluster"
	sniType     = "envoy.extensions.filters.network.sni_cluster.v3.SniCluster"
)

// A networkFilter is one filter of a chain with its configuration.
type networkFilter struct {
	name, kind string
	config     configdump.Value
}

// network returns the chain's network filters, decoding them for the first connection that comes to it.
func (c *filterChain) network() []networkFilter {
	c.decode.Do(func() {
		c.list = c.at.Get("filters")
		for _, v := range c.list.Elements() {
			f := networkFilter{name: v.Get("name").Text()}
			f.config, f.kind = typedConfig(v)
			c.filters = append(c.filters, f)
			if f.kind == managerType && c.hcm == nil {
				c.hcm = newManager(f.config)
			}
		}
	})
	return c.filters
}

// tcpProxyOf returns the configuration of a chain's TCP proxy, or a Value that does not exist.
func tcpProxyOf(c *filterChain) configdump.Value {
	for _, f := range c.network() {
		if f.kind == tcpType {
			return f.config
		}
	}
	return configdump.Value{}
}

// typedConfig returns the configuration of a filter and its type. Filters of Envoy before 1.19 could be configured by
// name alone, with "config" or with nothing at all.
func typedConfig(f configdump.Value) (message configdump.Value, kind string) {
	message, kind = f.Get("typed_config").Typed()
	if kind == "" {
		switch f.Get("name").Text() {
		case managerName:
			kind = managerType
		case tcpName:
			kind = tcpType
		}
	}
	return message, kind
}

// A networkRun walks over the network filters of a chain.
type networkRun struct {
	w     *walk
	names []string
	notes []string
	hop   flow.Hop
}

// networkFilters walks over the chain's network filters up to the one that ends it.
func (w *walk) networkFilters() {
	run := &networkRun{w: w}
	for _, f := range w.chain.network() {
		run.names = append(run.names, f.name)
		run.hop.Expect = append(run.hop.Expect, filterFacts(flow.FactNetworkFilter, f.name, f.kind)...)
		if run.filter(f); w.done || w.hcm != nil || w.tcpProxy.Exists() {
			break
		}
	}
	if w.done {
		return
	}
	list, hop := w.chain.list, &run.hop
	hop.Decision = strings.Join(run.names, ", ")
	switch {
	case len(run.names) == 0:
		hop.Decision, hop.Why = "none", "the chain has no network filters, so Envoy closes the connection"
		w.add(flow.NetworkFilters, w.chain.at, *hop)
		w.fail(flow.BlackHole, "")
	case w.hcm != nil:
		w.managed(hop, list)
		h := &w.out.Hops[len(w.out.Hops)-1]
		h.Why = joinWhy(append([]string{h.Why}, run.notes...)...)
	case w.tcpProxy.Exists():
		last := run.names[len(run.names)-1]
		why := last + " " + w.tcpProxy.Get("stat_prefix").Text() + " forwards the bytes as they are"
		if len(run.notes) > 0 && w.routedBy != "" {
			why = last + " " + w.tcpProxy.Get("stat_prefix").Text() + " ends the chain"
		}
		hop.Why = joinWhy(append([]string{why}, run.notes...)...)
		hop.Expect = append(hop.Expect, statPrefix(w.tcpProxy))
		w.add(flow.NetworkFilters, list, *hop)
	default:
		last := run.names[len(run.names)-1]
		hop.Why = joinWhy(append([]string{"the chain ends in " + last + ": where it sends the connection is not known"}, run.notes...)...)
		w.open(flow.WhatWay, last, hop.Why, list)
		w.add(flow.NetworkFilters, list, *hop)
		w.out.Outcome, w.done = flow.Forwarded, true
	}
}

// filter lets one network filter act: as it is computed, or as the catalogue says that it can.
func (run *networkRun) filter(f networkFilter) {
	w, row := run.w, filters.Network(f.kind, f.name)
	switch {
	case f.kind == netRBACType:
		w.networkRBAC(f.config, run.names, &run.hop)
	case f.kind == managerType:
		w.hcm = w.chain.hcm
	case f.kind == tcpType:
		w.tcpProxy = f.config
	case f.kind == echoType || f.kind == directType:
		run.hop.Decision, run.hop.Why = strings.Join(run.names, ", ")+" answers", "the filter answers the connection by itself"
		w.add(flow.NetworkFilters, f.config, run.hop)
		w.answer(0, "")
	case row == nil:
		run.unknown(f)
	case row.Can&filters.Ends != 0:
		run.routed(f, row)
	case !row.Computed:
		run.opened(f, row)
	default:
		run.named(f)
	}
}

// named keeps what a filter before the end says of cluster and host: sni_cluster takes the server name for the cluster's, as
// Istio's east-west gateways do, and set_filter_state writes what the TCP proxy and the cluster read.
func (run *networkRun) named(f networkFilter) {
	w := run.w
	switch {
	case f.kind == sniType || f.kind == "" && f.name == sniName:
		if w.named = w.conn.serverName; w.named != "" {
			run.notes = append(run.notes, "sni_cluster names the cluster by the server name "+w.named)
		}
	case strings.HasSuffix(f.kind, ".filters.network.set_filter_state.v3.Config"):
		on := []string{"on_new_connection"}
		if w.conn.terminated {
			on = append(on, "on_downstream_tls_handshake")
		}
		for _, when := range on {
			for _, v := range f.config.Get(when).Elements() {
				w.filterRequest().SetState(&filters.Filter{At: f.config, Name: f.name}, v)
			}
		}
		if name, ok := w.stateText("envoy.tcp_proxy.cluster"); ok { // what is not there is "-", which no cluster is called
			w.named = name
			run.notes = append(run.notes, "set_filter_state names the cluster "+name)
		}
	}
}

// opened lets a filter that is not computed do what the catalogue says that it can do.
func (run *networkRun) opened(f networkFilter, row *filters.Row) {
	w := run.w
	why := "filter " + f.name + " depends on " + row.On
	if row.Can&(filters.Answer|filters.Stop) != 0 && w.may(flow.WhatAnswer, f.name, "filter "+f.name+" may end the connection: that depends on "+row.On, f.config) {
		run.hop.Decision, run.hop.Why = strings.Join(run.names, ", ")+" closes the connection", why
		w.add(flow.NetworkFilters, f.config, run.hop)
		w.fail(flow.Denied, "")
		return
	}
	cause := match.Cause{On: "filter " + f.name, Why: why}
	if row.Can&filters.Metadata != 0 {
		w.meta.LoosenAll(cause)
		w.state.LoosenAll(cause)
	}
	if row.Can&filters.Cluster != 0 {
		w.open(flow.WhatCluster, f.name, why, f.config)
	}
	if row.Can&filters.Body != 0 {
		w.open(flow.WhatWay, f.name, "filter "+f.name+" may change the bytes: that depends on "+row.On, f.config)
	}
	run.notes = append(run.notes, "as far as the dump says: "+why)
}

// unknown is a filter that is in no catalogue: it can do everything, and everything after it is open.
func (run *networkRun) unknown(f networkFilter) {
	name := first(f.kind, f.name)
	cause := match.Cause{On: "filter " + name, Why: "what filter " + name + " does is not known"}
	run.w.meta.LoosenAll(cause)
	run.w.state.LoosenAll(cause)
	run.w.open(flow.WhatWay, cause.On, cause.Why+": it may end the connection, change its bytes, or choose where it goes", f.config)
	run.notes = append(run.notes, cause.Why+", so everything after it is open")
}

// routed is a filter that ends the chain and routes messages of its own protocol. Where the dump has its routes the clusters
// that they lead to are what is possible: the request does not say the message.
func (run *networkRun) routed(f networkFilter, row *filters.Row) {
	w := run.w
	clusters := routedClusters(f.config)
	if len(clusters) == 0 {
		run.notes = append(run.notes, "its protocol is not followed")
		return
	}
	w.tcpProxy, w.routedBy = f.config, row.On
	w.open(flow.WhatAnswer, row.On, f.name+" reads a protocol of its own, and the request does not say its message", f.config)
	chosen := 0
	if len(clusters) > 1 {
		about := flow.Dependency{On: row.On, What: flow.WhatCluster, Source: f.config.Pointer(),
			Why: f.name + " routes by it to one of " + list(clusters) + ", and the request does not say it"}
		chosen = w.ask(question{key: about.On + f.config.Pointer(), about: about, answers: len(clusters)})
	}
	w.named = clusters[chosen]
	run.notes = append(run.notes, "its routes lead to "+list(clusters))
}

// routedClusters returns the clusters that the routes of a protocol's filter name, the one for everything else first.
func routedClusters(config configdump.Value) []string {
	var all []string
	add := func(name string) {
		if name != "" && !slices.Contains(all, name) && len(all) < 16 {
			all = append(all, name)
		}
	}
	add(config.Get("prefix_routes", "catch_all_route", "cluster").Text())
	var walk func(v configdump.Value, depth int)
	walk = func(v configdump.Value, depth int) {
		if depth > 24 {
			return
		}
		for name, field := range v.Fields() {
			switch name {
			case "cluster":
				add(field.Text())
			case "request_mirror_policy", "requestMirrorPolicy", "read_command_policy", "request_mirror_policies", "requestMirrorPolicies":
			case "weighted_clusters", "weightedClusters":
				for _, c := range field.Get("clusters").Elements() {
					add(c.Get("name").Text())
				}
			default:
				walk(field, depth+1)
			}
		}
		for _, e := range v.Elements() {
			walk(e, depth+1)
		}
	}
	for _, field := range []string{"prefix_routes", "route_config", "multiple_route_config"} {
		walk(config.Get(field), 0)
	}
	return all
}

// statPrefix is the prefix under which a connection manager or a TCP proxy counts. Istio ends it with a semicolon, which is
// how it marks the end of a name in a counter's name.
func statPrefix(filter configdump.Value) flow.Fact {
	return fact(flow.FactStatPrefix, strings.TrimSuffix(filter.Get("stat_prefix").Text(), ";"))
}

// managed ends the hop of a chain with an HTTP connection manager: the codec has to understand the client.
func (w *walk) managed(hop *flow.Hop, list configdump.Value) {
	if w.assumedInner {
		w.openInner(w.hcm.at.Value)
	}
	codec, problem, status := w.codec()
	if problem != "" {
		hop.Why = problem
		if status != 0 {
			hop.Why += fmt.Sprintf(": Envoy answers %d and closes the connection", status)
		}
		w.add(flow.NetworkFilters, w.hcm.at.Value, *hop)
		w.fail(flow.ProtocolError, "DPE")
		w.out.Status = w.codecStatus(status)
		return
	}
	hop.Why = fmt.Sprintf("http_connection_manager %q ends the chain, codec %s", w.hcm.at.Get("stat_prefix").Text(), codec)
	hop.Expect = append(hop.Expect, fact(flow.FactCodec, codec), statPrefix(w.hcm.at.Value), joined(flow.FactConnection, "", w.connection()))
	w.add(flow.NetworkFilters, list, *hop)
}

// codec returns the downstream codec, or what the client sends that it cannot read and the status of Envoy's answer,
// which is 0 where the codec is HTTP/2 and the connection just ends. (ServerConnectionImpl::sendProtocolError)
func (w *walk) codec() (codec, problem string, status int) {
	http1Only, http2Only := w.codecFixed()
	answer := 400
	if http2Only {
		answer = 0
	}
	switch {
	case w.req.encrypted() && !w.conn.terminated:
		return "", "the connection manager is given TLS bytes, which are no HTTP: the chain does not terminate TLS", answer
	case !w.req.isHTTP():
		return "", "the connection manager is given bytes that are no HTTP", answer
	case w.req.isHTTP2() && http1Only, !w.req.isHTTP2() && http2Only:
		return "", "codec_type or the ALPN of the handshake fixes the codec, and the client speaks another version of HTTP", answer
	case w.req.Protocol == http3:
		return "http3", "", 0
	case w.req.isHTTP2():
		return "http2", "", 0
	}
	return "http1", "", 0
}

// codecFixed says whether the codec is fixed before the first byte: by codec_type, or with AUTO by the protocol that ALPN
// came to. Only without either is the client's preface looked at. (ConnectionManagerUtility::determineNextProtocol)
func (w *walk) codecFixed() (http1Only, http2Only bool) {
	switch w.hcm.at.Get("codec_type").Text() {
	case "HTTP1", "1":
		return true, false
	case "HTTP2", "2", "HTTP3", "3":
		return false, true
	}
	if !w.conn.terminated {
		return false, false
	}
	if w.req.Protocol == http3 {
		return false, true
	}
	protocol := negotiated(tlsContext(w.chain.tls), w.req.ALPN)
	return protocol != "" && protocol != "h2", protocol == "h2"
}
