package infer

import (
	"fmt"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/internal/redact"
)

// A routeEntry is envoy.config.route.v3.Route.
type routeEntry struct {
	at     configdump.Message
	cond   configdump.Value   // match
	action configdump.Message // route
	index  int
	name   string
	path   match.Path
	more   bool // has conditions beside the path
}

// label names a route in a sentence.
func (r *routeEntry) label() string {
	if r.name != "" {
		return fmt.Sprintf("%s [%d]", r.name, r.index)
	}
	return fmt.Sprintf("[%d]", r.index)
}

// routes returns the virtual host's routes in order, decoding them for the first request that asks.
func (vh *virtualHost) routes() []*routeEntry {
	vh.decode.Do(func() {
		vh.at = vh.value.Message()
		for i, r := range vh.at.Get("routes").Elements() {
			vh.entries = append(vh.entries, newRouteEntry(r, i))
		}
	})
	return vh.entries
}

func newRouteEntry(v configdump.Value, index int) *routeEntry {
	at := v.Message()
	m := at.Get("match")
	r := &routeEntry{at: at, cond: m, action: at.Get("route").Message(), index: index, name: at.Get("name").Text(), path: match.NewPath(m)}
	for field := range m.Fields() {
		switch configdump.FieldName(field) {
		case "prefix", "path", "safe_regex", "regex", "path_separated_prefix", "case_sensitive", "connect_matcher", "path_match_policy":
		default:
			r.more = true
		}
	}
	return r
}

// matchRoute returns the first route of the virtual host that matches, the routes before it with what they lack, and why.
func (w *walk) matchRoute(vh *virtualHost) (chosen *routeEntry, rejected []flow.Alternative, why string) {
	if tree := vh.at.Get("matcher"); tree.Exists() {
		return w.routeByMatcher(tree)
	}
	return w.firstRoute(vh.routes())
}

// firstRoute returns the first of the routes that matches the request.
func (w *walk) firstRoute(routes []*routeEntry) (chosen *routeEntry, rejected []flow.Alternative, why string) {
	const shown = 20
	skipped := 0
	for _, r := range routes {
		lacks, share := w.routeLacks(r)
		if lacks == "" {
			if skipped > 0 {
				rejected = append(rejected, flow.Alternative{Name: fmt.Sprintf("%d more routes", skipped), Why: "they come before it and do not match"})
			}
			why = "the first that matches, by " + r.path.String()
			if share != "" {
				why += ", " + share
			}
			return r, rejected, why
		}
		if len(rejected) < shown || w.opts.Explain {
			rejected = append(rejected, flow.Alternative{Name: "route " + r.label(), Source: r.cond.Pointer(), Why: lacks})
		} else {
			skipped++
		}
	}
	return nil, rejected, fmt.Sprintf("none of its %d routes matches", len(routes))
}

// routeLacks says which condition of the route the request does not meet, or "". share names a condition that holds
// for a part of all requests only. (RouteEntryImplBase::matchRoute)
func (w *walk) routeLacks(r *routeEntry) (lacks, share string) {
	if lacks = w.pathLacks(r); lacks != "" || !r.more {
		return lacks, ""
	}
	for name, v := range r.cond.Fields() {
		switch configdump.FieldName(name) {
		case "headers":
			lacks = w.headersLack(r, v)
		case "query_parameters":
			lacks = w.queryLacks(r, v)
		case "cookies":
			lacks = w.cookiesLack(r, v)
		case "grpc":
			lacks = w.grpcLacks(r, v)
		case "runtime_fraction":
			lacks, share = w.fractionLacks(r, v)
		case "tls_context":
			lacks = w.tlsLacks(r, v)
		case "dynamic_metadata":
			lacks = w.metadataLacks(r, v)
		case "filter_state":
			lacks = w.stateLacks(r, v)
		case "prefix", "path", "safe_regex", "regex", "path_separated_prefix", "case_sensitive", "connect_matcher", "path_match_policy":
		default:
			why := "what the condition " + name + " tests is not known"
			if !w.holds(match.Depends("condition "+name, why), flow.WhatRoute, v, "route %s: %s", r.label(), name) {
				lacks = why + ", and is taken not to hold"
			}
		}
		if lacks != "" {
			return lacks, ""
		}
	}
	return "", share
}

// pathLacks evaluates the path specifier.
func (w *walk) pathLacks(r *routeEntry) string {
	path, hasPath := w.req.header.Get(":path")
	connect := w.req.Method == "CONNECT"
	only := match.PathOnly(path)
	result := r.path.Matches(only, hasPath && (!connect || w.req.isHTTP2()), connect)
	if !r.path.Any() {
		result = w.req.header.Or(":path", result)
	}
	if w.holds(result, flow.WhatRoute, r.cond, "route %s: %s", r.label(), r.path.String()) {
		return ""
	}
	return "path " + only + " does not match " + r.path.String()
}

func (w *walk) grpcLacks(r *routeEntry, v configdump.Value) string {
	result := w.req.header.Or("content-type", match.Of(match.IsGRPC(w.req.header)))
	if w.holds(result, flow.WhatRoute, v, "route %s: the request is gRPC", r.label()) {
		return ""
	}
	return "the request is not gRPC"
}

// metadataLacks evaluates dynamic_metadata, which filters set while the request runs.
func (w *walk) metadataLacks(r *routeEntry, v configdump.Value) string {
	for _, m := range v.Elements() {
		name := "metadata " + m.Get("filter").Text()
		if !w.holds(w.meta.Matches(m), flow.WhatRoute, m, "route %s: %s", r.label(), name) {
			return name + " is not what the route needs"
		}
	}
	return ""
}

// stateLacks evaluates filter_state.
func (w *walk) stateLacks(r *routeEntry, v configdump.Value) string {
	for _, m := range v.Elements() {
		name := "filter state " + m.Get("key").Text()
		if !w.holds(w.state.State(m), flow.WhatRoute, m, "route %s: %s", r.label(), name) {
			return name + " is not what the route needs"
		}
	}
	return ""
}

// fractionLacks evaluates runtime_fraction. Without a random value the likelier of both is taken first.
func (w *walk) fractionLacks(r *routeEntry, v configdump.Value) (lacks, share string) {
	numerator, of := w.e.fraction(v)
	if w.req.Random != nil {
		if !w.check(v, *w.req.Random%of < numerator, "route %s: runtime fraction %d of %d", r.label(), numerator, of) {
			return fmt.Sprintf("random value %d is outside its runtime fraction of %d in %d", *w.req.Random, numerator, of), ""
		}
		return "", ""
	}
	switch {
	case numerator == 0:
		return "its runtime fraction is 0", ""
	case numerator >= of:
		return "", ""
	}
	text := fmt.Sprintf("for %d of %d requests (runtime_fraction; no random value was given)", numerator, of)
	if w.lot(flow.WhatRoute, v, numerator, of, "route "+r.label()+" is taken "+text) {
		return "", text
	}
	return "it is taken " + text, ""
}

// denominator reads envoy.type.v3.FractionalPercent.DenominatorType.
func denominator(v configdump.Value) uint64 {
	switch v.Get("denominator").Text() {
	case "TEN_THOUSAND", "1":
		return 10_000
	case "MILLION", "2":
		return 1_000_000
	}
	return 100
}

// tlsLacks evaluates RouteMatch.tls_context: presented and validated client certificates.
func (w *walk) tlsLacks(r *routeEntry, v configdump.Value) string {
	presented := w.conn.terminated && w.req.TLS == flow.MTLS
	for _, name := range []string{"presented", "validated"} {
		if want := v.Get(name); want.Exists() && !w.check(want, want.Bool() == presented, "route %s: client certificate %s", r.label(), name) {
			return fmt.Sprintf("needs a client certificate %s: %v", name, want.Bool())
		}
	}
	return ""
}

// headersLack evaluates all header matchers of a route.
func (w *walk) headersLack(r *routeEntry, v configdump.Value) string {
	for _, m := range v.Elements() {
		if w.holds(match.Header(m, w.req.header), flow.WhatRoute, m, "route %s: header %s", r.label(), match.HeaderText(m)) {
			continue
		}
		value, ok := w.req.header.Get(m.Get("name").Text())
		if !ok {
			return "header " + match.HeaderText(m) + ", and the request has none"
		}
		return "header " + match.HeaderText(m) + ", and the request has " + shownValue(m.Get("name").Text(), value)
	}
	return ""
}

// queryLacks evaluates all query parameter matchers of a route.
func (w *walk) queryLacks(r *routeEntry, v configdump.Value) string {
	path, _ := w.req.header.Get(":path")
	params := match.QueryParams(path)
	for _, m := range v.Elements() {
		name := m.Get("name").Text()
		result := w.req.header.Or(":path", match.Query(m, params))
		if !w.holds(result, flow.WhatRoute, m, "route %s: query parameter %s", r.label(), name) {
			return "query parameter " + name + " does not match"
		}
	}
	return ""
}

// cookiesLack evaluates cookie matchers.
func (w *walk) cookiesLack(r *routeEntry, v configdump.Value) string {
	header, _ := w.req.header.Get("cookie")
	cookies := match.Cookies(header)
	for _, m := range v.Elements() {
		name := m.Get("name").Text()
		result := w.req.header.Or("cookie", match.Cookie(m, cookies))
		if !w.holds(result, flow.WhatRoute, m, "route %s: cookie %s", r.label(), name) {
			return "cookie " + name + " does not match"
		}
	}
	return ""
}

// shownValue is a header's value as it may be shown.
func shownValue(name, value string) string { return redact.Header(name, value) }
