package trace

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// Observe tells what the recording proves about the request, and how well each pod was watched. It
// knows nothing of the configuration: a value that no probe read is not observed.
func (r *Recording) Observe(sel Selection) ([]flow.Observation, []flow.Watch) {
	j := newJournal(r.Events)
	o := &observer{recording: r, journal: j, chain: j.follow(r, sel)}
	o.client()
	o.server()
	o.inside(flow.Client, o.chain.downstream, o.chain.clientJoin)
	o.inside(flow.Server, o.chain.serverDown, o.chain.serverJoin)
	var watches []flow.Watch
	_, server := j.ends(r, sel)
	for i := range r.Pods {
		if r.Pods[i].Side == flow.Server && r.Pods[i].Name != server {
			continue // the request did not come there
		}
		watches = append(watches, o.watch(&r.Pods[i]))
	}
	slices.SortStableFunc(o.seen, func(a, b flow.Observation) int { return a.Time.Compare(b.Time) })
	return o.seen, watches
}

type observer struct {
	recording *Recording
	journal   *journal
	chain     *chain
	seen      []flow.Observation
}

// see adds what an event proves about a hop. Facts come in pairs of name and value; one
// without a value is none.
func (o *observer) see(side flow.Side, e *Event, kind flow.HopKind, facts ...string) {
	var seen []flow.Seen
	for i := 0; i+1 < len(facts); i += 2 {
		if facts[i+1] != "" {
			seen = append(seen, flow.Seen{Name: facts[i], Value: facts[i+1]})
		}
	}
	if e == nil || len(seen) == 0 {
		return
	}
	o.seen = append(o.seen, flow.Observation{Time: e.Time, Instrument: flow.Trace, Side: side, Kind: kind, Facts: seen,
		Where: flow.Where{Pod: e.Pod, PID: int(e.PID), Thread: e.Thread}, Raw: e.String()})
}

// client tells of the client's pod.
func (o *observer) client() {
	c := o.chain
	if app := c.clientApp; app != nil && app.connected != nil {
		dialled := app.connected.Address
		o.see(flow.Client, app.connected, flow.Redirect, flow.FactOriginalDst, endText(dialled), flow.FactPeer,
			app.local.String())
		o.see(flow.Client, app.connected, flow.Resolve, flow.FactResolved, addrText(dialled))
		if e := app.response(Read, app.connected); e != nil {
			o.see(flow.Client, e, flow.App, flow.FactStatus, strconv.Itoa(e.HTTP.Status))
		}
	}
	o.downstream(flow.Client, c.downstream)
	o.upstream(flow.Client, c.upstream, c.downstream, c.clientRequest)
}

// server tells of the server's pod.
func (o *observer) server() {
	c := o.chain
	o.downstream(flow.Server, c.serverDown)
	o.upstream(flow.Server, c.serverUp, c.serverDown, c.serverRequest)
	if up := c.serverUp; up != nil {
		o.see(flow.Server, c.serverRequest, flow.DownstreamTLS, flow.FactXFCC, c.serverRequest.HTTP.ClientURI)
	}
	app := c.serverApp
	if app == nil {
		return
	}
	o.see(flow.Server, app.first(), flow.App, flow.FactPeer, app.remote.String(), flow.FactProcess, app.process)
	o.arrived(c.appRequest)
	if e := app.response(Write, c.appRequest); e != nil {
		o.see(flow.Server, e, flow.App, flow.FactUpstreamStatus, strconv.Itoa(e.HTTP.Status))
	}
}

// arrived tells of the request as the application reads it.
func (o *observer) arrived(e *Event) {
	method, rest, ok := strings.Cut(requestLine(e), " ")
	path, _, also := strings.Cut(rest, " HTTP/")
	if !ok || !also {
		return
	}
	o.see(flow.Server, e, flow.App, flow.FactMethod, method, flow.FactPath, path, flow.FactAuthority, e.HTTP.Host)
	for _, header := range e.HTTP.Headers {
		o.see(flow.Server, e, flow.App, flow.FactHeader, header)
	}
}

// requestLine is the request line that an event read; "" where it read none, or not all of it.
func requestLine(e *Event) string {
	const end = " HTTP/1." // and a digit
	if e == nil || !e.HTTP.Request() || strings.LastIndex(e.HTTP.Line, end) != len(e.HTTP.Line)-len(end)-1 {
		return ""
	}
	return e.HTTP.Line
}

// downstream tells of a connection that a sidecar accepted.
func (o *observer) downstream(side flow.Side, s *socket) {
	if s == nil {
		return
	}
	at := s.first()
	o.see(side, at, flow.Redirect, flow.FactRedirectPort, strconv.Itoa(int(s.local.Port())), flow.FactPeer,
		s.remote.String(), flow.FactProcess, s.process)
	o.see(side, at, flow.Listener, flow.FactPeer, s.remote.String(), flow.FactListening, o.listening(s))
	if e := s.originalDst; e != nil && e.Result == 0 {
		o.see(side, e, flow.Redirect, flow.FactOriginalDst, endText(e.Address))
		o.see(side, e, flow.ListenerFilters, flow.FactFilter, originalDstFilter)
	}
	if e := s.redirected; e != nil {
		o.see(side, e, flow.Redirect, flow.FactOriginalDst, endText(e.Address))
	}
	o.peeked(side, s)
	o.codec(side, s)
	if e := s.hello(Write, true); e != nil {
		o.see(side, e, flow.DownstreamTLS, flow.FactTransport, "tls")
	} else if e := s.head(Write, false); e != nil {
		o.see(side, e, flow.DownstreamTLS, flow.FactTransport, "raw_buffer")
	}
}

// peeked tells what a listener filter could see when it looked. Only tls_inspector looks at
// a ClientHello: http_inspector skips what is TLS. At clear text both look, and which of
// them did is not told here.
func (o *observer) peeked(side flow.Side, s *socket) {
	e := s.peeked
	if e == nil {
		return
	}
	if h := e.Hello; h != nil && !h.Server {
		o.see(side, e, flow.ListenerFilters, flow.FactFilter, tlsInspector, flow.FactTransport, "tls",
			flow.FactSNI, h.ServerName, flow.FactALPN, strings.Join(h.ALPN, ","))
		return
	}
	if e.Clear {
		o.see(side, e, flow.ListenerFilters, flow.FactTransport, "raw_buffer")
	}
}

// codec tells HTTP/1 from HTTP/2 where the downstream's bytes are clear.
func (o *observer) codec(side flow.Side, s *socket) {
	if e := s.head(Read, true); e != nil {
		o.see(side, e, flow.NetworkFilters, flow.FactCodec, e.HTTP.Codec)
	}
}

// upstream tells of a connection that a sidecar made, and how it was used for the request, which
// came over down.
func (o *observer) upstream(side flow.Side, s, down *socket, request *Event) {
	if s == nil {
		return
	}
	at := s.first()
	o.see(side, at, flow.Connect, flow.FactUpstreamLocal, s.local.String(), flow.FactUpstreamRemote, s.remote.String(),
		flow.FactProcess, s.process, flow.FactUpstreamReused, o.reused(s, down, request))
	o.see(side, at, flow.Endpoint, flow.FactEndpoint, s.remote.String())
	if e := s.hello(Write, false); e != nil {
		h := e.Hello
		o.see(side, e, flow.UpstreamTLS, flow.FactTransport, "tls", flow.FactSNI, h.ServerName, flow.FactALPN,
			strings.Join(h.ALPN, ","))
	} else if e := s.head(Write, true); e != nil {
		o.see(side, e, flow.UpstreamTLS, flow.FactTransport, "raw_buffer")
	}
}

// reused says whether the request went over a connection that was there before it: one that was
// open when the watch began, one that carried another request before, or, where TLS hides that, one
// over which a handshake was when the request came. It is "" for one that was being dialled then,
// or that was dialled since the request's own connection was accepted, as it is where no HTTP is
// looked at: whether Envoy gave it to the request as a new one is not told.
func (o *observer) reused(s, down *socket, request *Event) string {
	if s.connected == nil {
		return "true"
	}
	if first := s.head(Write, true); first != nil && first.Time.Before(request.Time) && first != request {
		return "true"
	}
	if !s.connected.Time.Before(request.Time) || s.head(Write, true) == request {
		return "false"
	}
	if down != nil && down.accepted != nil && down.accepted.Time.Before(s.connected.Time) {
		return ""
	}
	written := 0
	for _, e := range s.writes {
		if e.Time.Before(request.Time) && e.Result > 0 {
			written++
		}
	}
	if written > 1 { // the ClientHello, and what ends the handshake
		return "true"
	}
	return ""
}

// dialling says that a side's connection was being dialled when the request came.
func (o *observer) dialling(side flow.Side) bool {
	up, down, request := o.chain.upstream, o.chain.downstream, o.chain.clientRequest
	if side == flow.Server {
		up, down, request = o.chain.serverUp, o.chain.serverDown, o.chain.serverRequest
	}
	return up != nil && request != nil && o.reused(up, down, request) == ""
}

// endText and addrText write an address; "" where there is none.
func endText(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func addrText(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.Addr().String()
}

// listening is the address of the listening socket that a connection came to.
func (o *observer) listening(s *socket) string {
	for _, l := range o.journal.listening(s.pod) {
		if l.Port() == s.local.Port() && (l.Addr().IsUnspecified() || l.Addr() == s.local.Addr()) {
			return l.String()
		}
	}
	return ""
}
