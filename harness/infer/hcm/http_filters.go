package hcm

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/certainty"
	"github.com/flowproof/lab/harness/infer/filters"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
	"github.com/flowproof/lab/harness/infer/rbac"
	"github.com/flowproof/lab/harness/infer/say"
)

// Types of HTTP filters that this package evaluates itself.
const (
	rbacType     = "envoy.extensions.filters.http.rbac.v3.RBAC"
	routerType   = "envoy.extensions.filters.http.router.v3.Router"
	routerFilter = "envoy.filters.http.router"
)

// An httpFilter is a filter with what the route says of it.
type httpFilter struct {
	proxy.BaseFilter
	routes []configdump.Value // what route, virtual host and route configuration say of it, the most specific first
}

// A filtering is the walk over the HTTP filters of one request.
type filtering struct {
	w      *passage.Walk
	found  routeResult
	hop    flow.Hop
	names  []string
	notes  []string
	routed bool             // a filter that ends the chain has run
	stale  string           // the filter that has cleared the route cache since the route was chosen; "": none has
	doubt  configdump.Value // that filter, where it may have cleared it and may not have
	fresh  int              // what filters that are computed had changed when the route was chosen
	depth  int              // of filters that delegate to others
}

// httpFilters walks over the HTTP filters in order: each acts on the request as the filters before
// have left it. One that answers ends the way here; one that clears the route cache lets the route
// be chosen again, which is returned.
func httpFilters(w *passage.Walk, found routeResult) routeResult {
	list, source := filterList(w)
	run := &filtering{w: w, found: found, fresh: changes(w)}
	var able []httpFilter
	for _, base := range list {
		f := onRoute(w, base)
		if f.Disabled {
			run.hop.Rejected = append(run.hop.Rejected, flow.Alternative{Name: f.Name, Source: base.At.Pointer(),
				Why: "it is disabled for this route"})
			continue
		}
		able = append(able, f)
	}
	asked := len(w.Asked())
	for _, f := range able {
		run.names = append(run.names, f.Name)
		run.hop.Expect = append(run.hop.Expect, filters.Facts(flow.FactHTTPFilter, f.Name, f.Kind)...)
		w.Deciding = flow.HTTPFilters
		if !ownFirst(f.Kind) {
			f.routes = run.levels(f.BaseFilter)
		}
		if run.filter(f); w.Done {
			return run.found
		}
	}
	run.refresh()
	run.hop.Decision = say.OrNone(strings.Join(run.names, ", "))
	if !run.routed {
		run.hop.Reason = flow.NoRouterFilter
		run.hop.Why = "no filter of the chain sends the request on: it waits for ever, and the client for its answer"
		w.Add(flow.HTTPFilters, source, run.hop)
		w.Fail(flow.Unanswered, "")
		return run.found
	}
	why := "none of them answers by itself, so the router, the last one, follows the route"
	if len(w.Asked()) > asked {
		why = "as far as the dump says " + why
	} else {
		run.hop.Expect = append(run.hop.Expect, passage.Fact(flow.FactHTTPFilters, fmt.Sprint(len(run.names))))
	}
	run.hop.Why = say.Join(append([]string{why}, run.notes...)...)
	w.Add(flow.HTTPFilters, source, run.hop)
	return run.found
}

// filterList returns the connection manager's filters, or those that its upgrade_configs have for
// the request's upgrade, where it is allowed.
// (HttpConnectionManagerConfig::createUpgradeFilterChain)
func filterList(w *passage.Walk) ([]proxy.BaseFilter, configdump.Value) {
	if upgrade := upgradeType(w); upgrade != "" && upgradeRefused(w) == nil {
		for _, c := range w.HCM.At.Get("upgrade_configs").Elements() {
			if own := c.Get("filters"); own.Len() > 0 && strings.EqualFold(c.Get("upgrade_type").Text(), upgrade) {
				var list []proxy.BaseFilter
				for _, f := range own.Elements() {
					list = append(list, proxy.NewBaseFilter(f))
				}
				return list, own
			}
		}
	}
	return w.HCM.Filters, w.HCM.At.Get("http_filters")
}

// filter lets one filter act.
func (run *filtering) filter(f httpFilter) {
	w := run.w
	row := filters.HTTP(f.Kind, f.Name)
	switch {
	case f.Kind == rbacType:
		run.apply(f, rbacAnswers(w, f))
		return
	case f.Kind == filters.MatcherType:
		run.delegate(f)
		return
	case f.Kind == filters.CompositeType:
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
	own := asFilter(f)
	if run.depth == 0 { // one within another has what the route says of the outer
		own.Late = func() []configdump.Value { return run.levels(f.BaseFilter) }
	}
	result, ok := filters.Run(filterRequest(w), own)
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
		run.cleared(f, result.Perhaps)
	}
}

// cleared notes that a filter has cleared the route cache, or with perhaps that it may have.
func (run *filtering) cleared(f httpFilter, perhaps bool) {
	switch {
	case !perhaps:
		run.stale, run.doubt = f.Name, configdump.Value{}
	case run.stale == "":
		run.stale, run.doubt = f.Name, f.At
	}
}

// reply ends the way with a filter's answer.
func (run *filtering) reply(f httpFilter, answer *filters.Reply) {
	w, hop := run.w, run.hop
	if answer.Code == flow.HealthAnswered && upgradeType(w) != "" {
		// HealthCheckFilter answers when the request has ended
		hop.Decision, hop.Why = strings.Join(run.names, ", "),
			"the health check is answered when the request has ended, and one that asks for an upgrade does not end"
		w.Add(flow.HTTPFilters, f.At, hop)
		w.Fail(flow.Unanswered, "")
		return
	}
	hop.Expect = append(hop.Expect, passage.Fact(flow.FactHTTPFilters, fmt.Sprint(len(run.names))))
	hop.Decision, hop.Reason = strings.Join(run.names, ", ")+" answers", answer.Code
	hop.Why = say.Join(append(run.notes, answer.Why)...)
	if answer.Status != 0 {
		hop.Decision += " " + fmt.Sprint(answer.Status)
		hop.Expect = append(hop.Expect, passage.StatusFact(w.LocalStatus(answer.Status, answer.Flag))...)
	}
	if answer.Details != "" {
		hop.Expect = append(hop.Expect, passage.Fact(flow.FactDetails, answer.Details))
	}
	w.Add(flow.HTTPFilters, either(answer.Source, f.At), hop)
	if answer.Denied {
		w.Fail(flow.Denied, answer.Flag)
		w.Out.Status = w.LocalStatus(answer.Status, answer.Flag)
		return
	}
	w.Answer(0, "")
	w.Out.Status, w.Out.Flag = w.LocalStatus(answer.Status, answer.Flag), answer.Flag
}

// opened lets a filter that is not computed do what the catalogue says that it can do.
func (run *filtering) opened(f httpFilter, row *filters.Row) {
	w, can := run.w, row.Can
	why := "filter " + f.Name + " depends on " + row.On
	if can&(filters.Answer|filters.Stop) != 0 && w.May(flow.WhatAnswer, f.Name,
		"filter "+f.Name+" may answer by itself: that depends on "+row.On, f.At) {
		run.reply(f, &filters.Reply{Why: "the filter answers: that depends on " + row.On})
		return
	}
	cause := match.Cause{On: "filter " + f.Name,
		Why: "filter " + f.Name + " may have changed it: that depends on " + row.On}
	if can&filters.Headers != 0 {
		w.Req.Header.LoosenAll(cause, can&filters.Path != 0)
	}
	if can&filters.Metadata != 0 {
		w.Meta.LoosenAll(cause)
		w.State.LoosenAll(cause)
	}
	if can&filters.Cluster != 0 {
		w.Open(flow.WhatCluster, f.Name, why, f.At)
	}
	if can&filters.Host != 0 {
		w.HostBy = f.Name
		openHost(w, f, row)
	}
	if can&filters.Reroute != 0 {
		run.cleared(f, true)
	}
}

// openHost notes that a filter may choose the host, where it has a part in it.
func openHost(w *passage.Walk, f httpFilter, row *filters.Row) {
	if row.On == "DNS" || f.Kind == "envoy.extensions.filters.http.lua.v3.Lua" { // where the cluster asks for it
		return
	}
	w.Deciding = flow.Endpoint
	w.Open(flow.WhatHost, f.Name, "filter "+f.Name+" may choose the host: that depends on "+row.On, f.At)
	w.Deciding = flow.HTTPFilters
}

// unknown is a filter that is in no catalogue: it can do everything, and everything
// after it is open.
func (run *filtering) unknown(f httpFilter) {
	w := run.w
	name := cmp.Or(f.Kind, f.Name)
	cause := match.Cause{On: "filter " + name, Why: "what filter " + name + " does is not known"}
	w.Req.Header.LoosenAll(cause, true)
	w.Meta.LoosenAll(cause)
	w.State.LoosenAll(cause)
	w.Open(flow.WhatWay, cause.On,
		cause.Why+": it may answer, hold or change the request, or choose where it goes", f.At)
	run.notes = append(run.notes, cause.Why+", so everything after it is open")
	run.routed = run.routed || f.Name == routerFilter
}

// refresh chooses the route again where a filter has cleared the route cache: Envoy does so when
// the route is asked for the next time, by another filter or by the router.
// (ActiveStreamFilterBase::route)
func (run *filtering) refresh() {
	if run.stale == "" {
		return
	}
	w, by, doubt := run.w, run.stale, run.doubt
	run.stale, run.doubt = "", configdump.Value{}
	before, known := certainty.PossibilityOf(&w.Out), changes(w)
	if doubt.Exists() && known != run.fresh && !w.May(flow.WhatRoute, by,
		"filter "+by+" may have the route chosen again, for a request that filters have changed", doubt) {
		return // the route of before, though another would be chosen now
	}
	run.fresh = known
	run.found = findRouteAgain(w)
	if after := certainty.PossibilityOf(&w.Out); after.VirtualHost != before.VirtualHost ||
		after.Route != before.Route || after.Cluster != before.Cluster {
		run.notes = append(run.notes, by+" clears the route cache, and the route is chosen again")
	}
}

// changes counts what filters have changed of the request by which a route is chosen.
func changes(w *passage.Walk) int {
	return w.Req.Header.Changes() + w.Meta.Changes() + w.State.Changes()
}

// levels is what the route says of a filter, which asks for it now.
func (run *filtering) levels(f proxy.BaseFilter) []configdump.Value {
	run.refresh()
	return onRoute(run.w, f).routes
}

// ownFirst says whether a filter does its own part before it asks for the route, if it does at all.
func ownFirst(kind string) bool {
	switch strings.TrimPrefix(kind, "envoy.extensions.filters.http.") {
	case "header_mutation.v3.HeaderMutation", "set_metadata.v3.Config", "set_filter_state.v3.Config",
		"cdn_loop.v3.CdnLoopConfig":
		return true
	}
	return false
}

// findRouteAgain forgets the route and chooses one for the request as it is now.
func findRouteAgain(w *passage.Walk) routeResult {
	w.Table, w.VirtualHost, w.Route = nil, nil, nil
	w.Out.RouteConfig, w.Out.VirtualHost, w.Out.Route, w.Out.RouteIndex, w.Out.Cluster, w.Out.Clusters, w.Out.Rewrite =
		"", "", "", -1, "", nil, nil
	w.Deciding = flow.Route
	found := findRoute(w)
	w.Deciding = flow.HTTPFilters
	return found
}

// either is the first of two values, or where it does not exist the other.
func either(first, second configdump.Value) configdump.Value {
	if first.Exists() {
		return first
	}
	return second
}

// rbacNamespace is where RBAC writes which policy has matched, as dynamic metadata.
const rbacNamespace = "envoy.filters.http.rbac"

// rbacAnswers evaluates the RBAC filter; RBACPerRoute replaces its rules.
func rbacAnswers(w *passage.Walk, f httpFilter) filters.Result {
	config := f.Config
	if len(f.routes) > 0 {
		config = f.routes[0].Get("rbac")
	}
	engine := rbac.Rules{W: w, Header: w.Req.Header}
	allowed, code, why, rules, ok := engine.Judge(config)
	if ok || config.Has("shadow_rules") || config.Has("shadow_matcher") {
		w.Meta.Loosen(rbacNamespace, match.Cause{On: "filter " + f.Name,
			Why: "filter " + f.Name + " writes its result there"})
	}
	// What is not known at all is taken to allow: the way then says more.
	if !ok || w.Settle(allowed.Guessing(true), flow.WhatAnswer, rules, "RBAC of "+f.Name+" allows the request") {
		return filters.Result{}
	}
	return filters.Result{Reply: &filters.Reply{Status: 403, Code: code, Denied: true, Why: why + ": Envoy answers 403",
		Source: rules}}
}
