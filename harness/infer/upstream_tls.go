package infer

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// defaultSocket is how Envoy names the cluster's own transport socket, when no transport_socket_matches entry is taken.
const defaultSocket = "default"

// A transportSocket is what a cluster may speak to an endpoint with: envoy.config.core.v3.TransportSocket, on its own or
// in a TransportSocketMatch.
type transportSocket struct {
	name   string // of the TransportSocketMatch, or defaultSocket
	entry  configdump.Value
	match  configdump.Value // keys and values that the endpoint's metadata has to have
	socket configdump.Value
	tls    *flow.UpstreamTLSMode // as the context says, without what a request changes; nil is clear text
}

// sockets returns the cluster's transport sockets in the order in which they are tried, its own last. They are decoded
// for the first request that comes to the cluster.
func (c *cluster) sockets() []transportSocket {
	c.decode.Do(func() {
		for _, m := range c.at.Get("transport_socket_matches").Elements() {
			fields := m.Message()
			t := transportSocket{name: fields.Get("name").Text(), entry: m, match: fields.Get("match"), socket: fields.Get("transport_socket")}
			t.tls = upstreamContext(t.socket)
			c.transports = append(c.transports, t)
		}
		own := transportSocket{name: defaultSocket, socket: c.at.Get("transport_socket")}
		own.tls = upstreamContext(own.socket)
		c.transports = append(c.transports, own)
	})
	return c.transports
}

// upstreamTLS chooses the transport socket towards the endpoint and says what the endpoint will see of it.
func (w *walk) upstreamTLS() {
	c := ownerOf(w.pick.hosts[0].cluster, w.cluster)
	socket, why, rejected := socketFor(c, w.pick.hosts[0])
	tls := &flow.UpstreamTLSMode{Mode: flow.Plaintext}
	if socket.tls != nil {
		tls = w.upstreamMode(socket, c)
	}
	w.out.UpstreamTLS = tls
	if w.hcm != nil {
		w.out.UpstreamProtocol = w.spokenUpstream(c, tls)
	}
	source := socket.socket
	if !source.Exists() {
		source = c.at.Value
	}
	hop := flow.Hop{Decision: modeText(tls), Why: why, Rejected: rejected, Expect: append([]flow.Fact{fact(flow.FactSocketMatch, socket.name)}, w.upstreamFacts(tls)...)}
	for _, h := range w.pick.hosts[1:] {
		if other, _, _ := socketFor(ownerOf(h.cluster, w.cluster), h); other.name != socket.name {
			hop.Why += fmt.Sprintf("; %s would be reached by socket %s instead", h.address, other.name)
			hop.Expect = nil
			break
		}
	}
	w.add(flow.UpstreamTLS, source, hop)
}

// ownerOf returns the member of an aggregate that a host belongs to, or else the cluster that was chosen.
func ownerOf(member, chosen *cluster) *cluster {
	if member != nil {
		return member
	}
	return chosen
}

// upstreamFacts are what an upstream connection shows of its transport socket. What the proxy itself terminates decides
// nothing here: a TLS stream that it passes on is clear text to it.
func (w *walk) upstreamFacts(tls *flow.UpstreamTLSMode) []flow.Fact {
	if tls.Mode == flow.Plaintext {
		facts := []flow.Fact{fact(flow.FactTransport, "raw_buffer"), fact(flow.FactTLSVersion, flow.NoTLS)}
		if w.opts.Cold || w.opts.Warm {
			facts = append(facts, fact(flow.FactHandshakes, "0"))
		}
		return facts
	}
	facts := []flow.Fact{fact(flow.FactTransport, "tls"), fact(flow.FactTLSVersion, "TLS*")}
	if tls.SNI != "" {
		facts = append(facts, fact(flow.FactSNI, tls.SNI))
	}
	if uri := onlyURI(tls.Peer); uri != "" {
		facts = append(facts, fact(flow.FactPeerURI, uri))
	}
	switch {
	case w.opts.Cold:
		facts = append(facts, fact(flow.FactHandshakes, "1"))
	case w.opts.Warm:
		facts = append(facts, fact(flow.FactHandshakes, "0"))
	}
	return facts
}

func modeText(t *flow.UpstreamTLSMode) string {
	text := map[string]string{flow.Plaintext: "clear text", flow.TLS: "TLS", flow.MTLS: "mutual TLS"}[t.Mode]
	if t.SNI != "" {
		text += ", SNI " + t.SNI
	}
	if len(t.ALPN) > 0 {
		text += ", ALPN " + strings.Join(t.ALPN, ",")
	}
	return text
}

// socketFor returns the transport socket for a host: the first transport_socket_matches entry whose match is in the
// host's metadata envoy.transport_socket_match, or the cluster's own. (TransportSocketMatcherImpl::resolve)
func socketFor(c *cluster, h host) (socket transportSocket, why string, rejected []flow.Alternative) {
	sockets := c.sockets()
	own := sockets[len(sockets)-1]
	for _, t := range sockets[:len(sockets)-1] {
		lacks := metadataLacks(t.match, h.sockets)
		if lacks != "" && h.assumed {
			return t, fmt.Sprintf("transport_socket_matches %s: the pod has a sidecar, so %s is assumed in its metadata",
				t.name, metadataText(t.match)), rejected
		}
		if lacks == "" {
			if text := metadataText(t.match); text != "" {
				return t, "transport_socket_matches " + t.name + ": the endpoint's metadata has " + text, rejected
			}
			return t, "transport_socket_matches " + t.name + " has no condition", rejected
		}
		rejected = append(rejected, flow.Alternative{Name: t.name, Source: t.entry.Pointer(), Why: "needs " + lacks + " in the endpoint's metadata"})
	}
	switch {
	case len(rejected) > 0:
		why = "no transport_socket_matches entry fits the endpoint, so the cluster's own transport socket is taken"
	case own.socket.Exists():
		why = "the cluster has its own transport socket and no transport_socket_matches"
	default:
		why = "the cluster has neither transport_socket nor transport_socket_matches: raw_buffer"
	}
	return own, why, rejected
}

// metadataLacks returns the first key of match that meta does not hold with an equal value, or "".
func metadataLacks(match, meta configdump.Value) string {
	for key, want := range match.Fields() {
		if have := meta.Get(key); !have.Exists() || !sameJSON(have, want) {
			return key + ": " + shown(want)
		}
	}
	return ""
}

// shown is a value of metadata as it is read.
func shown(v configdump.Value) string {
	if t := v.Text(); t != "" {
		return t
	}
	return string(v.Raw())
}

func metadataText(match configdump.Value) string {
	var parts []string
	for key, v := range match.Fields() {
		parts = append(parts, key+": "+shown(v))
	}
	return strings.Join(parts, ", ")
}

// sameJSON compares two values of protobuf's Struct.
func sameJSON(a, b configdump.Value) bool {
	if a.IsObject() || a.IsArray() || b.IsObject() || b.IsArray() {
		return canonicalJSON(a.Raw()) == canonicalJSON(b.Raw())
	}
	return a.Text() == b.Text() && (a.Raw()[0] == '"') == (b.Raw()[0] == '"')
}

// upstreamContext reads UpstreamTlsContext; nil is a socket in clear text.
func upstreamContext(socket configdump.Value) *flow.UpstreamTLSMode {
	context := tlsContext(socket)
	if !context.Exists() {
		return nil
	}
	fields := context.Message()
	common := fields.Get("common_tls_context").Message()
	t := &flow.UpstreamTLSMode{Mode: flow.TLS, SNI: fields.Get("sni").Text(), Peer: acceptedNames(common), ALPN: common.Get("alpn_protocols").Texts()}
	for _, certificates := range []string{"tls_certificates", "tls_certificate_sds_secret_configs", "tls_certificate_provider_instance",
		"custom_tls_certificate_selector"} {
		if common.Has(certificates) {
			t.Mode = flow.MTLS
		}
	}
	return t
}

// upstreamMode adds to a context what request and endpoint decide: the protocols that are offered, and the server name. That of
// auto_sni is the request's host, where it is a name (Router::Filter::decodeHeaders); that of auto_host_sni is the endpoint's
// own name, before anything else (UpstreamTlsContext).
func (w *walk) upstreamMode(socket transportSocket, c *cluster) *flow.UpstreamTLSMode {
	t := *socket.tls
	t.ALPN = w.upstreamALPN(c, t.ALPN)
	options := c.options().Get("upstream_http_protocol_options")
	if w.hcm != nil && options.Get("auto_sni").Bool() {
		host := first(w.rewrittenHost(), w.req.Authority)
		if name := options.Get("override_auto_sni_header").Text(); name != "" {
			if value, ok := w.req.header.Get(name); ok && value != "" {
				host = value
			}
		}
		host, _ = splitPort(host)
		if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err != nil && host != "" {
			t.SNI = host
		}
	}
	if tlsContext(socket.socket).Get("auto_host_sni").Bool() {
		if name := w.pick.hosts[0].name(c); name != "" {
			t.SNI = name
		}
		for _, h := range w.pick.hosts[1:] {
			if h.name(c) != w.pick.hosts[0].name(c) {
				w.open(flow.WhatHost, "which endpoint is taken", "auto_host_sni makes the endpoint's own name the server name", socket.socket)
				break
			}
		}
	}
	return &t
}

func (w *walk) rewrittenHost() string {
	if w.out.Rewrite == nil {
		return ""
	}
	return w.out.Rewrite.Host
}

func first(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

// options returns the cluster's HttpProtocolOptions, or a Value that does not exist.
func (c *cluster) options() configdump.Value {
	c.decodeOptions.Do(func() {
		for _, v := range c.at.Get("typed_extension_protocol_options").Fields() {
			if message, kind := v.Typed(); strings.HasSuffix(kind, ".HttpProtocolOptions") {
				c.http = message
				return
			}
		}
	})
	return c.http
}

// The protocols an upstream connection can speak, as istio.alpn's configuration names them.
const (
	upstreamHTTP1 = "HTTP11"
	upstreamHTTP2 = "HTTP2"
	upstreamHTTP3 = "HTTP3"
)

// byALPN stands for the protocol of a cluster with auto_config: the handshake decides between HTTP/2 and HTTP/1.1.
const byALPN = ""

// upstreamProtocol returns the HTTP version that the cluster is spoken to in, or byALPN. (ClusterInfoImpl::upstreamHttpProtocol)
func (w *walk) upstreamProtocol(c *cluster) string {
	options := c.options()
	downstream := upstreamHTTP1
	switch {
	case w.req.Protocol == http3:
		downstream = upstreamHTTP3
	case w.req.isHTTP2():
		downstream = upstreamHTTP2
	}
	switch {
	case options.Has("explicit_http_config"):
		explicit := options.Get("explicit_http_config")
		switch {
		case explicit.Has("http3_protocol_options"):
			return upstreamHTTP3
		case explicit.Has("http2_protocol_options"):
			return upstreamHTTP2
		}
		return upstreamHTTP1
	case options.Has("use_downstream_protocol_config"):
		if downstream == upstreamHTTP3 && !options.Get("use_downstream_protocol_config").Has("http3_protocol_options") {
			return upstreamHTTP2
		}
		return downstream
	case options.Has("auto_config"):
		return byALPN
	case c.at.Get("protocol_selection").Text() == "USE_DOWNSTREAM_PROTOCOL":
		return downstream
	case c.at.Has("http2_protocol_options"):
		return upstreamHTTP2
	}
	return upstreamHTTP1
}

// spokenUpstream is the HTTP version of the upstream connection. One that ALPN decides depends on the endpoint, or, in clear
// text, is HTTP/1.1: there is no handshake. (HttpConnPoolImplMixed::onConnected)
func (w *walk) spokenUpstream(c *cluster, tls *flow.UpstreamTLSMode) string {
	protocol := w.upstreamProtocol(c)
	switch {
	case protocol != byALPN:
		return protocol
	case tls.Mode == flow.Plaintext, slices.Equal(tls.ALPN, []string{"http/1.1"}):
		return upstreamHTTP1
	}
	at := c.options().Get("auto_config")
	about := flow.Dependency{On: "the endpoint's choice of ALPN", What: flow.WhatProtocol, Source: at.Pointer(),
		Why: "auto_config offers HTTP/2 and HTTP/1.1, and the endpoint takes one"}
	if w.ask(question{key: about.On + c.name, about: about, answers: 2}) == 1 {
		return upstreamHTTP1
	}
	return upstreamHTTP2
}

// upstreamALPN returns what the ClientHello offers: istio.alpn's override on HTTP, else the context's own list, else
// for HTTP the protocol that will be spoken. (ClientContextImpl::newSsl, Http::wrapTransportSocketOptions)
func (w *walk) upstreamALPN(c *cluster, own []string) []string {
	if w.hcm == nil {
		return own
	}
	protocol := w.upstreamProtocol(c)
	for _, f := range w.hcm.filters {
		if !strings.Contains(f.kind, "filter.http.alpn") {
			continue
		}
		if override := alpnOverride(f.config, protocol); override != nil && w.alpnSwitch() {
			return override
		}
	}
	if len(own) > 0 {
		return own
	}
	switch protocol {
	case upstreamHTTP3:
		return []string{"h3"}
	case upstreamHTTP2:
		return []string{"h2"}
	case byALPN:
		return []string{"h2", "http/1.1"}
	}
	return []string{"http/1.1"}
}

// alpnSwitch says whether the cluster lets istio.alpn act: Istio turns it off in the cluster's metadata.
func (w *walk) alpnSwitch() bool {
	v := w.cluster.at.Get("metadata", "filter_metadata", "istio", "alpn_override")
	return v.Text() != "false"
}

// alpnOverride returns the list of istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig for a protocol; HTTP10 is
// the enum's zero and may be absent.
func alpnOverride(config configdump.Value, protocol string) []string {
	for _, o := range config.Get("alpn_override").Elements() {
		p := o.Get("upstream_protocol").Text()
		if p == protocol || protocol == upstreamHTTP1 && p == "1" || protocol == upstreamHTTP2 && p == "2" {
			return o.Get("alpn_override").Texts()
		}
	}
	return nil
}
