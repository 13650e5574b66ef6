package hcm

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/connection"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
	"github.com/flowproof/lab/harness/infer/say"
)

// A routeResult is what routing came to: a hop, and where the request ends here its outcome.
type routeResult struct {
	hop      flow.Hop
	source   configdump.Value
	failure  flow.Failure
	flag     string
	status   int
	location string
	unknown  bool // where the request goes from here is not known
}

// findRoute chooses virtual host and route.
func findRoute(w *passage.Walk) routeResult {
	config, why := routeConfiguration(w)
	if !config.Exists() {
		return notFound(w, flow.NoRoute, w.HCM.At.Value, "no route configuration", why)
	}
	table := w.Proxy.RouteTable(config)
	w.Table, w.Out.RouteConfig = table, table.Name
	authority, ok := authority(w, table)
	if !ok {
		return notFound(w, flow.NoVirtualHost, config, "no virtual host",
			"vhost_header names "+table.HostHeader+", which the request does not have")
	}
	if given, ok := w.Req.Header.Get("x-forwarded-proto"); ok && given == "" { // RouteMatcher::route
		return notFound(w, flow.NoVirtualHost, config, "no virtual host", "x-forwarded-proto is empty")
	}
	vh, domain := table.Find(authority)
	if vh == nil {
		return notFound(w, flow.NoVirtualHost, config, "no virtual host",
			fmt.Sprintf("none of the %d virtual hosts of %s has a domain for %q", table.Hosts, table.Name, authority)+
				misdirected(w, authority))
	}
	vh.Routes()
	w.VirtualHost, w.Out.VirtualHost = vh, vh.Name
	hostWhy := table.Why(authority, domain)
	if location, status := requireTLS(w, vh); status != 0 {
		return routeResult{source: vh.At.Get("require_tls"), status: status, location: location, hop: flow.Hop{
			Decision: redirected(status, location),
			Why: "virtual host " + vh.Name + " has require_tls and x-forwarded-proto is " + proto(w) + ", " +
				w.Causes["x-forwarded-proto"], Reason: flow.RequireTLS,
			Expect: passage.StatusFact(w.LocalStatus(status, ""))}}
	}
	entry, rejected, matchWhy := matchRoute(w, vh)
	rejected = append(otherHosts(table, vh, authority), rejected...)
	if entry == nil {
		r := notFound(w, flow.NoRoute, vh.At.Value, "no route",
			fmt.Sprintf("virtual host %s (%s): %s", vh.Name, hostWhy, matchWhy)+misdirected(w, authority))
		r.hop.Rejected = rejected
		return r
	}
	w.Route, w.Out.Route, w.Out.RouteIndex = entry, entry.Name, entry.Index
	specified(w)
	result := follow(w, entry)
	result.hop.Rejected = append(rejected, result.hop.Rejected...)
	result.hop.Why = say.Join(why, "virtual host "+vh.Name+": "+hostWhy, "route "+entry.Label()+": "+matchWhy,
		result.hop.Why)
	result.hop.Expect = append([]flow.Fact{passage.Fact(flow.FactRouteConfig, table.Name),
		passage.Fact(flow.FactVirtualHost, vh.Name)}, result.hop.Expect...)
	return result
}

// specified opens the route where an extension may return another in its place: route_specifiers of
// the route, the virtual host and the route configuration.
func specified(w *passage.Walk) {
	const field = "route_specifiers"
	for _, list := range []configdump.Value{w.Route.At.Get(field), w.VirtualHost.At.Get(field), w.Table.Specifiers} {
		for _, at := range list.Elements() {
			w.Open(flow.WhatRoute, field+": "+match.TypeOf(at),
				"it may put another route into the place of the one that matches, with another cluster or answer", at)
		}
	}
}

// misdirected says of a request without a route that it came by the connection of another name: a
// client reuses an HTTP/2 connection for every name that the certificate has, and the filter chain
// was chosen by the name of the first. (RFC 9113, 9.1.1)
func misdirected(w *passage.Walk, authority string) string {
	host, _ := match.SplitPort(authority)
	if !w.Conn.Terminated || w.Conn.ServerName == "" || strings.EqualFold(host, w.Conn.ServerName) {
		return ""
	}
	asked := passage.Connection{ServerName: strings.ToLower(host)}
	for _, c := range w.Listener.Chains {
		if c != w.Chain && len(c.Match.ServerNames) > 0 && connection.RankServerName(&c.Match, &asked) > 0 {
			return fmt.Sprintf("; the connection came with the server name %s, so its filter chain is %s, and %s has "+
				"the chain %s: the client has reused the "+
				"connection for another name (give each chain a certificate with its own names only, or let it "+
				"answer 421 so that the client opens another)",
				w.Conn.ServerName, w.Chain.Label(), host, c.Label())
		}
	}
	return ""
}

// authority returns what virtual hosts are matched against.
func authority(w *passage.Walk, t *proxy.RouteTable) (host string, ok bool) {
	if t.HostHeader != "" {
		return w.Decisive(t.HostHeader, flow.WhatRoute, w.HCM.At.Value)
	}
	if t.Hosts > 1 { // of one virtual host the routes decide
		host, _ = w.Decisive(":authority", flow.WhatRoute, w.HCM.At.Value)
		return host, true
	}
	host, _ = w.Req.Header.Get(":authority")
	return host, true
}

// notFound is a request without a route: the router answers 404 with the flag NR.
func notFound(w *passage.Walk, failure flow.Failure, source configdump.Value, decision, why string) routeResult {
	return routeResult{failure: failure, flag: "NR", status: 404, source: source,
		hop: flow.Hop{Decision: decision, Reason: notFoundCode[failure], Why: why + ": Envoy answers 404 (NR)",
			Expect: []flow.Fact{passage.Fact(flow.FactStatus, fmt.Sprint(w.LocalStatus(404, "NR"))),
				passage.Fact(flow.FactDetails, "route_not_found")}}}
}

var notFoundCode = map[flow.Failure]flow.Reason{flow.NoVirtualHost: flow.HostNotFound, flow.NoRoute: flow.RouteNotFound}

// otherHosts names virtual hosts that were not taken, up to a readable number: first those with the
// same first label as the authority, which one may have meant, then the table's first.
func otherHosts(t *proxy.RouteTable, chosen *proxy.VirtualHost, authority string) []flow.Alternative {
	all := make([]flow.Alternative, 0, proxy.NamedHosts+1)
	label := proxy.FirstLabel(authority)
	for _, vh := range t.Namesakes[label] {
		if vh != chosen && len(all) < proxy.NamedHosts {
			all = append(all, vh.Rejected(authority))
		}
	}
	for _, vh := range t.First {
		if vh != chosen && len(all) < proxy.NamedHosts && proxy.FirstLabel(vh.Name) != label {
			all = append(all, vh.Rejected(authority))
		}
	}
	if more := t.Hosts - 1 - len(all); more > 0 {
		all = append(all, flow.Alternative{Name: fmt.Sprintf("%d more virtual hosts", more), Source: t.List.Pointer(),
			Why: "no domain of theirs matches " + authority + " better"})
	}
	return all
}

// requireTLS evaluates VirtualHost.require_tls: 301 to the same URL with https.
func requireTLS(w *passage.Walk, vh *proxy.VirtualHost) (location string, status int) {
	at := vh.At.Get("require_tls")
	mode := at.Text()
	if mode == "" || mode == "NONE" || mode == "0" {
		return "", 0
	}
	secure := w.Req.Header.Or("x-forwarded-proto", match.Of(proto(w) == "https"))
	inside := match.No
	if mode == "EXTERNAL_ONLY" || mode == "1" {
		inside = w.Req.Header.Or("x-envoy-internal", match.Of(internal(w)))
	}
	holds := w.Holds(secure, flow.WhatAnswer, at, "require_tls: x-forwarded-proto is https")
	if w.ComparedHeader("x-forwarded-proto"); holds {
		return "", 0
	}
	holds = w.Holds(inside, flow.WhatAnswer, at, "require_tls: the mode %s lets a request from inside through", mode)
	if w.ComparedHeader("x-envoy-internal"); holds {
		return "", 0
	}
	if !hasPath(w) {
		return "", 301
	}
	host, _ := w.Req.Header.Get(":authority")
	path, _ := w.Req.Header.Get(":path")
	return "https://" + host + path, 301
}

func proto(w *passage.Walk) string {
	proto, _ := w.Req.Header.Get("x-forwarded-proto")
	return proto
}

// internal says whether Envoy takes the request for one from inside, as x-envoy-internal tells.
func internal(w *passage.Walk) bool {
	v, _ := w.Req.Header.Get("x-envoy-internal")
	return v == "true"
}

// follow says what the chosen route does: forward, redirect, or answer directly.
func follow(w *passage.Walk, r *proxy.RouteEntry) routeResult {
	switch {
	case r.At.Has("redirect"):
		action := r.At.Get("redirect")
		status, location := redirectTo(w, action, r)
		return routeResult{source: action, status: status, location: location,
			hop: flow.Hop{Decision: redirected(status, location), Reason: flow.RouteRedirects,
				Why: "its action is a redirect", Expect: passage.StatusFact(w.LocalStatus(status, ""))}}
	case r.At.Has("direct_response"):
		action := r.At.Get("direct_response")
		status, location := int(action.Get("status").Uint()), ""
		if status == 201 || status/100 == 3 { // Envoy then says where, as if it were a redirect
			_, location = redirectTo(w, configdump.Value{}, r)
		}
		return routeResult{source: action, status: status, location: location, hop: flow.Hop{
			Decision: fmt.Sprintf("answered %d by the proxy", status), Reason: flow.RouteAnswers,
			Why: "its action is a direct response", Expect: passage.StatusFact(w.LocalStatus(status, ""))}}
	case r.At.Has("non_forwarding_action"):
		return routeResult{source: r.At.Value, failure: flow.NoCluster, flag: "NC", status: 503,
			hop: flow.Hop{Decision: "not forwarded",
				Why: "its action is a non_forwarding_action, and no filter answered"}}
	}
	return forward(w, r)
}
