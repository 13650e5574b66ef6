package infer

import (
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/filters"
	"github.com/flowproof/lab/harness/infer/match"
)

// onRoute adds to a filter what route, virtual host and route configuration say of it.
func (w *walk) onRoute(base baseFilter) httpFilter {
	f := httpFilter{baseFilter: base}
	if f.kind == "" { // by ECDS, or without a configuration
		if r, ok := w.e.dump.Lookup(configdump.Extension, f.name); ok {
			f.config, f.kind = r.Value().Get("typed_config").Typed()
		} else {
			f.config, f.kind = f.fallback.Typed()
		}
	}
	for i, over := range w.perRoute(f.name) {
		message, kind := over.Typed()
		disabled, wraps := false, strings.HasSuffix(kind, "envoy.config.route.v3.FilterConfig")
		if wraps {
			disabled = message.Get("disabled").Bool()
			message, kind = message.Get("config").Typed()
		}
		if i == 0 {
			f.disabled = disabled
		}
		if kind != "" && !disabled {
			f.routes = append(f.routes, message)
		}
	}
	if f.kind == corsType && len(f.routes) == 0 && w.route != nil { // until Envoy 1.2x the policy stood in the route itself
		for _, old := range []configdump.Value{w.route.action.Get("cors"), w.vhost.at.Get("cors")} {
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
func (w *walk) perRoute(name string) []configdump.Value {
	if w.route == nil {
		return nil
	}
	const field = "typed_per_filter_config"
	var found []configdump.Value
	add := func(p configdump.Value) {
		if v := named(p, name); v.Exists() {
			found = append(found, v)
		}
	}
	if c := w.weightedEntry(); c.Exists() {
		add(c.Get(field))
	}
	add(w.route.at.Get(field))
	add(w.vhost.at.Get(field))
	add(w.table.perFilter)
	return found
}

// weightedEntry returns the weighted cluster that was chosen, or a Value that does not exist.
func (w *walk) weightedEntry() configdump.Value {
	if w.route == nil || w.out.Cluster == "" {
		return configdump.Value{}
	}
	for _, c := range w.route.action.Get("weighted_clusters", "clusters").Elements() {
		if c.Get("name").Text() == w.out.Cluster {
			return c
		}
	}
	return configdump.Value{}
}

// named returns a map's value by its key, which is no field name.
func named(m configdump.Value, key string) configdump.Value {
	for k, v := range m.Fields() {
		if k == key {
			return v
		}
	}
	return configdump.Value{}
}

// filterRequest is the request as package filters sees it.
func (w *walk) filterRequest() *filters.Request {
	return &filters.Request{Headers: w.req.header, Metadata: &w.meta, State: &w.state, Cluster: w.out.Cluster, HTTP2: w.req.isHTTP2(),
		Routed: w.hasRoute(), Forwards: w.route != nil && w.route.at.Has("route"), Way: filterWay{w}}
}

// hasRoute says whether the request has a route, of which one is the redirect that require_tls makes.
func (w *walk) hasRoute() bool {
	if w.route != nil || w.vhost == nil {
		return w.route != nil
	}
	_, status := w.requireTLS(w.vhost)
	return status != 0
}

func (w *walk) asFilter(f httpFilter) *filters.Filter {
	return &filters.Filter{At: f.at, Name: f.name, Kind: f.kind, Config: f.config, Routes: f.routes,
		Late: func() []configdump.Value { return f.routes }}
}

// A filterWay is a walk as filters.Way.
type filterWay struct{ w *walk }

func (f filterWay) Holds(t match.Truth, what flow.What, at configdump.Value, format string, args ...any) bool {
	return f.w.holds(t, what, at, format, args...)
}

func (f filterWay) Lot(what flow.What, at configdump.Value, numerator, of uint64, why string) bool {
	if r := f.w.req.Random; r != nil {
		return *r%of < numerator
	}
	return f.w.lot(what, at, numerator, of, why)
}

func (f filterWay) May(what flow.What, on, why string, at configdump.Value) bool {
	return f.w.may(what, on, why, at)
}

func (f filterWay) Format(text, missing string) (string, bool) { return f.w.formatted(text, missing) }

func (f filterWay) Fraction(v configdump.Value) (numerator, of uint64) { return f.w.e.fraction(v) }

// Flag reads RuntimeFeatureFlag: what the runtime says, or else default_value.
func (f filterWay) Flag(v configdump.Value, otherwise bool) bool {
	if set := f.w.e.runtime(v.Get("runtime_key").Text()); set.Exists() {
		return set.Bool()
	}
	if d := v.Get("default_value"); d.Exists() {
		return d.Bool()
	}
	return otherwise
}

func (f filterWay) Match(rule configdump.Value) bool {
	at := configdump.Value(rule)
	entry := &routeEntry{cond: at, path: match.NewPath(at), more: true}
	lacks, _ := f.w.routeLacks(entry)
	return lacks == ""
}

// Reachable says whether a cluster is in the dump and may have an endpoint.
func (f filterWay) Reachable(name string) bool {
	c := f.w.e.cluster(name)
	if c == nil {
		return !f.w.e.dump.Has(configdump.Cluster)
	}
	if c.kind != "STATIC" && c.kind != "EDS" || c.members() != nil {
		return true
	}
	load := f.w.e.load(c)
	return len(load.hosts) > 0 || c.kind == "EDS" && !f.w.e.dump.Has(configdump.Endpoints)
}

// Healthy says how many percent of a cluster's endpoints are healthy, as far as the dump has their health.
func (f filterWay) Healthy(name string) (percent float64, known bool) {
	c := f.w.e.cluster(name)
	if c == nil {
		return 0, true
	}
	hosts := f.w.e.load(c).hosts
	if c.at.Has("health_checks") || c.at.Has("outlier_detection") || len(hosts) == 0 && c.kind != "STATIC" {
		return 0, false
	}
	healthy := 0
	for _, h := range hosts {
		if h.healthy() {
			healthy++
		}
	}
	return 100 * float64(healthy) / float64(max(len(hosts), 1)), true
}
