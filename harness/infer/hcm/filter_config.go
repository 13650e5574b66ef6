package hcm

import (
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/infer/filters"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
)

// onRoute adds to a filter what route, virtual host and route configuration say of it.
func onRoute(w *passage.Walk, base proxy.BaseFilter) httpFilter {
	f := httpFilter{BaseFilter: base}
	if f.Kind == "" { // by ECDS, or without a configuration
		if r, ok := w.Proxy.Dump.Lookup(configdump.Extension, f.Name); ok {
			f.Config, f.Kind = r.Value().Get("typed_config").Typed()
		} else {
			f.Config, f.Kind = f.Fallback.Typed()
		}
	}
	for i, over := range perRoute(w, f.Name) {
		message, kind := over.Typed()
		disabled, wraps := false, strings.HasSuffix(kind, "envoy.config.route.v3.FilterConfig")
		if wraps {
			disabled = message.Get("disabled").Bool()
			message, kind = message.Get("config").Typed()
		}
		if i == 0 {
			f.Disabled = disabled
		}
		if kind != "" && !disabled {
			f.routes = append(f.routes, message)
		}
	}
	if f.Kind == corsType && len(f.routes) == 0 && w.Route != nil {
		// until Envoy 1.2x the policy stood in the route itself
		for _, old := range []configdump.Value{w.Route.Action.Get("cors"), w.VirtualHost.At.Get("cors")} {
			if old.Exists() {
				f.routes = append(f.routes, old)
			}
		}
	}
	return f
}

const corsType = "envoy.extensions.filters.http.cors.v3.Cors"

// perRoute returns the typed_per_filter_config of a filter of all levels, the most specific first:
// of the weighted cluster, of the route, of its virtual host, of the route configuration. Without a
// route none of them counts, and none of virtual host and route configuration either: a filter asks
// the route for all of them. (Http::Utility::resolveMostSpecificPerFilterConfig)
func perRoute(w *passage.Walk, name string) []configdump.Value {
	if w.Route == nil {
		return nil
	}
	const field = "typed_per_filter_config"
	var found []configdump.Value
	add := func(p configdump.Value) {
		if v := p.Key(name); v.Exists() {
			found = append(found, v)
		}
	}
	if c := WeightedEntry(w); c.Exists() {
		add(c.Get(field))
	}
	add(w.Route.At.Get(field))
	add(w.VirtualHost.At.Get(field))
	add(w.Table.PerFilter)
	return found
}

// WeightedEntry returns the weighted cluster that was chosen, or a Value that does not exist.
func WeightedEntry(w *passage.Walk) configdump.Value {
	if w.Route == nil || w.Out.Cluster == "" {
		return configdump.Value{}
	}
	for _, c := range w.Route.Action.Get("weighted_clusters", "clusters").Elements() {
		if c.Get("name").Text() == w.Out.Cluster {
			return c
		}
	}
	return configdump.Value{}
}

// filterRequest is the request as package filters sees it.
func filterRequest(w *passage.Walk) *filters.Request {
	r := &filters.Request{Headers: w.Req.Header, Metadata: &w.Meta, State: &w.State, Cluster: w.Out.Cluster,
		HTTP2:  w.Req.IsHTTP2(),
		Routed: hasRoute(w), Forwards: w.Route != nil && w.Route.At.Has("route"),
		Way: filterWay{passage.FilterWay{Walk: w}}}
	if r.Forwards {
		r.Limits = filters.RateLimits{Route: w.Route.Action.Get("rate_limits"),
			Host: w.VirtualHost.At.Get("rate_limits"), Both: w.Route.Action.Get("include_vh_rate_limits").Bool()}
	}
	return r
}

// hasRoute says whether the request has a route, of which one is the redirect that
// require_tls makes.
func hasRoute(w *passage.Walk) bool {
	if w.Route != nil || w.VirtualHost == nil {
		return w.Route != nil
	}
	_, status := requireTLS(w, w.VirtualHost)
	return status != 0
}

func asFilter(f httpFilter) *filters.Filter {
	return &filters.Filter{At: f.At, Name: f.Name, Kind: f.Kind, Config: f.Config, Routes: f.routes,
		Late: func() []configdump.Value { return f.routes }}
}

// A filterWay is a walk as filters.Way.
type filterWay struct{ passage.FilterWay }

// Match evaluates a RouteMatch.
func (f filterWay) Match(rule configdump.Value) bool {
	entry := &proxy.RouteEntry{Cond: rule, Path: match.NewPath(rule), More: true}
	lacks, _ := routeLacks(f.Walk, entry)
	return lacks == ""
}
