package hcm

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
	"github.com/flowproof/lab/internal/redact"
)

// matchRoute returns the first route of the virtual host that matches, the routes before it with
// what they lack, and why.
func matchRoute(w *passage.Walk,
	vh *proxy.VirtualHost) (chosen *proxy.RouteEntry, rejected []flow.Alternative, why string) {
	if tree := vh.At.Get("matcher"); tree.Exists() {
		return routeByMatcher(w, tree)
	}
	return firstRoute(w, vh.Routes())
}

// firstRoute returns the first of the routes that matches the request.
func firstRoute(w *passage.Walk, routes []*proxy.RouteEntry) (chosen *proxy.RouteEntry,
	rejected []flow.Alternative, why string) {
	const shown = 20
	skipped := 0
	for _, r := range routes {
		lacks, share := routeLacks(w, r)
		if lacks == "" {
			if skipped > 0 {
				rejected = append(rejected, flow.Alternative{Name: fmt.Sprintf("%d more routes", skipped),
					Why: "they come before it and do not match"})
			}
			why = "the first that matches, by " + r.Path.String() + besidePath(r)
			if share != "" {
				why += ", " + share
			}
			return r, rejected, why
		}
		if len(rejected) < shown || w.Opts.Explain {
			rejected = append(rejected, flow.Alternative{Name: "route " + r.Label(),
				Source: r.Cond.Pointer(), Why: lacks})
		} else {
			skipped++
		}
	}
	return nil, rejected, fmt.Sprintf("none of its %d routes matches", len(routes))
}

// besidePath names what a route asks for beside its path: ", header x-team is red".
func besidePath(r *proxy.RouteEntry) string {
	if !r.More {
		return ""
	}
	var b strings.Builder
	for name, v := range r.Cond.Fields() {
		for _, m := range v.Elements() {
			switch configdump.FieldName(name) {
			case "headers":
				b.WriteString(", header " + match.HeaderText(m))
			case "query_parameters":
				b.WriteString(", query parameter " + m.Get("name").Text())
			case "cookies":
				b.WriteString(", cookie " + m.Get("name").Text())
			}
		}
	}
	return b.String()
}

// routeLacks says which condition of the route the request does not meet, or "". share names a
// condition that holds for a part of all requests only. (RouteEntryImplBase::matchRoute)
func routeLacks(w *passage.Walk, r *proxy.RouteEntry) (lacks, share string) {
	if lacks = pathLacks(w, r); lacks != "" || !r.More {
		return lacks, ""
	}
	for name, v := range r.Cond.Fields() {
		switch field := configdump.FieldName(name); field {
		case "headers":
			lacks = headersLack(w, r, v)
		case "query_parameters":
			lacks = queryLacks(w, r, v)
		case "cookies":
			lacks = cookiesLack(w, r, v)
		case "grpc":
			lacks = grpcLacks(w, r, v)
		case "runtime_fraction":
			lacks, share = fractionLacks(w, r, v)
		case "tls_context":
			lacks = tlsLacks(w, r, v)
		case "dynamic_metadata":
			lacks = metadataLacks(w, r, v)
		case "filter_state":
			lacks = stateLacks(w, r, v)
		default:
			if match.IsPathField(field) {
				continue
			}
			why := "what the condition " + name + " tests is not known"
			if !w.Holds(match.Depends("condition "+name, why), flow.WhatRoute, v, "route %s: %s", r.Label(), name) {
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
func pathLacks(w *passage.Walk, r *proxy.RouteEntry) string {
	path, hasPath := w.Req.Header.Get(":path")
	connect := w.Req.Method == "CONNECT"
	only := match.PathOnly(path)
	if !r.Path.Template() {
		only = w.MatchedPath(path)
	}
	result := r.Path.Matches(only, hasPath && (!connect || w.Req.IsHTTP2()), connect)
	if !r.Path.Any() {
		result = w.Req.Header.Or(":path", result)
	}
	holds := w.Holds(result, flow.WhatRoute, r.Cond, "route %s: %s", r.Label(), r.Path.String())
	if w.ComparedHeader(":path"); holds {
		return ""
	}
	return "path " + only + " does not match " + r.Path.String()
}

func grpcLacks(w *passage.Walk, r *proxy.RouteEntry, v configdump.Value) string {
	result := w.Req.Header.Or("content-type", match.Of(match.IsGRPC(w.Req.Header)))
	holds := w.Holds(result, flow.WhatRoute, v, "route %s: the content type is gRPC's", r.Label())
	if w.ComparedHeader("content-type"); holds {
		return ""
	}
	return "the request is not gRPC"
}

// fractionLacks evaluates runtime_fraction. Without a random value the likelier of
// both is taken first.
func fractionLacks(w *passage.Walk, r *proxy.RouteEntry, v configdump.Value) (lacks, share string) {
	numerator, of := w.Proxy.Fraction(v)
	if w.Req.Random != nil {
		holds := w.Check(v, *w.Req.Random%of < numerator, "route %s: runtime fraction %d of %d",
			r.Label(), numerator, of)
		if w.Compared(fmt.Sprint(*w.Req.Random % of)); !holds {
			return fmt.Sprintf("random value %d is outside its runtime fraction of %d in %d",
				*w.Req.Random, numerator, of), ""
		}
		return "", ""
	}
	if numerator == 0 || numerator >= of {
		w.Check(v, numerator > 0, "route %s: runtime fraction %d of %d", r.Label(), numerator, of)
		w.Compared(map[bool]string{true: "every request", false: "no request"}[numerator > 0])
	}
	switch {
	case numerator == 0:
		return "its runtime fraction is 0", ""
	case numerator >= of:
		return "", ""
	}
	text := fmt.Sprintf("for %d of %d requests (runtime_fraction; no random value was given)", numerator, of)
	taken := w.Lot(flow.WhatRoute, v, numerator, of, "route "+r.Label()+" is taken "+text)
	if w.Guessed(v, taken, "chance", "route %s: runtime fraction %d of %d", r.Label(), numerator, of); taken {
		return "", text
	}
	return "it is taken " + text, ""
}

// tlsLacks evaluates RouteMatch.tls_context: presented and validated client certificates.
func tlsLacks(w *passage.Walk, r *proxy.RouteEntry, v configdump.Value) string {
	presented := w.Mutual()
	for _, name := range []string{"presented", "validated"} {
		want := v.Get(name)
		holds := !want.Exists() || w.Check(want, want.Bool() == presented, "route %s: client certificate %s: %v",
			r.Label(), name, want.Bool())
		if want.Exists() {
			w.Compared(fmt.Sprint(presented))
		}
		if !holds {
			return fmt.Sprintf("needs a client certificate %s: %v", name, want.Bool())
		}
	}
	return ""
}

// lacking evaluates a list of matchers of a route, which all have to hold, and returns the first
// that does not with its text; "" where all hold. of evaluates one, and compared keeps the value
// that it was held against.
func lacking(w *passage.Walk, r *proxy.RouteEntry, list configdump.Value,
	of func(configdump.Value) (match.Truth, string),
	compared func(configdump.Value)) (text string, at configdump.Value) {
	for _, m := range list.Elements() {
		result, text := of(m)
		holds := w.Holds(result, flow.WhatRoute, m, "route %s: %s", r.Label(), text)
		if compared(m); !holds {
			return text, m
		}
	}
	return "", configdump.Value{}
}

// headersLack evaluates all header matchers of a route.
func headersLack(w *passage.Walk, r *proxy.RouteEntry, v configdump.Value) string {
	text, m := lacking(w, r, v, func(m configdump.Value) (match.Truth, string) {
		return match.Header(m, w.Req.Header), "header " + match.HeaderText(m)
	}, func(m configdump.Value) { w.ComparedHeader(m.Get("name").Text()) })
	if text == "" {
		return ""
	}
	name := m.Get("name").Text()
	if value, ok := w.Req.Header.Get(name); ok {
		return text + ", and the request has " + redact.Header(name, value)
	}
	return text + ", and the request has none"
}

// queryLacks evaluates all query parameter matchers of a route.
func queryLacks(w *passage.Walk, r *proxy.RouteEntry, v configdump.Value) string {
	path, _ := w.Req.Header.Get(":path")
	params := match.QueryParams(path)
	text, _ := lacking(w, r, v, func(m configdump.Value) (match.Truth, string) {
		return w.Req.Header.Or(":path", match.Query(m, params)), "query parameter " + m.Get("name").Text()
	}, func(m configdump.Value) { w.ComparedParameter(m.Get("name").Text()) })
	return with(text, " does not match")
}

// cookiesLack evaluates cookie matchers.
func cookiesLack(w *passage.Walk, r *proxy.RouteEntry, v configdump.Value) string {
	header, _ := w.Req.Header.Get("cookie")
	cookies := match.Cookies(header)
	text, _ := lacking(w, r, v, func(m configdump.Value) (match.Truth, string) {
		return w.Req.Header.Or("cookie", match.Cookie(m, cookies)), "cookie " + m.Get("name").Text()
	}, func(m configdump.Value) { w.ComparedCookie(m.Get("name").Text()) })
	return with(text, " does not match")
}

// metadataLacks evaluates dynamic_metadata, which filters set while the request runs.
func metadataLacks(w *passage.Walk, r *proxy.RouteEntry, v configdump.Value) string {
	text, _ := lacking(w, r, v, func(m configdump.Value) (match.Truth, string) {
		return w.Meta.Matches(m), "metadata " + m.Get("filter").Text()
	}, func(m configdump.Value) { w.ComparedMetadata(&w.Meta, m) })
	return with(text, " is not what the route needs")
}

// stateLacks evaluates filter_state.
func stateLacks(w *passage.Walk, r *proxy.RouteEntry, v configdump.Value) string {
	text, _ := lacking(w, r, v, func(m configdump.Value) (match.Truth, string) {
		return w.State.State(m), "filter state " + m.Get("key").Text()
	}, func(m configdump.Value) { w.ComparedState(m.Get("key").Text()) })
	return with(text, " is not what the route needs")
}

// with adds to a text that is not empty.
func with(text, more string) string {
	if text == "" {
		return ""
	}
	return text + more
}
