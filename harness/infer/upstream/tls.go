package upstream

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/certainty"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
)

// TLS chooses the transport socket towards the endpoint and says what the endpoint will see of it.
func TLS(w *passage.Walk) {
	c := ownerOf(w, w.Pick.Hosts[0])
	socket, why, rejected := socketFor(w, w.Pick.Hosts[0])
	tls := &flow.UpstreamTLSMode{Mode: flow.Plaintext}
	if socket.TLS != nil {
		tls = upstreamMode(w, socket, c)
	}
	w.Out.UpstreamTLS = tls
	if w.HCM != nil {
		w.Out.UpstreamProtocol = spokenUpstream(w, c, tls)
	}
	source := socket.Socket
	if !source.Exists() {
		source = c.At.Value
	}
	hop := flow.Hop{
		Decision: modeText(tls), Why: why, Rejected: rejected,
		Expect: append([]flow.Fact{passage.Fact(flow.FactSocketMatch, socket.Name)}, upstreamFacts(w, tls)...),
	}
	for _, h := range w.Pick.Hosts[1:] {
		if other, _, _ := socketFor(w, h); other.Name != socket.Name {
			hop.Why += fmt.Sprintf("; %s would be reached by socket %s instead", h.Address, other.Name)
			hop.Expect = nil
			break
		}
	}
	w.Add(flow.UpstreamTLS, source, hop)
}

// ownerOf returns the member of an aggregate that a host belongs to, or else the
// cluster that was chosen.
func ownerOf(w *passage.Walk, h proxy.Host) *proxy.Cluster { return cmp.Or(h.Cluster, w.Cluster) }

// upstreamFacts are what an upstream connection shows of its transport socket. What the proxy
// itself terminates decides nothing here: a TLS stream that it passes on is clear text to it.
func upstreamFacts(w *passage.Walk, tls *flow.UpstreamTLSMode) []flow.Fact {
	if tls.Mode == flow.Plaintext {
		facts := []flow.Fact{passage.Fact(flow.FactTransport, "raw_buffer"),
			passage.Fact(flow.FactTLSVersion, flow.NoTLS)}
		if w.Opts.Cold || w.Opts.Warm {
			facts = append(facts, passage.Fact(flow.FactHandshakes, "0"))
		}
		return facts
	}
	facts := []flow.Fact{passage.Fact(flow.FactTransport, "tls"), passage.Fact(flow.FactTLSVersion, "TLS*")}
	if tls.SNI != "" {
		facts = append(facts, passage.Fact(flow.FactSNI, tls.SNI))
	}
	if uri := proxy.OnlyURI(tls.Peer); uri != "" {
		facts = append(facts, passage.Fact(flow.FactPeerURI, uri))
	}
	switch {
	case w.Opts.Cold:
		facts = append(facts, passage.Fact(flow.FactHandshakes, "1"))
	case w.Opts.Warm:
		facts = append(facts, passage.Fact(flow.FactHandshakes, "0"))
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

// socketFor returns the transport socket for a host: the first transport_socket_matches entry whose
// match is in the host's metadata envoy.transport_socket_match, or the cluster's own.
// (TransportSocketMatcherImpl::resolve)
func socketFor(w *passage.Walk, h proxy.Host) (socket proxy.TransportSocket, why string, rejected []flow.Alternative) {
	sockets := ownerOf(w, h).Sockets()
	own := sockets[len(sockets)-1]
	for _, t := range sockets[:len(sockets)-1] {
		lacks := metadataLacks(t.Match, h.Sockets)
		if lacks != "" && h.Assumed {
			return t, fmt.Sprintf("transport_socket_matches %s: the pod has a sidecar, so %s is assumed in its "+
				"metadata",
				t.Name, metadataText(t.Match)), rejected
		}
		if lacks == "" {
			if text := metadataText(t.Match); text != "" {
				return t, "transport_socket_matches " + t.Name + ": the endpoint's metadata has " + text, rejected
			}
			return t, "transport_socket_matches " + t.Name + " has no condition", rejected
		}
		rejected = append(rejected, flow.Alternative{Name: t.Name, Source: t.Entry.Pointer(),
			Why: "needs " + lacks + " in the endpoint's metadata"})
	}
	switch {
	case len(rejected) > 0:
		why = "no transport_socket_matches entry fits the endpoint, so the cluster's own transport socket is taken"
	case own.Socket.Exists():
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
		return proxy.CanonicalJSON(a.Raw()) == proxy.CanonicalJSON(b.Raw())
	}
	return a.Text() == b.Text() && (a.Raw()[0] == '"') == (b.Raw()[0] == '"')
}

// upstreamMode adds to a context what request and endpoint decide: the protocols that are offered,
// and the server name. That of auto_sni is the request's host, where it is a name
// (Router::Filter::decodeHeaders); that of auto_host_sni is the endpoint's own name, before
// anything else (UpstreamTlsContext).
func upstreamMode(w *passage.Walk, socket proxy.TransportSocket, c *proxy.Cluster) *flow.UpstreamTLSMode {
	t := *socket.TLS
	t.ALPN = upstreamALPN(w, c, t.ALPN)
	options := c.Options().Get("upstream_http_protocol_options")
	if w.HCM != nil && options.Get("auto_sni").Bool() {
		host := cmp.Or(w.RewrittenHost(), w.Req.Authority)
		if name := options.Get("override_auto_sni_header").Text(); name != "" {
			if value, ok := w.Req.Header.Get(name); ok && value != "" {
				host = value
			}
		}
		host, _ = match.SplitPort(host)
		if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err != nil && host != "" {
			t.SNI = host
		}
	}
	if proxy.TLSContext(socket.Socket).Get("auto_host_sni").Bool() {
		if name := w.Pick.Hosts[0].Name(c); name != "" {
			t.SNI = name
		}
		for _, h := range w.Pick.Hosts[1:] {
			if h.Name(c) != w.Pick.Hosts[0].Name(c) {
				w.Open(flow.WhatHost, "which endpoint is taken",
					"auto_host_sni makes the endpoint's own name the server name", socket.Socket)
				break
			}
		}
	}
	return &t
}

// The protocols an upstream connection can speak, as istio.alpn's configuration names them.
const (
	HTTP1 = "HTTP11"
	HTTP2 = "HTTP2"
	HTTP3 = "HTTP3"
)

// byALPN stands for the protocol of a cluster with auto_config: the handshake decides between
// HTTP/2 and HTTP/1.1.
const byALPN = ""

// upstreamProtocol returns the HTTP version that the cluster is spoken to in, or byALPN.
// (ClusterInfoImpl::upstreamHttpProtocol)
func upstreamProtocol(w *passage.Walk, c *proxy.Cluster) string {
	options := c.Options()
	downstream := HTTP1
	switch {
	case w.Req.Protocol == passage.HTTP3:
		downstream = HTTP3
	case w.Req.IsHTTP2():
		downstream = HTTP2
	}
	switch {
	case options.Has("explicit_http_config"):
		explicit := options.Get("explicit_http_config")
		switch {
		case explicit.Has("http3_protocol_options"):
			return HTTP3
		case explicit.Has("http2_protocol_options"):
			return HTTP2
		}
		return HTTP1
	case options.Has("use_downstream_protocol_config"):
		if downstream == HTTP3 && !options.Get("use_downstream_protocol_config").Has("http3_protocol_options") {
			return HTTP2
		}
		return downstream
	case options.Has("auto_config"):
		return byALPN
	case slices.Contains([]string{"USE_DOWNSTREAM_PROTOCOL", "1"}, c.At.Get("protocol_selection").Text()):
		return downstream
	case c.At.Has("http2_protocol_options"):
		return HTTP2
	}
	return HTTP1
}

// spokenUpstream is the HTTP version of the upstream connection. One that ALPN decides depends on
// the endpoint, or, in clear text, is HTTP/1.1: there is no handshake.
// (HttpConnPoolImplMixed::onConnected)
func spokenUpstream(w *passage.Walk, c *proxy.Cluster, tls *flow.UpstreamTLSMode) string {
	protocol := upstreamProtocol(w, c)
	switch {
	case protocol != byALPN:
		return protocol
	case tls.Mode == flow.Plaintext, slices.Equal(tls.ALPN, []string{"http/1.1"}):
		return HTTP1
	}
	at := c.Options().Get("auto_config")
	about := flow.Dependency{On: "the endpoint's choice of ALPN", What: flow.WhatProtocol, Source: at.Pointer(),
		Why: "auto_config offers HTTP/2 and HTTP/1.1, and the endpoint takes one"}
	if w.Ask(certainty.Question{Key: about.On + c.Name, About: about, Answers: 2}) == 1 {
		return HTTP1
	}
	return HTTP2
}

// upstreamALPN returns what the ClientHello offers: istio.alpn's override on HTTP, else the
// context's own list, else for HTTP the protocol that will be spoken. (ClientContextImpl::newSsl,
// Http::wrapTransportSocketOptions)
func upstreamALPN(w *passage.Walk, c *proxy.Cluster, own []string) []string {
	if w.HCM == nil {
		return own
	}
	protocol := upstreamProtocol(w, c)
	for _, f := range w.HCM.Filters {
		if !strings.Contains(f.Kind, "filter.http.alpn") {
			continue
		}
		if override := alpnOverride(f.Config, protocol); override != nil && alpnSwitch(w) {
			return override
		}
	}
	if len(own) > 0 {
		return own
	}
	switch protocol {
	case HTTP3:
		return []string{"h3"}
	case HTTP2:
		return []string{"h2"}
	case byALPN:
		return []string{"h2", "http/1.1"}
	}
	return []string{"http/1.1"}
}

// alpnSwitch says whether the cluster lets istio.alpn act: Istio turns it off in the
// cluster's metadata.
func alpnSwitch(w *passage.Walk) bool {
	v := w.Cluster.At.Get("metadata", "filter_metadata").Key("istio").Key("alpn_override")
	return v.Text() != "false"
}

// alpnOverride returns the list of istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig for a
// protocol; HTTP10 is the enum's zero and may be absent.
func alpnOverride(config configdump.Value, protocol string) []string {
	for _, o := range config.Get("alpn_override").Elements() {
		p := o.Get("upstream_protocol").Text()
		if p == protocol || protocol == HTTP1 && p == "1" || protocol == HTTP2 && p == "2" {
			return o.Get("alpn_override").Texts()
		}
	}
	return nil
}
