// Package hcm is the second phase of a way through a proxy: the HTTP connection manager, its
// filters, and the route.
package hcm

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/filters"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
	"github.com/flowproof/lab/harness/infer/say"
)

// TerminatesConnect says whether the request is a CONNECT whose payload alone is sent on:
// connect_config of the route.
func TerminatesConnect(w *passage.Walk) bool {
	if w.Req.Method != "CONNECT" || w.Route == nil {
		return false
	}
	for _, c := range w.Route.Action.Get("upgrade_configs").Elements() {
		if strings.EqualFold(c.Get("upgrade_type").Text(), "CONNECT") && c.Has("connect_config") &&
			!proxy.IsFalse(c.Get("enabled")) {
			return true
		}
	}
	return false
}

// Decide takes an HTTP request through the connection manager. Envoy chooses the route
// before the filters run, because filters are configured by route too; the router, the last
// filter, then follows it.
func Decide(w *passage.Walk) {
	if w.HCM == nil {
		return
	}
	if refuse(w, codecRefused(w)) || refuse(w, underscoresRefused(w)) || refuse(w, targetRefused(w)) ||
		refuse(w, versionRefused(w)) ||
		refuse(w, hostRefused(w)) || refuse(w, pathRefused(w)) {
		return
	}
	prepareHeaders(w)
	if refuse(w, w.Undetected) {
		return
	}
	w.Deciding = flow.Route
	respondOtherwise(w)
	found := findRoute(w)
	w.Deciding = flow.HTTPFilters
	if (w.Route != nil || found.status/100 == 3) && refuse(w, upgradeRefused(w)) { // without a route 404 is the answer
		return
	}
	if found = httpFilters(w, found); w.Done {
		return
	}
	w.Deciding = flow.Route
	finalise(w, &found)
	end(w, found)
}

// connectWithPath says whether the route makes a path for a CONNECT, which has none and stays a
// CONNECT. (Http::HeaderUtility::checkRequiredRequestHeaders)
func connectWithPath(w *passage.Walk) bool {
	return w.Req.Method == "CONNECT" && !w.Req.IsHTTP2() && !TerminatesConnect(w) && w.Out.Rewrite != nil &&
		w.Out.Rewrite.Path != ""
}

// end ends the hop of the route, and the way where the route ends it.
func end(w *passage.Walk, found routeResult) {
	w.Add(flow.Route, found.source, found.hop)
	switch {
	case found.failure != "":
		w.Fail(found.failure, found.flag)
		w.Out.Status = w.LocalStatus(found.status, found.flag)
	case found.status != 0:
		w.Answer(found.status, found.location)
	case found.unknown:
		w.Out.Outcome, w.Done = flow.Forwarded, true
	}
}

// finalise does what the router does when it follows the route: it changes headers, host and path
// of the request as the filters have left it, and says where a redirect leads.
// (RouteEntryImplBase::finalizeRequestHeaders)
func finalise(w *passage.Walk, found *routeResult) {
	if w.Route == nil || found.failure != "" {
		return
	}
	if !w.Route.At.Has("route") {
		if found.location != "" {
			again := follow(w, w.Route)
			found.status, found.location, found.hop.Decision = again.status, again.location, again.hop.Decision
		}
		relocate(w, found)
		openLocation(w)
		return
	}
	if found.unknown {
		return
	}
	if name, at := strictLacks(w); name != "" {
		found.failure, found.flag, found.status, found.source = flow.ProtocolError, "IH", 400, at
		found.hop.Why = say.Join(found.hop.Why, "header "+name+" does not have the form that the router's "+
			"strict_check_headers asks for: Envoy answers 400 (IH)")
		found.hop.Expect = passage.StatusFact(w.LocalStatus(400, "IH"))
		return
	}
	addHeaders(w)
	rewrite(w, w.Route.Action, w.Route)
	if connectWithPath(w) {
		found.failure, found.flag, found.status = flow.ProtocolError, "DPE", 503
		found.hop.Why = say.Join(found.hop.Why, "a CONNECT has no path, and the route rewrites it, which the codec "+
			"towards the cluster refuses: Envoy answers 503 (DPE)")
		return
	}
	if w.Out.Mirrors = mirrors(w); len(w.Out.Mirrors) > 0 {
		found.hop.Why = say.Join(found.hop.Why, mirrorText(w.Out.Mirrors))
		found.hop.Expect = append(found.hop.Expect, Mirrored(w)...)
	}
	if cause, open := w.Req.Header.Open(":path"); open {
		w.Open(flow.WhatPath, cause.On, cause.Why, w.HCM.At.Value)
	}
}

// addHeaders applies request_headers_to_add and _to_remove of route, virtual host and route
// configuration, in the other order with most_specific_header_mutations_wins.
func addHeaders(w *passage.Walk) {
	weighted := WeightedEntry(w)
	levels := []proxy.HeaderLevel{
		{Add: weighted.Get("request_headers_to_add"), Remove: weighted.Get("request_headers_to_remove")},
		{Add: w.Route.At.Get("request_headers_to_add"), Remove: w.Route.At.Get("request_headers_to_remove")},
		{
			Add:    w.VirtualHost.At.Get("request_headers_to_add"),
			Remove: w.VirtualHost.At.Get("request_headers_to_remove"),
		}, w.Table.Headers,
	}
	mutate(w, w.Req.Header, levels)
}

// mutate does to headers what the levels of a route configuration say, given from the most specific
// on.
func mutate(w *passage.Walk, h *match.Headers, levels []proxy.HeaderLevel) {
	if w.Table.SpecificWins {
		slices.Reverse(levels)
	}
	for _, level := range levels {
		for _, name := range level.Remove.Elements() {
			h.Remove(name.Text())
		}
		for _, option := range level.Add.Elements() {
			filters.AddHeader(h, option, w.Formatted, unknownValue)
		}
	}
}

// relocate does to the location of the route's own answer what response_headers_to_add and
// _to_remove say. (RouteEntryImplBase::finalizeResponseHeaders)
func relocate(w *passage.Walk, found *routeResult) {
	level := func(at configdump.Message) proxy.HeaderLevel {
		return proxy.HeaderLevel{Add: at.Get("response_headers_to_add"), Remove: at.Get("response_headers_to_remove")}
	}
	h := match.NewHeaders(map[string]string{":status": strconv.Itoa(found.status)})
	w.Answering = h
	defer func() { w.Answering = nil }()
	if found.location != "" {
		h.Set("location", found.location)
	}
	mutate(w, h, []proxy.HeaderLevel{level(w.Route.At), level(w.VirtualHost.At), w.Table.Answers})
	if cause, open := h.Open("location"); open {
		w.Open(flow.WhatAnswer, cause.On, "header location: "+cause.Why, w.Route.At.Value)
	}
	if to, _ := h.Joined("location"); strings.Trim(to, " \t") != found.location {
		found.location = to
		if found.status/100 == 3 && w.Route.At.Has("redirect") {
			found.hop.Decision = redirected(found.status, to)
		}
	}
}

// prepareHeaders does to the request's headers what the connection manager does before it asks for
// a route: ConnectionManagerUtility::mutateRequestHeaders and maybeNormalizePath.
func prepareHeaders(w *passage.Walk) {
	h, m := w.Req.Header, w.HCM.At
	mutateEarly(w)
	if path, ok := h.Get(":path"); ok {
		h.Set(":path", normalisePath(w, path))
	}
	if host, ok := h.Get(":authority"); ok {
		h.Set(":authority", strippedHost(w, host))
	}
	client := findClient(w)
	w.Client = client.addr
	secure, secureWhy := connectionScheme(w)
	proto, given := h.Get("x-forwarded-proto")
	if !given || m.Get("use_remote_address").Bool() && m.Get("xff_num_trusted_hops").Uint() == 0 {
		why := "the request has none: " + secureWhy
		if given {
			why = "use_remote_address without xff_num_trusted_hops: " + secureWhy + ", not what the request says (" +
				proto + ")"
		}
		proto = secure
		h.Set("x-forwarded-proto", proto)
		cause(w, "x-forwarded-proto", proto, why)
	} else {
		cause(w, "x-forwarded-proto", proto, "as the request has it")
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
	sanitise(w, client)
}

// connectionScheme says by which scheme the connection came: by the destination port where
// forward_proto_config knows it and it was restored, else by whether the connection is encrypted.
func connectionScheme(w *passage.Walk) (scheme, why string) {
	config := w.HCM.At.Get("forward_proto_config")
	for _, scheme := range []string{"https", "http"} {
		field := scheme + "_destination_ports"
		for _, port := range config.Get(field).Elements() {
			if w.Conn.Restored && port.Uint() == uint64(w.Conn.Local.Port()) {
				return scheme, fmt.Sprintf("forward_proto_config has port %d among %s", port.Uint(), field)
			}
		}
	}
	why = "whether this connection is encrypted"
	if w.Conn.Terminated {
		return "https", why
	}
	return "http", why
}

// cause keeps what the connection manager made of something and by which field, to be said where it
// decides, and to be shown with Options.Explain.
func cause(w *passage.Walk, name, value, why string) {
	if w.Causes == nil {
		w.Causes = map[string]string{}
	}
	w.Causes[name] = why
	if w.Opts.Explain {
		w.Trail = append(w.Trail, flow.Condition{Text: name + ": " + why, Source: w.HCM.At.Pointer(), Holds: true,
			Value: value})
	}
}

// strippedHost removes what the connection manager is told to remove from the authority: a trailing
// dot, any port, or the port that is the listener's own.
func strippedHost(w *passage.Walk, host string) string {
	at := w.HCM.At
	name, port := match.SplitPort(host)
	if at.Get("strip_trailing_host_dot").Bool() {
		name = strings.TrimSuffix(name, ".")
	}
	switch {
	case port == "" && !strings.HasSuffix(host, ":"):
		return name
	case !match.Digits(port):
	case at.Get("strip_any_host_port").Bool():
		return name
	case at.Get("strip_matching_host_port").Bool() && port == fmt.Sprint(w.Conn.Local.Port()):
		return name
	}
	return name + ":" + port
}

// routeConfiguration finds the route configuration: inline, by RDS, or by scope.
func routeConfiguration(w *passage.Walk) (v configdump.Value, why string) {
	m := w.HCM.At
	if inline := m.Get("route_config"); inline.Exists() {
		return inline, "inline route configuration " + inline.Get("name").Text()
	}
	name := m.Get("rds", "route_config_name").Text()
	if m.Has("scoped_routes") {
		return scopedRoutes(w, m.Get("scoped_routes"))
	}
	if r, ok := w.Proxy.Dump.Lookup(configdump.RouteConfig, name); ok {
		return r.Value(), "rds names route configuration " + name
	}
	if !w.Proxy.Dump.Has(configdump.RouteConfig) {
		return configdump.Value{}, "rds names " + name + ", and the dump has no RoutesConfigDump to find it in"
	}
	return configdump.Value{}, "rds names " + name + ", which the dump does not have"
}
