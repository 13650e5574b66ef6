package connection

import (
	"cmp"
	"slices"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
	"github.com/flowproof/lab/harness/infer/say"
)

// DownstreamTLS decides whether the chain terminates TLS, and whether the client
// can do what it asks.
func DownstreamTLS(w *passage.Walk) {
	if w.Chain == nil { // datagrams have none
		return
	}
	context := proxy.TLSContext(w.Chain.TLS)
	source := w.Chain.TLS
	if !source.Exists() {
		source = w.Chain.At
	}
	if !context.Exists() {
		clearChain(w, source)
		return
	}
	accepted := proxy.AcceptedNames(context.Get("common_tls_context").Message())
	hop := flow.Hop{Decision: "TLS terminated", Why: "the chain's transport socket is TLS"}
	required := context.Get("require_client_certificate").Bool()
	switch {
	case !w.Req.Encrypted():
		hop.Decision, hop.Why = "TLS handshake fails",
			"the chain's transport socket is TLS and the client speaks clear text"
		w.Add(flow.DownstreamTLS, source, hop)
		w.Fail(flow.TLSError, "")
		return
	case required && w.Req.TLS != flow.MTLS:
		hop.Decision, hop.Why = "TLS handshake fails", "require_client_certificate is true and the client has no "+
			"certificate"
		w.Add(flow.DownstreamTLS, context.Get("require_client_certificate"), hop)
		w.Fail(flow.MTLSError, "")
		return
	case required:
		hop.Decision = "mutual TLS terminated"
		hop.Why = "the chain's transport socket is TLS with require_client_certificate"
		if len(accepted) > 0 {
			hop.Why += " and accepts " + say.List(accepted)
		}
	}
	w.Conn.Terminated = true
	hop.Expect = append(identity(w, accepted), passage.Fact(flow.FactTransport, "tls"),
		passage.Fact(flow.FactTLSVersion, "TLS*"))
	switch {
	case w.Opts.Cold:
		hop.Expect = append(hop.Expect, passage.Fact(flow.FactHandshakes, "1"))
	case w.Opts.Warm && w.Side == flow.Server: // the connection comes from a pool
		hop.Expect = append(hop.Expect, passage.Fact(flow.FactHandshakes, "0"))
	}
	w.Add(flow.DownstreamTLS, source, hop)
}

// identity predicts the URI of the client's certificate, and the same in x-forwarded-client-cert
// where the connection manager writes it.
func identity(w *passage.Walk, accepted []string) []flow.Fact {
	if w.Req.TLS != flow.MTLS {
		return nil
	}
	uri := cmp.Or(w.Opts.Peer, proxy.OnlyURI(accepted))
	if uri == "" {
		return nil
	}
	facts := []flow.Fact{passage.Fact(flow.FactPeerURI, uri)}
	w.Chain.Network()
	if w.Chain.HCM == nil {
		return nil
	}
	manager := w.Chain.HCM.At
	switch manager.Get("forward_client_cert_details").Text() {
	case "APPEND_FORWARD", "SANITIZE_SET", "2", "3":
		if manager.Get("set_current_client_cert_details", "uri").Bool() {
			facts = append(facts, passage.Fact(flow.FactXFCC, uri))
		}
	}
	return facts
}

// clearChain is a chain without TLS: it reads the client's bytes as they are.
func clearChain(w *passage.Walk, source configdump.Value) {
	hop := flow.Hop{Decision: "clear text", Why: "the chain has no TLS transport socket"}
	if w.Req.Encrypted() {
		hop.Decision = "TLS passed through"
		hop.Why = "the chain has no TLS transport socket: the client's TLS is not opened"
	} else {
		hop.Expect = append(hop.Expect, passage.Fact(flow.FactTLSVersion, flow.NoTLS))
	}
	hop.Expect = append(hop.Expect, passage.Fact(flow.FactHandshakes, "0"))
	w.Add(flow.DownstreamTLS, source, hop)
}

// negotiated returns the application protocol that a handshake ends with. The server's order
// counts: SSL_select_next_proto in ContextImpl's ALPN callback.
func negotiated(context configdump.Value, offered []string) string {
	for _, p := range context.Get("common_tls_context", "alpn_protocols").Texts() {
		if slices.Contains(offered, p) {
			return p
		}
	}
	return ""
}
