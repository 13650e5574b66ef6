package infer

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// defaultSocket is how Envoy names the cluster's own transport socket, when no transport_socket_matches entry is taken.
const defaultSocket = "default"

// upstreamTLS chooses the transport socket towards the endpoint and says what the endpoint will see of it.
func (w *walk) upstreamTLS() {
	c := w.cluster
	if member := w.pick.hosts[0].cluster; member != nil {
		c = member
	}
	name, socket, why, rejected := socketFor(c, w.pick.hosts[0])
	context := tlsContext(socket)
	tls := &flow.UpstreamTLSMode{Mode: flow.Plaintext}
	if context.Exists() {
		tls = w.upstreamMode(context)
	}
	w.out.UpstreamTLS = tls
	if w.hcm != nil {
		w.out.UpstreamProtocol = w.upstreamProtocol()
	}
	source := socket
	if !source.Exists() {
		source = c.at.Value
	}
	hop := flow.Hop{Decision: modeText(tls), Why: why, Rejected: rejected, Expect: append([]flow.Fact{fact(flow.FactSocketMatch, name)}, w.upstreamFacts(tls)...)}
	for _, h := range w.pick.hosts[1:] {
		if other, _, _, _ := socketFor(c, h); other != name {
			hop.Why += fmt.Sprintf("; %s would be reached by socket %s instead", h.address, other)
			hop.Expect = nil
			break
		}
	}
	w.add(flow.UpstreamTLS, source, hop)
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
func socketFor(c *cluster, h host) (name string, socket configdump.Value, why string, rejected []flow.Alternative) {
	meta := h.metadata.Get("filter_metadata", "envoy.transport_socket_match")
	for _, m := range c.at.Get("transport_socket_matches").Elements() {
		name, match := m.Get("name").Text(), m.Get("match")
		lacks := metadataLacks(match, meta)
		if lacks != "" && h.assumed {
			return name, m.Get("transport_socket"), fmt.Sprintf("transport_socket_matches %s: the pod has a sidecar, so %s is assumed in its metadata",
				name, metadataText(match)), rejected
		}
		if lacks == "" {
			why := fmt.Sprintf("transport_socket_matches %s: the endpoint's metadata has %s", name, metadataText(match))
			if match.Len() == 0 {
				why = fmt.Sprintf("transport_socket_matches %s has no condition", name)
			}
			return name, m.Get("transport_socket"), why, rejected
		}
		rejected = append(rejected, flow.Alternative{Name: name, Source: m.Pointer(), Why: "needs " + lacks + " in the endpoint's metadata"})
	}
	socket = c.at.Get("transport_socket")
	switch {
	case len(rejected) > 0:
		why = "no transport_socket_matches entry fits the endpoint, so the cluster's own transport socket is taken"
	case socket.Exists():
		why = "the cluster has its own transport socket and no transport_socket_matches"
	default:
		why = "the cluster has neither transport_socket nor transport_socket_matches: raw_buffer"
	}
	return defaultSocket, socket, why, rejected
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

// upstreamMode reads UpstreamTlsContext.
func (w *walk) upstreamMode(context configdump.Value) *flow.UpstreamTLSMode {
	common := context.Get("common_tls_context")
	t := &flow.UpstreamTLSMode{Mode: flow.TLS, SNI: context.Get("sni").Text(), Peer: acceptedNames(context)}
	for _, certificates := range []string{"tls_certificates", "tls_certificate_sds_secret_configs", "tls_certificate_provider_instance",
		"custom_tls_certificate_selector"} {
		if common.Has(certificates) {
			t.Mode = flow.MTLS
		}
	}
	t.ALPN = w.upstreamALPN(common.Get("alpn_protocols").Texts())
	if w.hcm != nil && w.cluster.options().Get("upstream_http_protocol_options", "auto_sni").Bool() {
		t.SNI, _ = splitPort(first(w.rewrittenHost(), w.req.Authority))
	}
	return t
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
	for _, v := range c.at.Get("typed_extension_protocol_options").Fields() {
		if message, kind := v.Typed(); strings.HasSuffix(kind, ".HttpProtocolOptions") {
			return message
		}
	}
	return configdump.Value{}
}

// The protocols an upstream connection can speak, as istio.alpn's configuration names them.
const (
	upstreamHTTP1 = "HTTP11"
	upstreamHTTP2 = "HTTP2"
)

// upstreamProtocol returns the HTTP version that the cluster is spoken to in.
func (w *walk) upstreamProtocol() string {
	options := w.cluster.options()
	downstream := upstreamHTTP1
	if w.req.isHTTP2() {
		downstream = upstreamHTTP2
	}
	switch {
	case options.Has("explicit_http_config"):
		if options.Get("explicit_http_config").Has("http2_protocol_options") {
			return upstreamHTTP2
		}
		return upstreamHTTP1
	case options.Has("use_downstream_protocol_config"):
		return downstream
	case options.Has("auto_config"):
		return upstreamHTTP2 // ALPN offers h2 first
	case w.cluster.at.Get("protocol_selection").Text() == "USE_DOWNSTREAM_PROTOCOL":
		return downstream
	case w.cluster.at.Has("http2_protocol_options"):
		return upstreamHTTP2
	}
	return upstreamHTTP1
}

// upstreamALPN returns what the ClientHello offers: istio.alpn's override on HTTP, else the context's own list, else
// for HTTP the protocol that will be spoken. (ClientContextImpl::newSsl, Http::wrapTransportSocketOptions)
func (w *walk) upstreamALPN(own []string) []string {
	if w.hcm == nil {
		return own
	}
	protocol := w.upstreamProtocol()
	for _, f := range w.hcm.at.Get("http_filters").Elements() {
		message, kind := f.Get("typed_config").Typed()
		if !strings.Contains(kind, "filter.http.alpn") {
			continue
		}
		if override := alpnOverride(message, protocol); override != nil && w.alpnSwitch() {
			return override
		}
	}
	if len(own) > 0 {
		return own
	}
	if protocol == upstreamHTTP2 {
		return []string{"h2"}
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
