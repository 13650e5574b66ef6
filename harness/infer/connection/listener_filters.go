package connection

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
)

// ListenerFilters runs the filters of the listener in order and keeps what they detect.
func ListenerFilters(w *passage.Walk) {
	var ran []string
	inspected := false // by tls_inspector
	pooled := w.Opts.Warm && w.Side == flow.Server
	// a sidecar sends, and may have kept a connection
	kept := !w.Opts.Cold && w.Side == flow.Server && w.Opts.Peer != ""
	hop := flow.Hop{Expect: beforeHandOver(w)}
	if w.Req.Protocol == passage.HTTP3 { // EnvoyQuicDispatcher: the handshake's first packet says it
		w.Conn.Transport, w.Conn.ServerName, w.Conn.Alpn = "quic", w.Req.SNI, w.Req.ALPN
	}
	for _, f := range w.Listener.Filters {
		if why, off := filterDisabled(w, f.Disabled); off {
			hop.Rejected = append(hop.Rejected, flow.Alternative{Name: f.Name, Source: f.Disabled.Pointer(), Why: why})
			hop.Expect = append(hop.Expect, passage.Absent(flow.FactFilter, f.Kind))
			continue
		}
		ran, inspected = append(ran, f.Name), inspected || f.Kind == proxy.TLSInspector
		if pooled {
			hop.Expect = append(hop.Expect, passage.Absent(flow.FactFilter, f.Kind))
		} else {
			hop.Expect = append(hop.Expect, flow.Fact{Name: flow.FactFilter, Value: f.Kind, May: kept})
		}
		inspect(w, f)
	}
	hop.Decision, hop.Why = strings.Join(ran, ", "), detected(w, ran)
	if pooled {
		hop.Why += "; they ran when the connection was accepted, which the client's sidecar has kept, so none runs now"
	}
	if kept && !pooled {
		hop.Why += "; they ran when the connection was accepted, which the client's sidecar may have kept"
	}
	if len(ran) == 0 {
		hop.Decision = "none"
	}
	if len(w.Listener.Filters) == 0 {
		hop.Expect = append(hop.Expect, passage.Absent(flow.FactFilter, proxy.TLSInspector),
			passage.Absent(flow.FactFilter, proxy.HTTPInspector))
	}
	if w.Conn.ServerName != "" {
		hop.Expect = append(hop.Expect, passage.Fact(flow.FactSNI, w.Conn.ServerName))
	}
	if len(w.Conn.Alpn) > 0 && w.Conn.Transport == "tls" {
		hop.Expect = append(hop.Expect, passage.Fact(flow.FactALPN, strings.Join(w.Conn.Alpn, ",")))
	}
	if inspected {
		hop.Expect = append(hop.Expect, passage.Fact(flow.FactTransport, w.Conn.Transport))
	}
	source := w.Listener.At.Get("listener_filters")
	if !source.Exists() {
		source = w.Listener.At.Value
	}
	w.Add(flow.ListenerFilters, source, hop)
}

// beforeHandOver are the filters of the listener that handed the connection over:
// they ran before it did.
func beforeHandOver(w *passage.Walk) (facts []flow.Fact) {
	if w.Via == nil {
		return nil
	}
	for _, f := range w.Via.Filters {
		if _, off := filterDisabled(w, f.Disabled); !off {
			facts = append(facts, passage.Fact(flow.FactFilter, f.Kind))
		}
	}
	return facts
}

// inspect keeps what one filter learns from the connection's first bytes.
func inspect(w *passage.Walk, f proxy.ListenerFilter) {
	if w.AssumedInner && (f.Kind == proxy.TLSInspector || f.Kind == proxy.HTTPInspector) {
		w.OpenInner(f.At)
	}
	switch f.Kind {
	case proxy.OriginalDst:
		if w.Conn.Internal {
			restoreInside(w)
		}
	case proxy.ProxyProtocol: // Filter::onReadWorker restores the header's destination, where there is a header
		if w.Req.Direct.IsValid() && w.Req.Direct != w.Req.Src {
			w.Conn.Restored = true
		}
	case proxy.TLSInspector:
		if w.Req.Encrypted() && w.Req.Transport() == proxy.OverTCP {
			w.Conn.Transport, w.Conn.ServerName, w.Conn.Alpn = "tls", w.Req.SNI, w.Req.ALPN
		}
	case proxy.HTTPInspector:
		// The inspector leaves alone what tls_inspector has recognised:
		// HttpInspector::Filter::onAccept.
		if w.Conn.Transport == "tls" || w.Req.Encrypted() {
			return
		}
		switch w.Req.Protocol {
		case passage.HTTP10:
			w.Conn.Alpn = []string{"http/1.0"}
		case passage.HTTP11:
			w.Conn.Alpn = []string{"http/1.1"}
		case passage.HTTP2, passage.GRPC:
			w.Conn.Alpn = []string{"h2c"}
		}
	}
}

// detected says in one sentence what is known before a filter chain is chosen.
func detected(w *passage.Walk, ran []string) string {
	c := w.Conn
	text := "transport protocol " + c.Transport
	if c.Transport == "raw_buffer" && w.Req.Encrypted() {
		text += ", although the client speaks TLS, because no tls_inspector looks at its first bytes"
	}
	if c.ServerName != "" {
		text += ", server name " + c.ServerName
	}
	if len(c.Alpn) > 0 {
		text += ", application protocol " + strings.Join(c.Alpn, ",")
	} else {
		text += ", no application protocol"
	}
	if len(ran) == 0 {
		return "no filter runs on " + w.Conn.Local.String() + ": " + text
	}
	return text
}

// filterDisabled evaluates a ListenerFilterChainMatchPredicate for the restored destination.
func filterDisabled(w *passage.Walk, v configdump.Value) (why string, disabled bool) {
	if !v.Exists() || !predicate(w, v, 0) {
		return "", false
	}
	return fmt.Sprintf("filter_disabled holds for destination port %d", w.Conn.Local.Port()), true
}

func predicate(w *passage.Walk, v configdump.Value, depth int) bool {
	if depth > match.MaxDepth {
		return false
	}
	for name, rule := range v.Fields() {
		switch configdump.FieldName(name) {
		case "or_match":
			for _, r := range rule.Get("rules").Elements() {
				if predicate(w, r, depth+1) {
					return true
				}
			}
			return false
		case "and_match":
			for _, r := range rule.Get("rules").Elements() {
				if !predicate(w, r, depth+1) {
					return false
				}
			}
			return true
		case "not_match":
			return !predicate(w, rule, depth+1)
		case "any_match":
			return rule.Bool()
		case "destination_port_range":
			port, start, end := uint64(w.Conn.Local.Port()), rule.Get("start").Uint(), rule.Get("end").Uint()
			return w.Check(rule, port >= start && port < end, "destination port %d is in [%d, %d)", port, start, end)
		}
	}
	return false
}
