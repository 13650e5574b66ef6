package infer

import (
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
)

// tlsContext returns the TLS context inside a transport socket, looking through wrappers such as tcp_stats and
// proxy_protocol, or a Value that does not exist when the socket is clear text.
func tlsContext(socket configdump.Value) configdump.Value {
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

// acceptedNames returns the subject alternative names that a CommonTlsContext accepts, each as it would be matched. It reads
// match_subject_alt_names, its typed successor and the older verify_subject_alt_name.
func acceptedNames(common configdump.Message) []string {
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

// downstreamTLS decides whether the chain terminates TLS, and whether the client can do what it asks.
func (w *walk) downstreamTLS() {
	context := tlsContext(w.chain.tls)
	source := w.chain.tls
	if !source.Exists() {
		source = w.chain.at
	}
	if !context.Exists() {
		w.clearChain(source)
		return
	}
	accepted := acceptedNames(context.Get("common_tls_context").Message())
	hop := flow.Hop{Decision: "TLS terminated", Why: "the chain's transport socket is TLS"}
	required := context.Get("require_client_certificate").Bool()
	switch {
	case !w.req.encrypted():
		hop.Decision, hop.Why = "TLS handshake fails", "the chain's transport socket is TLS and the client speaks clear text"
		w.add(flow.DownstreamTLS, source, hop)
		w.fail(flow.TLSError, "")
		return
	case required && w.req.TLS != flow.MTLS:
		hop.Decision, hop.Why = "TLS handshake fails", "require_client_certificate is true and the client has no certificate"
		w.add(flow.DownstreamTLS, context.Get("require_client_certificate"), hop)
		w.fail(flow.MTLSError, "")
		return
	case required:
		hop.Decision = "mutual TLS terminated"
		hop.Why = "the chain's transport socket is TLS with require_client_certificate"
		if len(accepted) > 0 {
			hop.Why += " and accepts " + list(accepted)
		}
	}
	w.conn.terminated = true
	hop.Expect = append(w.identity(context, accepted), fact(flow.FactTransport, "tls"), fact(flow.FactTLSVersion, "TLS*"))
	switch {
	case w.opts.Cold:
		hop.Expect = append(hop.Expect, fact(flow.FactHandshakes, "1"))
	case w.opts.Warm && w.side == flow.Server: // the connection comes from a pool
		hop.Expect = append(hop.Expect, fact(flow.FactHandshakes, "0"))
	}
	w.add(flow.DownstreamTLS, source, hop)
}

// identity predicts the URI of the client's certificate, and the same in x-forwarded-client-cert where the connection
// manager writes it.
func (w *walk) identity(context configdump.Value, accepted []string) []flow.Fact {
	if w.req.TLS != flow.MTLS {
		return nil
	}
	uri := first(w.opts.Peer, onlyURI(accepted))
	if uri == "" {
		return nil
	}
	facts := []flow.Fact{fact(flow.FactPeerURI, uri)}
	w.chain.network()
	if w.chain.hcm == nil {
		return nil
	}
	manager := w.chain.hcm.at
	switch manager.Get("forward_client_cert_details").Text() {
	case "APPEND_FORWARD", "SANITIZE_SET", "2", "3":
		if manager.Get("set_current_client_cert_details", "uri").Bool() {
			facts = append(facts, fact(flow.FactXFCC, uri))
		}
	}
	return facts
}

// onlyURI returns the one identity that is accepted; "" when there are several or none, or when it is a pattern.
func onlyURI(accepted []string) string {
	if len(accepted) == 1 && strings.HasPrefix(accepted[0], "spiffe://") && !strings.HasSuffix(accepted[0], "/") && !strings.Contains(accepted[0], "*") {
		return accepted[0]
	}
	return ""
}

// clearChain is a chain without TLS: it reads the client's bytes as they are.
func (w *walk) clearChain(source configdump.Value) {
	hop := flow.Hop{Decision: "clear text", Why: "the chain has no TLS transport socket"}
	if w.req.encrypted() {
		hop.Decision = "TLS passed through"
		hop.Why = "the chain has no TLS transport socket: the client's TLS is not opened"
	} else {
		hop.Expect = append(hop.Expect, fact(flow.FactTLSVersion, flow.NoTLS))
	}
	hop.Expect = append(hop.Expect, fact(flow.FactHandshakes, "0"))
	w.add(flow.DownstreamTLS, source, hop)
}

// negotiated returns the application protocol that a handshake ends with. The server's order counts:
// SSL_select_next_proto in ContextImpl's ALPN callback.
func negotiated(context configdump.Value, offered []string) string {
	for _, p := range context.Get("common_tls_context", "alpn_protocols").Texts() {
		if slices.Contains(offered, p) {
			return p
		}
	}
	return ""
}
