package infer

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// Canonical names of the listener filters that decide something.
const (
	originalDst   = "envoy.filters.listener.original_dst"
	originalSrc   = "envoy.filters.listener.original_src"
	tlsInspector  = "envoy.filters.listener.tls_inspector"
	httpInspector = "envoy.filters.listener.http_inspector"
	proxyProtocol = "envoy.filters.listener.proxy_protocol"
)

// A listenerFilter is envoy.config.listener.v3.ListenerFilter.
type listenerFilter struct {
	at       configdump.Value
	name     string // as it stands
	kind     string // canonical name
	disabled configdump.Value
}

func newListenerFilter(v configdump.Value) listenerFilter {
	f := listenerFilter{at: v, name: v.Get("name").Text(), disabled: v.Get("filter_disabled")}
	_, message := v.Get("typed_config").Typed()
	f.kind = canonicalFilter(f.name, message)
	return f
}

// listenerFilters runs the filters of the listener in order and keeps what they detect.
func (w *walk) listenerFilters() {
	var ran []string
	pooled := w.opts.Warm && w.side == flow.Server
	kept := !w.opts.Cold && w.side == flow.Server && w.opts.Peer != "" // a sidecar sends, and may have kept a connection
	hop := flow.Hop{Expect: w.beforeHandOver()}
	if w.req.Protocol == http3 { // EnvoyQuicDispatcher: the handshake's first packet says it
		w.conn.transport, w.conn.serverName, w.conn.alpn = "quic", w.req.SNI, w.req.ALPN
	}
	for _, f := range w.listener.filters {
		if why, off := w.filterDisabled(f.disabled); off {
			hop.Rejected = append(hop.Rejected, flow.Alternative{Name: f.name, Source: f.disabled.Pointer(), Why: why})
			hop.Expect = append(hop.Expect, absent(flow.FactFilter, f.kind))
			continue
		}
		ran = append(ran, f.name)
		if pooled {
			hop.Expect = append(hop.Expect, absent(flow.FactFilter, f.kind))
		} else {
			hop.Expect = append(hop.Expect, flow.Fact{Name: flow.FactFilter, Value: f.kind, May: kept})
		}
		w.inspect(f)
	}
	hop.Decision, hop.Why = strings.Join(ran, ", "), w.detected(ran)
	if pooled {
		hop.Why += "; they ran when the connection was accepted, which the client's sidecar has kept, so none runs now"
	}
	if kept && !pooled {
		hop.Why += "; they ran when the connection was accepted, which the client's sidecar may have kept"
	}
	if len(ran) == 0 {
		hop.Decision = "none"
	}
	if len(w.listener.filters) == 0 {
		hop.Expect = append(hop.Expect, absent(flow.FactFilter, tlsInspector), absent(flow.FactFilter, httpInspector))
	}
	if w.conn.serverName != "" {
		hop.Expect = append(hop.Expect, fact(flow.FactSNI, w.conn.serverName))
	}
	if len(w.conn.alpn) > 0 && w.conn.transport == "tls" {
		hop.Expect = append(hop.Expect, fact(flow.FactALPN, strings.Join(w.conn.alpn, ",")))
	}
	if w.ran(tlsInspector) {
		hop.Expect = append(hop.Expect, fact(flow.FactTransport, w.conn.transport))
	}
	source := w.listener.at.Get("listener_filters")
	if !source.Exists() {
		source = w.listener.at.Value
	}
	w.add(flow.ListenerFilters, source, hop)
}

// beforeHandOver are the filters of the listener that handed the connection over: they ran before it did.
func (w *walk) beforeHandOver() (facts []flow.Fact) {
	if w.via == nil {
		return nil
	}
	for _, f := range w.via.filters {
		if _, off := w.filterDisabled(f.disabled); !off {
			facts = append(facts, fact(flow.FactFilter, f.kind))
		}
	}
	return facts
}

// ran says whether the listener has the filter and it is not disabled for this connection.
func (w *walk) ran(kind string) bool {
	for _, f := range w.listener.filters {
		if _, off := w.filterDisabled(f.disabled); f.kind == kind && !off {
			return true
		}
	}
	return false
}

// inspect keeps what one filter learns from the connection's first bytes.
func (w *walk) inspect(f listenerFilter) {
	if w.assumedInner && (f.kind == tlsInspector || f.kind == httpInspector) {
		w.openInner(f.at)
	}
	switch f.kind {
	case originalDst:
		if w.conn.internal {
			w.restoreInside()
		}
	case proxyProtocol: // Filter::onReadWorker restores the header's destination, where there is a header
		if w.req.direct.IsValid() && w.req.direct != w.req.src {
			w.conn.restored = true
		}
	case tlsInspector:
		if w.req.encrypted() && w.req.transport() == overTCP {
			w.conn.transport, w.conn.serverName, w.conn.alpn = "tls", w.req.SNI, w.req.ALPN
		}
	case httpInspector:
		// The inspector leaves alone what tls_inspector has recognised: HttpInspector::Filter::onAccept.
		if w.conn.transport == "tls" || w.req.encrypted() {
			return
		}
		switch w.req.Protocol {
		case http10:
			w.conn.alpn = []string{"http/1.0"}
		case http11:
			w.conn.alpn = []string{"http/1.1"}
		case http2, grpc:
			w.conn.alpn = []string{"h2c"}
		}
	}
}

// detected says in one sentence what is known before a filter chain is chosen.
func (w *walk) detected(ran []string) string {
	c := w.conn
	text := "transport protocol " + c.transport
	if c.transport == "raw_buffer" && w.req.encrypted() {
		text += ", although the client speaks TLS, because no tls_inspector looks at its first bytes"
	}
	if c.serverName != "" {
		text += ", server name " + c.serverName
	}
	if len(c.alpn) > 0 {
		text += ", application protocol " + strings.Join(c.alpn, ",")
	} else {
		text += ", no application protocol"
	}
	if len(ran) == 0 {
		return "no filter runs on " + w.conn.local.String() + ": " + text
	}
	return text
}

// filterDisabled evaluates a ListenerFilterChainMatchPredicate for the restored destination.
func (w *walk) filterDisabled(v configdump.Value) (why string, disabled bool) {
	if !v.Exists() || !w.predicate(v, 0) {
		return "", false
	}
	return fmt.Sprintf("filter_disabled holds for destination port %d", w.conn.local.Port()), true
}

func (w *walk) predicate(v configdump.Value, depth int) bool {
	if depth > 64 {
		return false
	}
	for name, rule := range v.Fields() {
		switch name {
		case "or_match", "orMatch":
			for _, r := range rule.Get("rules").Elements() {
				if w.predicate(r, depth+1) {
					return true
				}
			}
			return false
		case "and_match", "andMatch":
			for _, r := range rule.Get("rules").Elements() {
				if !w.predicate(r, depth+1) {
					return false
				}
			}
			return true
		case "not_match", "notMatch":
			return !w.predicate(rule, depth+1)
		case "any_match", "anyMatch":
			return rule.Bool()
		case "destination_port_range", "destinationPortRange":
			port, start, end := uint64(w.conn.local.Port()), rule.Get("start").Uint(), rule.Get("end").Uint()
			return w.check(rule, port >= start && port < end, "destination port %d is in [%d, %d)", port, start, end)
		}
	}
	return false
}
