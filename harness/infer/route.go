package infer

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
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
func (w *walk) findRoute() routeResult {
	config, why := w.routeConfiguration()
	if !config.Exists() {
		return w.notFound(flow.NoRoute, w.hcm.at.Value, "no route configuration", why)
	}
	table := w.e.routeTable(config)
	w.table, w.out.RouteConfig = table, table.name
	authority, ok := w.authority(table)
	if !ok {
		return w.notFound(flow.NoVirtualHost, config, "no virtual host", "vhost_header names "+table.hostHeader+", which the request does not have")
	}
	vh, domain := table.find(authority)
	if vh == nil {
		return w.notFound(flow.NoVirtualHost, config, "no virtual host",
			fmt.Sprintf("none of the %d virtual hosts of %s has a domain for %q", table.hosts, table.name, authority)+w.misdirected(authority))
	}
	vh.routes()
	w.vhost, w.out.VirtualHost = vh, vh.name
	hostWhy := table.why(authority, domain)
	if location, status := w.requireTLS(vh); status != 0 {
		return routeResult{source: vh.at.Get("require_tls"), status: status, location: location, hop: flow.Hop{
			Decision: fmt.Sprintf("%d to %s", status, location),
			Why:      "virtual host " + vh.name + " has require_tls and x-forwarded-proto is " + w.proto() + ", " + w.causes["x-forwarded-proto"], Reason: flow.RequireTLS, Expect: statusFact(w.localStatus(status))}}
	}
	entry, rejected, matchWhy := w.matchRoute(vh)
	rejected = append(otherHosts(table, vh, authority), rejected...)
	if entry == nil {
		r := w.notFound(flow.NoRoute, vh.at.Value, "no route", fmt.Sprintf("virtual host %s (%s): %s", vh.name, hostWhy, matchWhy)+w.misdirected(authority))
		r.hop.Rejected = rejected
		return r
	}
	w.route, w.out.Route, w.out.RouteIndex = entry, entry.name, entry.index
	result := w.follow(entry)
	result.hop.Rejected = append(rejected, result.hop.Rejected...)
	result.hop.Why = joinWhy(why, "virtual host "+vh.name+": "+hostWhy, "route "+entry.label()+": "+matchWhy, result.hop.Why)
	result.hop.Expect = append([]flow.Fact{fact(flow.FactRouteConfig, table.name), fact(flow.FactVirtualHost, vh.name)}, result.hop.Expect...)
	return result
}

// misdirected says of a request without a route that it came by the connection of another name: a client reuses an HTTP/2
// connection for every name that the certificate has, and the filter chain was chosen by the name of the first. (RFC 9113, 9.1.1)
func (w *walk) misdirected(authority string) string {
	host, _ := splitPort(authority)
	if !w.conn.terminated || w.conn.serverName == "" || strings.EqualFold(host, w.conn.serverName) {
		return ""
	}
	asked := connection{serverName: strings.ToLower(host)}
	for _, c := range w.listener.chains {
		if c != w.chain && len(c.match.serverNames) > 0 && rankServerName(&c.match, &asked) > 0 {
			return fmt.Sprintf("; the connection came with the server name %s, so its filter chain is %s, and %s has the chain %s: the client has reused the "+
				"connection for another name (give each chain a certificate with its own names only, or let it answer 421 so that the client opens another)",
				w.conn.serverName, w.chain.label(), host, c.label())
		}
	}
	return ""
}

// joinWhy makes one sentence of its parts, leaving out what is empty.
func joinWhy(parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, "; ")
}

// authority returns what virtual hosts are matched against.
func (w *walk) authority(t *routeTable) (host string, ok bool) {
	if t.hostHeader != "" {
		return w.req.header.Get(t.hostHeader)
	}
	host, _ = w.req.header.Get(":authority")
	return host, true
}

// notFound is a request without a route: the router answers 404 with the flag NR.
func (w *walk) notFound(failure flow.Failure, source configdump.Value, decision, why string) routeResult {
	return routeResult{failure: failure, flag: "NR", status: 404, source: source,
		hop: flow.Hop{Decision: decision, Reason: notFoundCode[failure], Why: why + ": Envoy answers 404 (NR)",
			Expect: []flow.Fact{fact(flow.FactStatus, fmt.Sprint(w.localStatus(404))), fact(flow.FactDetails, "route_not_found")}}}
}

var notFoundCode = map[flow.Failure]flow.Reason{flow.NoVirtualHost: flow.HostNotFound, flow.NoRoute: flow.RouteNotFound}

func statusFact(status int) []flow.Fact {
	return []flow.Fact{fact(flow.FactStatus, fmt.Sprint(status))}
}

// otherHosts names virtual hosts that were not taken, up to a readable number: first those with the same first label as the
// authority, which one may have meant, then the table's first.
func otherHosts(t *routeTable, chosen *virtualHost, authority string) []flow.Alternative {
	all := make([]flow.Alternative, 0, namedHosts+1)
	label := firstLabel(authority)
	for _, vh := range t.namesakes[label] {
		if vh != chosen && len(all) < namedHosts {
			all = append(all, vh.rejected(authority))
		}
	}
	for _, vh := range t.first {
		if vh != chosen && len(all) < namedHosts && firstLabel(vh.name) != label {
			all = append(all, vh.rejected(authority))
		}
	}
	if more := t.hosts - 1 - len(all); more > 0 {
		all = append(all, flow.Alternative{Name: fmt.Sprintf("%d more virtual hosts", more), Source: t.list.Pointer(),
			Why: "no domain of theirs matches " + authority + " better"})
	}
	return all
}

// requireTLS evaluates VirtualHost.require_tls: 301 to the same URL with https.
func (w *walk) requireTLS(vh *virtualHost) (location string, status int) {
	mode := vh.at.Get("require_tls").Text()
	proto, _ := w.req.header.Get("x-forwarded-proto")
	if mode == "" || mode == "NONE" || proto == "https" || mode == "EXTERNAL_ONLY" && w.internal() {
		return "", 0
	}
	host, _ := w.req.header.Get(":authority")
	path, _ := w.req.header.Get(":path")
	return "https://" + host + path, 301
}

func (w *walk) proto() string {
	proto, _ := w.req.header.Get("x-forwarded-proto")
	return proto
}

// internal says whether Envoy takes the request for one from inside, as x-envoy-internal tells.
func (w *walk) internal() bool {
	v, _ := w.req.header.Get("x-envoy-internal")
	return v == "true"
}

// follow says what the chosen route does: forward, redirect, or answer directly.
func (w *walk) follow(r *routeEntry) routeResult {
	switch {
	case r.at.Has("redirect"):
		action := r.at.Get("redirect")
		status, location := w.redirectTo(action, r)
		return routeResult{source: action, status: status, location: location,
			hop: flow.Hop{Decision: fmt.Sprintf("%d to %s", status, location), Reason: flow.RouteRedirects, Why: "its action is a redirect", Expect: statusFact(w.localStatus(status))}}
	case r.at.Has("direct_response"):
		action := r.at.Get("direct_response")
		status, location := int(action.Get("status").Uint()), ""
		if status == 201 || status/100 == 3 { // Envoy then says where, as if it were a redirect
			_, location = w.redirectTo(configdump.Value{}, r)
		}
		return routeResult{source: action, status: status, location: location, hop: flow.Hop{
			Decision: fmt.Sprintf("answered %d by the proxy", status), Reason: flow.RouteAnswers, Why: "its action is a direct response", Expect: statusFact(w.localStatus(status))}}
	case r.at.Has("non_forwarding_action"):
		return routeResult{source: r.at.Value, failure: flow.NoCluster, flag: "NC", status: 503,
			hop: flow.Hop{Decision: "not forwarded", Why: "its action is a non_forwarding_action, and no filter answered"}}
	}
	return w.forward(r)
}
