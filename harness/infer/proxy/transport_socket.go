package proxy

import (
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
)

// TLSContext returns the TLS context inside a transport socket, looking through wrappers such as
// tcp_stats and proxy_protocol, or a Value that does not exist when the socket is clear text.
func TLSContext(socket configdump.Value) configdump.Value {
	for range 8 {
		message, kind := socket.Get("typed_config").Typed()
		switch {
		case strings.HasSuffix(kind, "TlsContext"):
			return message
		case strings.HasSuffix(kind, ".QuicDownstreamTransport"):
			return message.Get("downstream_tls_context")
		case strings.HasSuffix(kind, ".QuicUpstreamTransport"):
			return message.Get("upstream_tls_context")
		case message.Has("transport_socket"):
			socket = message.Get("transport_socket")
		case strings.HasSuffix(kind, ".StartTlsConfig"):
			socket = configdump.Value{}
		default:
			return configdump.Value{}
		}
	}
	return configdump.Value{}
}

// AcceptedNames returns the subject alternative names that a CommonTlsContext accepts, each as it
// would be matched. It reads match_subject_alt_names, its typed successor and the older
// verify_subject_alt_name.
func AcceptedNames(common configdump.Message) []string {
	var names []string
	for _, validation := range []configdump.Value{
		common.Get("validation_context"), common.Get("combined_validation_context", "default_validation_context"),
	} {
		validation := validation.Message()
		for _, m := range validation.Get("match_typed_subject_alt_names").Elements() {
			names = append(names, match.StringText(m.Get("matcher")))
		}
		for _, m := range validation.Get("match_subject_alt_names").Elements() {
			names = append(names, match.StringText(m))
		}
		names = append(names, validation.Get("verify_subject_alt_name").Texts()...)
	}
	return names
}

// OnlyURI returns the one identity that is accepted; "" when there are several or none, or
// when it is a pattern.
func OnlyURI(accepted []string) string {
	if len(accepted) == 1 && strings.HasPrefix(accepted[0], "spiffe://") && !strings.HasSuffix(accepted[0], "/") &&
		!strings.Contains(accepted[0], "*") {
		return accepted[0]
	}
	return ""
}

// DefaultSocket is how Envoy names the cluster's own transport socket, when no
// transport_socket_matches entry is taken.
const DefaultSocket = "default"

// A TransportSocket is what a cluster may speak to an endpoint with:
// envoy.config.core.v3.TransportSocket, on its own or in a TransportSocketMatch.
type TransportSocket struct {
	Name   string // of the TransportSocketMatch, or DefaultSocket
	Entry  configdump.Value
	Match  configdump.Value // keys and values that the endpoint's metadata has to have
	Socket configdump.Value
	TLS    *flow.UpstreamTLSMode // as the context says, without what a request changes; nil is clear text
}

// Sockets returns the cluster's transport sockets in the order in which they are tried, its own
// last. They are decoded for the first request that comes to the cluster.
func (c *Cluster) Sockets() []TransportSocket {
	c.decode.Do(func() {
		for _, m := range c.At.Get("transport_socket_matches").Elements() {
			fields := m.Message()
			t := TransportSocket{Name: fields.Get("name").Text(), Entry: m, Match: fields.Get("match"),
				Socket: fields.Get("transport_socket")}
			t.TLS = upstreamContext(t.Socket)
			c.transports = append(c.transports, t)
		}
		own := TransportSocket{Name: DefaultSocket, Socket: c.At.Get("transport_socket")}
		own.TLS = upstreamContext(own.Socket)
		c.transports = append(c.transports, own)
	})
	return c.transports
}

// upstreamContext reads UpstreamTlsContext; nil is a socket in clear text.
func upstreamContext(socket configdump.Value) *flow.UpstreamTLSMode {
	context := TLSContext(socket)
	if !context.Exists() {
		return nil
	}
	fields := context.Message()
	common := fields.Get("common_tls_context").Message()
	t := &flow.UpstreamTLSMode{Mode: flow.TLS, SNI: fields.Get("sni").Text(), Peer: AcceptedNames(common),
		ALPN: common.Get("alpn_protocols").Texts()}
	for _, certificates := range []string{"tls_certificates", "tls_certificate_sds_secret_configs",
		"tls_certificate_provider_instance", "custom_tls_certificate_selector"} {
		if common.Has(certificates) {
			t.Mode = flow.MTLS
		}
	}
	return t
}
