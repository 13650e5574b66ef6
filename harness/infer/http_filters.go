package infer

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/filters"
	"github.com/flowproof/lab/harness/infer/match"
)

// Types of HTTP filters that this package evaluates itself.
const (
	rbacType     = "envoy.extensions.filters.http.rbac.v3.RBAC"
	routerType   = "envoy.extensions.filters.http.router.v3.Router"
	delegateType = "envoy.extensions.common.matching.v3.ExtensionWithMatcher"
	compositeTyp = "envoy.extensions.filters.http.composite.v3.Composite"
	routerFilter = "envoy.filters.http.router"
)

// A baseFilter is one filter of the connection manager.
type baseFilter struct {
	at       configdump.Value
	name     string
	kind     string // type of its configuration
	config   configdump.Value
	fallback configdump.Value // config_discovery.default_config, of a filter by ECDS
	disabled bool
}

func newBaseFilter(v configdump.Value) baseFilter {
	f := baseFilter{at: v, name: v.Get("name").Text(), disabled: v.Get("disabled").Bool()}
	f.config, f.kind = v.Get("typed_config").Typed()
	if d := v.Get("config_discovery"); d.Exists() {
		f.fallback = d.Get("default_config")
	}
	return f
}

// An httpFilter is a filter with what the route says of it.
type httpFilter struct {
	baseFilter
	routes []configdump.Value // what route, virtual host and route configuration say of it, the most specific first
}

// A filtering is the walk over the HTTP filters of one request.
type filtering struct {
	w      *walk
	found  routeResult
	hop    flow.Hop
	names  []string
	notes  []string
	routed bool   // a filter that ends the chain has run
	stale  string // the filter that has cleared the route cache since the route was chosen; "": none has
	depth  int    // of filters that delegate to others
}

// httpFilters walks over the HTTP filters in order: each acts on the request as the filters before have left it. One that
// answers ends the way here; one that clears the route cache lets the route be chosen again, which is returned.
func (w *walk) httpFilters(found routeResult) routeResult {
	list, source := w.filterList()
	run := &filtering{w: w, found: found}
	var able []httpFilter
	for _, base := range list {
		f := w.onRoute(base)
		if f.disabled {
			run.hop.Rejected = append(run.hop.Rejected, flow.Alternative{Name: f.name, Source: base.at.Pointer(), Why: "it is disabled for this route"})
			continue
		}
		able = append(able, f)
	}
	asked := len(w.asked)
	for _, f := range able {
		run.names = append(run.names, f.name)
		run.hop.Expect = append(run.hop.Expect, filterFacts(flow.FactHTTPFilter, f.name, f.kind)...)
		w.deciding = flow.HTTPFilters
		if !ownFirst(f.kind) {
			f.routes = run.levels(f.baseFilter)
		}
		if run.filter(f); w.done {
			return run.found
		}
	}
	run.refresh()
	run.hop.Decision = orNone(strings.Join(run.names, ", "))
	if !run.routed {
		run.hop.Reason = flow.NoRouterFilter
		run.hop.Why = "no filter of the chain sends the request on: it waits for ever, and the client for its answer"
		w.add(flow.HTTPFilters, source, run.hop)
		w.fail(flow.Unanswered, "")
		return run.found
	}
	why := "none of them answers by itself, so the router, the last one, follows the route"
	if len(w.asked) > asked {
		why = "as far as the dump says " + why
	} else {
		run.hop.Expect = append(run.hop.Expect, fact(flow.FactHTTPFilters, fmt.Sprint(len(run.names))))
	}
	run.hop.Why = joinWhy(append([]string{why}, run.notes...)...)
	w.add(flow.HTTPFilters, source, run.hop)
	return run.found
}

// filterList returns the connection manager's filters, or those that its upgrade_configs have for
// the request's upgrade, where it is allowed.
// (HttpConnectionManagerConfig::createUpgradeFilterChain)
func (w *walk) filterList() ([]baseFilter, configdump.Value) {
	if upgrade := w.upgradeType(); upgrade != "" && w.upgradeRefused() == nil {
		for _, c := range w.hcm.at.Get("upgrade_configs").Elements() {
			if own := c.Get("filters"); own.Len() > 0 && strings.EqualFold(c.Get("upgrade_type").Text(), upgrade) {
				var list []baseFilter
				for _, f := range own.Elements() {
					list = append(list, newBaseFilter(f))
				}
				return list, own
			}
		}
	}
	return w.hcm.filters, w.hcm.at.Get("http_filters")
}

// filter lets one filter act.
func (run *filtering) filter(f httpFilter) {
	w := run.w
	row := filters.HTTP(f.kind, f.name)
	switch {
	case f.kind == rbacType:
		run.apply(f, w.rbacAnswers(f))
		return
	case f.kind == delegateType:
		run.delegate(f)
		return
	case f.kind == compositeTyp:
		run.composite(f)
		return
	case row == nil:
		run.unknown(f)
		return
	case row.Can&filters.Ends != 0:
		run.routed = true
		if row.Computed {
			return
		}
	}
	own := w.asFilter(f)
	if run.depth == 0 { // one within another has what the route says of the outer
		own.Late = func() []configdump.Value { return run.levels(f.baseFilter) }
	}
	result, ok := filters.Run(w.filterRequest(), own)
	if !ok {
		run.opened(f, row)
		return
	}
	run.apply(f, result)
}

// apply takes what a computed filter did.
func (run *filtering) apply(f httpFilter, result filters.Result) {
	if result.Note != "" {
		run.notes = append(run.notes, result.Note)
	}
	if result.Reply != nil {
		run.reply(f, result.Reply)
		return
	}
	if result.Reroute {
		run.stale = f.name
	}
}

// reply ends the way with a filter's answer.
func (run *filtering) reply(f httpFilter, answer *filters.Reply) {
	w, hop := run.w, run.hop
	if answer.Code == flow.HealthAnswered && w.upgradeType() != "" { // HealthCheckFilter answers when the request has ended
		hop.Decision, hop.Why = strings.Join(run.names, ", "), "the health check is answered when the request has ended, and one that asks for an upgrade does not end"
		w.add(flow.HTTPFilters, f.at, hop)
		w.fail(flow.Unanswered, "")
		return
	}
	hop.Expect = append(hop.Expect, fact(flow.FactHTTPFilters, fmt.Sprint(len(run.names))))
	hop.Decision, hop.Reason = strings.Join(run.names, ", ")+" answers", answer.Code
	hop.Why = joinWhy(append(run.notes, answer.Why)...)
	if answer.Status != 0 {
		hop.Decision += " " + fmt.Sprint(answer.Status)
		hop.Expect = append(hop.Expect, statusFact(w.localStatus(answer.Status))...)
	}
	if answer.Details != "" {
		hop.Expect = append(hop.Expect, fact(flow.FactDetails, answer.Details))
	}
	w.add(flow.HTTPFilters, first2(answer.Source, f.at), hop)
	if answer.Denied {
		w.fail(flow.Denied, answer.Flag)
		w.out.Status = w.localStatus(answer.Status)
		return
	}
	w.answer(answer.Status, "")
	w.out.Flag = answer.Flag
}

// opened lets a filter that is not computed do what the catalogue says that it can do.
func (run *filtering) opened(f httpFilter, row *filters.Row) {
	w, can := run.w, row.Can
	why := "filter " + f.name + " depends on " + row.On
	if can&(filters.Answer|filters.Stop) != 0 && w.may(flow.WhatAnswer, f.name, "filter "+f.name+" may answer by itself: that depends on "+row.On, f.at) {
		run.reply(f, &filters.Reply{Why: "the filter answers: that depends on " + row.On})
		return
	}
	cause := match.Cause{On: "filter " + f.name, Why: "filter " + f.name + " may have changed it: that depends on " + row.On}
	if can&filters.Headers != 0 {
		w.req.header.LoosenAll(cause, can&filters.Path != 0)
	}
	if can&filters.Metadata != 0 {
		w.meta.LoosenAll(cause)
		w.state.LoosenAll(cause)
	}
	if can&filters.Cluster != 0 {
		w.open(flow.WhatCluster, f.name, why, f.at)
	}
	if can&filters.Host != 0 {
		w.hostBy = f.name
		w.openHost(f, row)
	}
	if can&filters.Reroute != 0 {
		run.stale = f.name
	}
}

// openHost notes that a filter may choose the host, where it has a part in it.
func (w *walk) openHost(f httpFilter, row *filters.Row) {
	if row.On == "DNS" || f.kind == "envoy.extensions.filters.http.lua.v3.Lua" { // where the cluster asks for it
		return
	}
	w.deciding = flow.Endpoint
	w.open(flow.WhatHost, f.name, "filter "+f.name+" may choose the host: that depends on "+row.On, f.at)
	w.deciding = flow.HTTPFilters
}

// unknown is a filter that is in no catalogue: it can do everything, and everything after it is open.
func (run *filtering) unknown(f httpFilter) {
	w := run.w
	name := first(f.kind, f.name)
	cause := match.Cause{On: "filter " + name, Why: "what filter " + name + " does is not known"}
	w.req.header.LoosenAll(cause, true)
	w.meta.LoosenAll(cause)
	w.state.LoosenAll(cause)
	w.open(flow.WhatWay, cause.On, cause.Why+": it may answer, hold or change the request, or choose where it goes", f.at)
	run.notes = append(run.notes, cause.Why+", so everything after it is open")
	run.routed = run.routed || f.name == routerFilter
}

// refresh chooses the route again where a filter has cleared the route cache: Envoy does so when
// the route is asked for the next time, by another filter or by the router.
// (ActiveStreamFilterBase::route)
func (run *filtering) refresh() {
	if run.stale == "" {
		return
	}
	w, by := run.w, run.stale
	run.stale = ""
	before := possibility(&w.out)
	run.found = w.findRouteAgain()
	if after := possibility(&w.out); after.VirtualHost != before.VirtualHost || after.Route != before.Route || after.Cluster != before.Cluster {
		run.notes = append(run.notes, by+" clears the route cache, and the route is chosen again")
	}
}

// levels is what the route says of a filter, which asks for it now.
func (run *filtering) levels(f baseFilter) []configdump.Value {
	run.refresh()
	return run.w.onRoute(f).routes
}

// ownFirst says whether a filter does its own part before it asks for the route, if it does at all.
func ownFirst(kind string) bool {
	switch strings.TrimPrefix(kind, "envoy.extensions.filters.http.") {
	case "header_mutation.v3.HeaderMutation", "set_metadata.v3.Config", "set_filter_state.v3.Config", "cdn_loop.v3.CdnLoopConfig":
		return true
	}
	return false
}

// findRouteAgain forgets the route and chooses one for the request as it is now.
func (w *walk) findRouteAgain() routeResult {
	w.table, w.vhost, w.route = nil, nil, nil
	w.out.RouteConfig, w.out.VirtualHost, w.out.Route, w.out.RouteIndex, w.out.Cluster, w.out.Clusters, w.out.Rewrite = "", "", "", -1, "", nil, nil
	w.deciding = flow.Route
	found := w.findRoute()
	w.deciding = flow.HTTPFilters
	return found
}

func first2(all ...configdump.Value) configdump.Value {
	for _, v := range all {
		if v.Exists() {
			return v
		}
	}
	return configdump.Value{}
}

// rbacAnswers evaluates the RBAC filter; RBACPerRoute replaces its rules.
func (w *walk) rbacAnswers(f httpFilter) filters.Result {
	config := f.config
	if len(f.routes) > 0 {
		config = f.routes[0].Get("rbac")
	}
	engine := rbac{w: w, header: w.req.header}
	allowed, code, why, rules, ok := engine.judge(config)
	// What is not known at all is taken to allow: the way then says more.
	if !ok || w.settle(allowed.Guessing(true), flow.WhatAnswer, rules, "RBAC of "+f.name+" allows the request") {
		return filters.Result{}
	}
	return filters.Result{Reply: &filters.Reply{Status: 403, Code: code, Denied: true, Why: why + ": Envoy answers 403", Source: rules}}
}
