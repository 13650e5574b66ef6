package infer

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// Types and canonical names of the network filters that decide something.
const (
	managerName = "envoy.filters.network.http_connection_manager"
	managerType = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
	tcpName     = "envoy.filters.network.tcp_proxy"
	tcpType     = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
	netRBACType = "envoy.extensions.filters.network.rbac.v3.RBAC"
	redisType   = "envoy.extensions.filters.network.redis_proxy.v3.RedisProxy"
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

// sniCluster keeps the cluster that a filter before the TCP proxy names: sni_cluster takes the server name for one, as Istio's
// east-west gateways do.
func (w *walk) sniCluster(f networkFilter, hop *flow.Hop) {
	if f.kind == sniType || f.kind == "" && f.name == sniName {
		w.named = w.conn.serverName
		if w.named != "" {
			hop.Why = "sni_cluster names the cluster by the server name " + w.named
		}
	}
	if strings.HasSuffix(f.kind, ".filters.network.set_filter_state.v3.Config") {
		for _, v := range f.config.Get("on_new_connection").Elements() {
			format := v.Get("format_string", "text_format_source", "inline_string").Text()
			if value, known := w.formatted(format, "-"); known && v.Get("object_key").Text() == "envoy.tcp_proxy.cluster" && value != "-" {
				w.named = value
				hop.Why = "set_filter_state names the cluster " + value
			}
		}
	}
}

// networkFilters walks over the chain's network filters up to the one that ends it.
func (w *walk) networkFilters() {
	var names []string
	hop := flow.Hop{}
	for _, f := range w.chain.network() {
		names = append(names, f.name)
		hop.Expect = append(hop.Expect, filterFacts(flow.FactNetworkFilter, f.name, f.kind)...)
		if f.kind == netRBACType && w.networkRBAC(f.config, names, &hop) {
			return
		}
		w.sniCluster(f, &hop)
		if f.kind == managerType {
			w.hcm = w.chain.hcm
			break
		}
		if f.kind == tcpType || f.kind == redisType {
			w.tcpProxy = f.config
			break
		}
		if f.kind == echoType || f.kind == directType {
			hop.Decision, hop.Why = strings.Join(names, ", ")+" answers", "the filter answers the connection by itself"
			w.add(flow.NetworkFilters, f.config, hop)
			w.answer(0, "")
			return
		}
	}
	filters := w.chain.list
	hop.Decision = strings.Join(names, ", ")
	switch {
	case len(names) == 0:
		hop.Decision, hop.Why = "none", "the chain has no network filters, so Envoy closes the connection"
		w.add(flow.NetworkFilters, w.chain.at, hop)
		w.fail(flow.BlackHole, "")
		return
	case w.hcm != nil:
		w.managed(&hop, filters)
	case w.tcpProxy.Exists():
		hop.Why = joinWhy(names[len(names)-1]+" "+w.tcpProxy.Get("stat_prefix").Text()+" forwards the bytes as they are", hop.Why)
		hop.Expect = append(hop.Expect, statPrefix(w.tcpProxy))
		w.add(flow.NetworkFilters, filters, hop)
	default:
		hop.Why = "the chain ends in " + names[len(names)-1] + ": where it sends the connection is not known"
		w.add(flow.NetworkFilters, filters, hop)
		w.out.Outcome, w.done = flow.Forwarded, true
	}
}

// statPrefix is the prefix under which a connection manager or a TCP proxy counts. Istio ends it with a semicolon, which is
// how it marks the end of a name in a counter's name.
func statPrefix(filter configdump.Value) flow.Fact {
	return fact(flow.FactStatPrefix, strings.TrimSuffix(filter.Get("stat_prefix").Text(), ";"))
}

// managed ends the hop of a chain with an HTTP connection manager: the codec has to understand the client.
func (w *walk) managed(hop *flow.Hop, filters configdump.Value) {
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
	w.add(flow.NetworkFilters, filters, *hop)
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
