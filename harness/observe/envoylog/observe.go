package envoylog

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/redact"
)

// Selection says which request to look for, in whose log.
type Selection struct {
	RequestID string // x-request-id that the request was sent with
	Authority string // with Path: finds the request when no stream has the id
	Path      string // empty: any
	// ip:port of the client's end: finds the connection when no request is found, such as a TCP
	// stream
	Peer    string
	From    string    // address of the client's pod, where its own sidecar dials; "": another address arrives
	IP      string    // address of the sidecar's own pod; "": unknown
	Pod     string    // "pod.namespace" of the sidecar
	Side    flow.Side // which half of the way the sidecar is
	Workers int       // worker threads of the sidecar; 0: unknown, and not checked
	Since   time.Time // when the log was asked to be complete from; zero: unknown
	Until   time.Time // when the answer was there; zero: unknown
	Warm    bool      // both connections were there before, so no line of their beginnings may be there
	// no connection was there before, so the lines of a cold request and none of the others are
	// demanded
	Cold      bool
	Several   bool // the client's sidecar made several attempts, so that each that arrives is told of
	AccessLog bool // the sidecar writes an access log into this log, so its lines are no surprise
}

// Canonical names of the filters whose work the debug log shows.
const (
	originalDst      = "envoy.filters.listener.original_dst"
	tlsInspector     = "envoy.filters.listener.tls_inspector"
	httpInspector    = "envoy.filters.listener.http_inspector"
	httpManager      = "envoy.filters.network.http_connection_manager"
	tcpProxy         = "envoy.filters.network.tcp_proxy"
	routerFilter     = "envoy.filters.http.router"
	metadataExchange = "istio.metadata_exchange"
	istioStats       = "istio.stats"
)

// Observe tells what the lines prove about the selected request, and how much of it the log
// can prove at all. Where several streams could be the request's it abstains: what one of
// them did says nothing of the others. A broken rule of order is an observation of
// flow.FactOrder, which refutes its hop.
func Observe(lines []Line, sel Selection) ([]flow.Observation, flow.Watch) {
	j := newJournal(lines)
	finding := j.find(sel)
	found := finding.own
	beside := &observer{exchange: &exchange{journal: j}, sel: sel}
	beside.next(finding)
	if len(found) > 1 {
		return append(beside.seen, j.accepted(sel)...), abstain(j, found, sel)
	}
	if len(found) == 0 && len(finding.came) > 0 { // the request did not come here, and its id did
		return beside.seen, flow.Watch{Instrument: flow.EnvoyLog, Pod: sel.Pod, Side: sel.Side, Complete: true}
	}
	if sel.Several && len(finding.arrivals) == 0 {
		finding.arrivals = found
	}
	beside.arrived(finding.arrivals)
	all := beside.seen
	for _, x := range found {
		o := &observer{exchange: x, sel: sel}
		o.downstream()
		o.http()
		o.filters()
		o.upstreamConnection()
		o.response()
		o.attempts()
		o.order()
		all = append(all, o.seen...)
	}
	var below []*phase
	if len(found) == 0 {
		below = j.connections(sel)
	}
	for _, p := range below {
		o := &observer{
			exchange: &exchange{journal: j, downstream: p.accepted.Connection, thread: p.accepted.Thread}, sel: sel,
		}
		o.connection(p)
		all = append(all, o.seen...)
	}
	all = append(all, j.accepted(sel)...)
	return all, watch(j, found, below, sel)
}

// observer turns the lines of one exchange into observations.
type observer struct {
	*exchange
	sel  Selection
	seen []flow.Observation
}

// see adds what line s proves about a hop. Facts come in pairs of name and value.
func (o *observer) see(s step, kind flow.HopKind, facts ...string) {
	seen := make([]flow.Seen, 0, len(facts)/2)
	for i := 0; i+1 < len(facts); i += 2 {
		seen = append(seen, flow.Seen{Name: facts[i], Value: facts[i+1]})
	}
	o.seen = append(o.seen, flow.Observation{
		Time: s.Time, Instrument: flow.EnvoyLog, Side: o.sel.Side, Kind: kind, Facts: seen, Raw: raw(*s.Line),
		Where: flow.Where{Pod: o.sel.Pod, Thread: s.Thread, Connection: cmp.Or(s.Connection, o.downstreamID()),
			Stream: s.Stream},
	})
}

func (o *observer) downstreamID() string { return o.exchange.downstream }

// raw returns a line as it may be kept with an observation: without secrets, and not
// longer than a screen.
func raw(line Line) string {
	const most = 4 << 10
	text := line.Text
	if len(line.Block) > 0 {
		text += "\n" + strings.Join(line.Block, "\n")
	}
	text = redact.Printable(redact.Text(text))
	if len(text) > most {
		text = text[:most] + "…"
	}
	return text
}

// downstream tells what the connection was when it was accepted.
func (o *observer) downstream() {
	if o.phase == nil {
		return
	}
	o.listenerFilters(o.phase)
	o.see(o.phase.accepted, flow.Listener, flow.FactPeer, o.phase.accepted.rest)
}

// listenerFilters tells what the listener filters said, unless it is unknown about which socket.
func (o *observer) listenerFilters(p *phase) {
	if p.unsure != "" {
		return
	}
	for _, s := range p.steps {
		o.listenerFilter(s)
	}
	for _, s := range p.others {
		_, name := flow.FilterOfSource(s.Source)
		o.see(s, flow.ListenerFilters, flow.FactFilter, name)
	}
}

func (o *observer) listenerFilter(s step) {
	switch s.event {
	case OriginalDstAccepted:
		o.see(s, flow.ListenerFilters, flow.FactFilter, originalDst)
	case OriginalDstSet:
		if s.rest != "" {
			o.see(s, flow.Redirect, flow.FactOriginalDst, s.rest)
		}
		o.see(s, flow.ListenerFilters, flow.FactFilter, originalDst)
	case TLSInspectorAccepted:
		o.see(s, flow.ListenerFilters, flow.FactFilter, tlsInspector)
	case TLSServerName:
		o.see(s, flow.ListenerFilters, flow.FactFilter, tlsInspector, flow.FactSNI, s.rest, flow.FactTransport, "tls")
	case TLSProtocols:
		o.see(s, flow.ListenerFilters, flow.FactFilter, tlsInspector, flow.FactALPN, s.rest)
	case TLSInspectorNotTLS:
		o.see(s, flow.ListenerFilters, flow.FactFilter, tlsInspector, flow.FactTransport, "raw_buffer")
	case HTTPInspectorAccepted:
		o.see(s, flow.ListenerFilters, flow.FactFilter, httpInspector)
	case HTTPInspectorSet: // it inspects only what is not TLS
		o.see(s, flow.ListenerFilters, flow.FactFilter, httpInspector, flow.FactTransport, "raw_buffer")
	}
}

// http tells what the HTTP connection manager, its filters and the router did.
func (o *observer) http() {
	o.see(o.headers, flow.NetworkFilters, flow.FactNetworkFilter, httpManager, flow.FactCodec, o.codec())
	if id := o.downstreamID(); id != "" {
		o.see(o.headers, flow.NetworkFilters, flow.FactConnection, id)
	}
	router, routed := o.first(RouterHeaders)
	if routed {
		o.see(router, flow.HTTPFilters, flow.FactHTTPFilter, routerFilter)
		o.headerDeltas(router)
		o.sent(router)
		if xfcc, ok := router.Header("x-forwarded-client-cert"); ok {
			if uri := clientURI(xfcc); uri != "" {
				o.see(router, flow.DownstreamTLS, flow.FactXFCC, uri)
			}
		}
	}
	for _, s := range o.own {
		switch s.event {
		case ClusterMatch:
			cluster, _, _ := clusterMatch(s.rest)
			o.see(s, flow.Cluster, flow.FactCluster, cluster)
		case UnknownCluster:
			o.see(s, flow.Cluster, flow.FactCluster, s.rest)
		}
	}
}

// codec tells HTTP/2 from HTTP/1 by the codec's own statements about the connection; else by
// :scheme, which is part of an HTTP/2 request and which the connection manager adds to an HTTP/1
// request only after this line.
func (o *observer) codec() string {
	for _, s := range o.journal.steps {
		if s.event == HTTP2Frame && s.Connection == o.exchange.downstream {
			return "http2"
		}
	}
	if _, ok := o.headers.Header(":scheme"); ok {
		return "http2"
	}
	return "http1"
}

// headerDeltas reads from the headers before and after the HTTP filters which filter acted between.
func (o *observer) headerDeltas(router step) {
	const peerMetadata = "x-envoy-peer-metadata"
	_, before := o.headers.Header(peerMetadata)
	_, after := router.Header(peerMetadata)
	if before != after {
		o.see(router, flow.HTTPFilters, flow.FactHTTPFilter, metadataExchange)
	}
	response, ok := o.first(ResponseHeaders)
	if !ok {
		return
	}
	for _, s := range o.journal.steps[response.index:] {
		if s.event == CodecCompleted && s.Stream == o.stream ||
			s.event == PoolResponseComplete && s.Connection == o.upstream {
			return
		}
		if s.event == StatsReport && s.Thread == o.thread {
			o.see(s, flow.HTTPFilters, flow.FactHTTPFilter, istioStats)
			return
		}
	}
}

// actingFilter names the HTTP filter whose logger prints statements about a stream only when
// the filter acts on it.
func actingFilter(logger string) string {
	switch logger {
	case "rbac":
		return "envoy.filters.http.rbac"
	case "jwt":
		return "envoy.filters.http.jwt_authn"
	case "ext_authz":
		return "envoy.filters.http.ext_authz"
	case "lua":
		return "envoy.filters.http.lua"
	}
	return ""
}

// clientURI returns the URI of the last element of an x-forwarded-client-cert, the one that the
// nearest client got.
func clientURI(xfcc string) string {
	elements := strings.Split(xfcc, ",")
	for _, pair := range strings.Split(elements[len(elements)-1], ";") {
		if name, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && strings.EqualFold(name, "URI") {
			return strings.Trim(value, `"`)
		}
	}
	return ""
}

// upstreamConnection tells which host was taken, by which transport socket, over which connection.
func (o *observer) upstreamConnection() {
	match, matched := o.first(ClusterMatch)
	router, routed := o.first(RouterHeaders)
	if matched && routed {
		for _, s := range o.journal.steps[match.index:router.index] {
			if s.Thread != o.thread {
				continue
			}
			switch s.event {
			case SocketMatch:
				name, _ := socketMatch(s.rest)
				o.see(s, flow.UpstreamTLS, flow.FactSocketMatch, name)
			case CreatedHost:
				o.see(s, flow.Endpoint, flow.FactEndpoint, hostAddress(s.rest))
			}
		}
	}
	if s, ok := o.ofUpstream(ConnectingTo); ok {
		o.see(s, flow.Endpoint, flow.FactEndpoint, s.rest)
		o.see(s, flow.Connect, flow.FactUpstreamRemote, s.rest)
	}
	if s, ok := o.first(PoolReady); ok {
		o.see(s, flow.Connect, flow.FactUpstreamReused, strconv.FormatBool(o.reused))
	}
}

// response tells what was sent downstream.
func (o *observer) response() {
	for _, s := range o.own {
		switch s.event {
		case ResponseHeaders:
			if status, ok := s.Header(":status"); ok {
				o.see(s, flow.App, flow.FactStatus, status)
			}
		case LocalReply:
			o.see(s, flow.Route, flow.FactDetails, s.rest)
		}
	}
}

// order adds the rules of order that the log breaks, and what shows that others were on the way.
func (o *observer) order() {
	variant := Variant{Workers: o.sel.Workers, Cold: o.sel.Cold, Warm: o.sel.Warm, AccessLog: o.sel.AccessLog}
	for _, v := range o.others(variant) {
		o.see(step{Line: &v.Lines[0]}, v.Kind, flow.FactOthers, v.Sentence)
	}
	for _, v := range o.check(variant) {
		s := o.headers
		if len(v.Lines) > 0 {
			s = step{Line: &v.Lines[0]}
		}
		o.see(s, v.Kind, flow.FactOrder, v.Rule+": "+v.Sentence)
		o.seen[len(o.seen)-1].Raw = v.text()
	}
}

// accepted counts the connections that were redirected to the sidecar and accepted between Since
// and Until. Those to the sidecar's own ports, such as a probe of its health, pass no listener
// filter and do not count.
func (j *journal) accepted(sel Selection) []flow.Observation {
	if sel.Since.IsZero() || sel.Until.IsZero() {
		return nil
	}
	count, lines := 0, []string{}
	for _, s := range j.steps {
		if s.event == NewConnection && j.redirected(s) && !s.Time.Before(sel.Since) && !s.Time.After(sel.Until) {
			count++
			lines = append(lines, raw(*s.Line))
		}
	}
	return []flow.Observation{{
		Time: sel.Until, Instrument: flow.EnvoyLog, Where: flow.Where{Pod: sel.Pod}, Side: sel.Side,
		Kind:  flow.Listener,
		Facts: []flow.Seen{{Name: flow.FactConnections, Value: strconv.Itoa(count)}},
		Raw:   strings.Join(lines[:min(len(lines), 5)], "\n"),
	}}
}

// redirected reports whether listener filters ran for the connection that is accepted at s.
func (j *journal) redirected(s step) bool {
	return slices.ContainsFunc(j.phases[s.Connection], func(p *phase) bool {
		return p.accepted.index == s.index && len(p.steps) > 0 && !p.unlike
	})
}
