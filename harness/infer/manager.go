package infer

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/filters"
	"github.com/flowproof/lab/harness/infer/match"
)

// An httpManager is envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.
type httpManager struct {
	at      configdump.Message
	filters []baseFilter
}

func newManager(v configdump.Value) *httpManager {
	m := &httpManager{at: v.Message()}
	for _, f := range m.at.Get("http_filters").Elements() {
		m.filters = append(m.filters, newBaseFilter(f))
	}
	return m
}

// httpRequest takes an HTTP request through the connection manager. Envoy chooses the route before the filters run,
// because filters are configured by route too; the router, the last filter, then follows it.
func (w *walk) httpRequest() {
	if w.hcm == nil {
		return
	}
	if w.refuse(w.codecRefused()) || w.refuse(w.underscoresRefused()) || w.refuse(w.targetRefused()) || w.refuse(w.versionRefused()) ||
		w.refuse(w.hostRefused()) || w.refuse(w.pathRefused()) {
		return
	}
	w.prepareHeaders()
	if w.refuse(w.detectionRefused()) {
		return
	}
	w.deciding = flow.Route
	found := w.findRoute()
	w.deciding = flow.HTTPFilters
	if (w.route != nil || found.status/100 == 3) && w.refuse(w.upgradeRefused()) { // without a route 404 is the answer
		return
	}
	if found = w.httpFilters(found); w.done {
		return
	}
	w.deciding = flow.Route
	w.finalise(&found)
	w.end(found)
}

// connectWithPath says whether the route makes a path for a CONNECT, which has none and stays a CONNECT.
// (Http::HeaderUtility::checkRequiredRequestHeaders)
func (w *walk) connectWithPath() bool {
	return w.req.Method == "CONNECT" && !w.req.isHTTP2() && !w.terminatesConnect() && w.out.Rewrite != nil && w.out.Rewrite.Path != ""
}

// end ends the hop of the route, and the way where the route ends it.
func (w *walk) end(found routeResult) {
	w.add(flow.Route, found.source, found.hop)
	switch {
	case found.failure != "":
		w.fail(found.failure, found.flag)
		w.out.Status = w.localStatus(found.status)
	case found.status != 0:
		w.answer(found.status, found.location)
	case found.unknown:
		w.out.Outcome, w.done = flow.Forwarded, true
	}
}

// finalise does what the router does when it follows the route: it changes headers, host and path of the request as the
// filters have left it, and says where a redirect leads. (RouteEntryImplBase::finalizeRequestHeaders)
func (w *walk) finalise(found *routeResult) {
	if w.route == nil || found.failure != "" {
		return
	}
	if !w.route.at.Has("route") {
		if found.location != "" {
			again := w.follow(w.route)
			found.status, found.location, found.hop.Decision = again.status, again.location, again.hop.Decision
		}
		return
	}
	if found.unknown {
		return
	}
	w.addHeaders()
	w.rewrite(w.route.action, w.route)
	if w.connectWithPath() {
		found.failure, found.flag, found.status = flow.ProtocolError, "DPE", 503
		found.hop.Why = joinWhy(found.hop.Why, "a CONNECT has no path, and the route rewrites it, which the codec towards the cluster refuses: Envoy answers 503 (DPE)")
		return
	}
	if w.out.Mirrors = w.mirrors(); len(w.out.Mirrors) > 0 {
		found.hop.Why = joinWhy(found.hop.Why, mirrorText(w.out.Mirrors))
	}
	if cause, open := w.req.header.Open(":path"); open {
		w.open(flow.WhatPath, cause.On, cause.Why, w.hcm.at.Value)
	}
}

// addHeaders applies request_headers_to_add and _to_remove of route, virtual host and route configuration, in the other order
// with most_specific_header_mutations_wins.
func (w *walk) addHeaders() {
	weighted := w.weightedEntry()
	levels := []headerLevel{
		{weighted.Get("request_headers_to_add"), weighted.Get("request_headers_to_remove")},
		{w.route.at.Get("request_headers_to_add"), w.route.at.Get("request_headers_to_remove")},
		{w.vhost.at.Get("request_headers_to_add"), w.vhost.at.Get("request_headers_to_remove")}, w.table.headers,
	}
	if w.table.specificWins {
		levels[0], levels[1], levels[2], levels[3] = levels[3], levels[2], levels[1], levels[0]
	}
	cause := match.Cause{On: "a value that the route adds", Why: "the route adds a value to it that is not known"}
	for _, level := range levels {
		for _, name := range level.remove.Elements() {
			w.req.header.Remove(name.Text())
		}
		for _, option := range level.add.Elements() {
			filters.AddHeader(w.req.header, option, w.formatted, cause)
		}
	}
}

// A headerLevel is what one level of a route configuration does to headers.
type headerLevel struct{ add, remove configdump.Value }

// prepareHeaders does to the request's headers what the connection manager does before it asks for a route:
// ConnectionManagerUtility::mutateRequestHeaders and maybeNormalizePath.
func (w *walk) prepareHeaders() {
	h, m := w.req.header, w.hcm.at
	w.mutateEarly()
	if path, ok := h.Get(":path"); ok {
		h.Set(":path", normalisePath(m, path))
	}
	if host, ok := h.Get(":authority"); ok {
		h.Set(":authority", w.strippedHost(host))
	}
	client := w.findClient()
	w.client = client.addr
	secure := "http"
	if w.conn.terminated {
		secure = "https"
	}
	proto, given := h.Get("x-forwarded-proto")
	if !given || m.Get("use_remote_address").Bool() && m.Get("xff_num_trusted_hops").Uint() == 0 {
		why := "the request has none: whether this connection is encrypted"
		if given {
			why = "use_remote_address without xff_num_trusted_hops: whether this connection is encrypted, not what the request says (" + proto + ")"
		}
		proto = secure
		h.Set("x-forwarded-proto", proto)
		w.cause("x-forwarded-proto", proto, why)
	} else {
		w.cause("x-forwarded-proto", proto, "as the request has it")
	}
	if to := m.Get("scheme_header_transformation", "scheme_to_overwrite").Text(); to != "" {
		h.Set(":scheme", to)
		h.Set("x-forwarded-proto", to)
	}
	scheme, given := h.Get(":scheme")
	if !given {
		if scheme = secure; strings.EqualFold(proto, "http") || strings.EqualFold(proto, "https") {
			scheme = proto
		}
	}
	h.Set(":scheme", strings.ToLower(scheme))
	w.sanitise(client)
}

// cause keeps what the connection manager made of something and by which field, to be said where it decides, and to be shown
// with Options.Explain.
func (w *walk) cause(name, value, why string) {
	if w.causes == nil {
		w.causes = map[string]string{}
	}
	w.causes[name] = why
	if w.opts.Explain {
		w.trail = append(w.trail, flow.Condition{Text: name + ": " + why, Source: w.hcm.at.Pointer(), Holds: true, Value: value})
	}
}

// strippedHost removes what the connection manager is told to remove from the authority: a trailing dot, any port, or
// the port that is the listener's own.
func (w *walk) strippedHost(host string) string {
	at := w.hcm.at
	name, port := splitPort(host)
	if at.Get("strip_trailing_host_dot").Bool() {
		name = strings.TrimSuffix(name, ".")
	}
	switch {
	case port == "" && !strings.HasSuffix(host, ":"):
		return name
	case !digits(port):
	case at.Get("strip_any_host_port").Bool():
		return name
	case at.Get("strip_matching_host_port").Bool() && port == fmt.Sprint(w.conn.local.Port()):
		return name
	}
	return name + ":" + port
}

// splitPort cuts an authority at its port, which may be any text: HeaderUtility::getPortStart.
func splitPort(host string) (name, port string) {
	i := strings.LastIndexByte(host, ':')
	if i < 0 || strings.LastIndexByte(host, ']') > i {
		return host, ""
	}
	return host[:i], host[i+1:]
}

func digits(s string) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}

// routeConfiguration finds the route configuration: inline, by RDS, or by scope.
func (w *walk) routeConfiguration() (v configdump.Value, why string) {
	m := w.hcm.at
	if inline := m.Get("route_config"); inline.Exists() {
		return inline, "inline route configuration " + inline.Get("name").Text()
	}
	name := m.Get("rds", "route_config_name").Text()
	if m.Has("scoped_routes") {
		return w.scopedRoutes(m.Get("scoped_routes"))
	}
	if r, ok := w.e.dump.Lookup(configdump.RouteConfig, name); ok {
		return r.Value(), "rds names route configuration " + name
	}
	if !w.e.dump.Has(configdump.RouteConfig) {
		return configdump.Value{}, "rds names " + name + ", and the dump has no RoutesConfigDump to find it in"
	}
	return configdump.Value{}, "rds names " + name + ", which the dump does not have"
}
