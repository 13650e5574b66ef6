package infer

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// A routeEntry is envoy.config.route.v3.Route.
type routeEntry struct {
	at     configdump.Message
	match  configdump.Value
	action configdump.Message // route
	index  int
	name   string
	path   pathMatch
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
	r := &routeEntry{at: at, match: m, action: at.Get("route").Message(), index: index, name: at.Get("name").Text(), path: newPathMatch(m)}
	for field := range m.Fields() {
		switch field {
		case "prefix", "path", "safe_regex", "path_separated_prefix", "case_sensitive", "connect_matcher", "path_match_policy":
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
			rejected = append(rejected, flow.Alternative{Name: "route " + r.label(), Source: r.match.Pointer(), Why: lacks})
		} else {
			skipped++
		}
	}
	return nil, rejected, fmt.Sprintf("none of its %d routes matches", len(routes))
}

// routeLacks says which condition of the route the request does not meet, or "". share names a condition that holds
// for a part of all requests only. (RouteEntryImplBase::matchRoute)
func (w *walk) routeLacks(r *routeEntry) (lacks, share string) {
	path, hasPath := w.req.header.get(":path")
	connect := w.req.Method == "CONNECT"
	only := pathOnly(path)
	if !w.check(r.match, r.path.matches(only, hasPath && (!connect || w.req.isHTTP2()), connect), "route %s: %s", r.label(), r.path.String()) {
		return "path " + only + " does not match " + r.path.String(), ""
	}
	if !r.more {
		return "", ""
	}
	for name, v := range r.match.Fields() {
		switch name {
		case "headers":
			lacks = w.headersLack(r, v)
		case "query_parameters", "queryParameters":
			lacks = w.queryLacks(r, v)
		case "cookies":
			lacks = w.cookiesLack(r, v)
		case "grpc":
			if !w.check(v, isGRPC(w.req.header), "route %s: the request is gRPC", r.label()) {
				lacks = "the request is not gRPC"
			}
		case "runtime_fraction", "runtimeFraction":
			lacks, share = w.fractionLacks(r, v)
		case "tls_context", "tlsContext":
			lacks = w.tlsLacks(r, v)
		case "dynamic_metadata", "dynamicMetadata", "filter_state", "filterState":
			if v.Len() > 0 {
				lacks = name + " is set by filters while the request runs: what it holds is not known"
			}
		}
		if lacks != "" {
			return lacks, ""
		}
	}
	return "", share
}

// fractionLacks evaluates runtime_fraction.
func (w *walk) fractionLacks(r *routeEntry, v configdump.Value) (lacks, share string) {
	numerator, of := w.e.fraction(v)
	if w.req.Random != nil {
		if !w.check(v, *w.req.Random%of < numerator, "route %s: runtime fraction %d of %d", r.label(), numerator, of) {
			return fmt.Sprintf("random value %d is outside its runtime fraction of %d in %d", *w.req.Random, numerator, of), ""
		}
		return "", ""
	}
	if numerator == 0 {
		return "its runtime fraction is 0", ""
	}
	if numerator < of {
		return "", fmt.Sprintf("for %d of %d requests (runtime_fraction; no random value was given)", numerator, of)
	}
	return "", ""
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
		if !w.check(m, headerMatches(m, w.req.header), "route %s: header %s", r.label(), headerMatchText(m)) {
			value, ok := w.req.header.get(m.Get("name").Text())
			if !ok {
				return "header " + headerMatchText(m) + ", and the request has none"
			}
			return "header " + headerMatchText(m) + ", and the request has " + shownValue(m.Get("name").Text(), value)
		}
	}
	return ""
}

// queryLacks evaluates all query parameter matchers of a route: ConfigUtility::matchQueryParams.
func (w *walk) queryLacks(r *routeEntry, v configdump.Value) string {
	path, _ := w.req.header.get(":path")
	params := queryParams(path)
	for _, m := range v.Elements() {
		name := m.Get("name").Text()
		value, ok := params[name]
		holds := ok
		if s := m.Get("string_match"); s.Exists() {
			holds = ok && stringMatches(s, value)
		} else if p := m.Get("present_match"); p.Exists() {
			holds = ok == p.Bool()
		}
		if !w.check(m, holds, "route %s: query parameter %s", r.label(), name) {
			return "query parameter " + name + " does not match"
		}
	}
	return ""
}

// queryParams returns the first value of each parameter, as it stands: Envoy decodes no escapes here.
func queryParams(path string) map[string]string {
	params := map[string]string{}
	query, _, _ := strings.Cut(strings.TrimPrefix(queryOf(path), "?"), "#")
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if _, ok := params[name]; !ok && pair != "" {
			params[name] = value
		}
	}
	return params
}

// cookiesLack evaluates cookie matchers.
func (w *walk) cookiesLack(r *routeEntry, v configdump.Value) string {
	header, _ := w.req.header.get("cookie")
	cookies := map[string]string{}
	for pair := range strings.SplitSeq(header, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if _, ok := cookies[name]; !ok {
			cookies[name] = strings.Trim(value, `"`)
		}
	}
	for _, m := range v.Elements() {
		name := m.Get("name").Text()
		value, ok := cookies[name]
		holds := ok && stringMatches(m.Get("string_match"), value)
		if m.Get("invert_match").Bool() {
			holds = !holds
		}
		if !w.check(m, holds, "route %s: cookie %s", r.label(), name) {
			return "cookie " + name + " does not match"
		}
	}
	return ""
}

// isGRPC says whether the content type is gRPC's: Grpc::Common::isGrpcRequestHeaders.
func isGRPC(h headers) bool {
	t, _ := h.get("content-type")
	return t == "application/grpc" || strings.HasPrefix(t, "application/grpc+")
}
