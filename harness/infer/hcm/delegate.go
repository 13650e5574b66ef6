package hcm

import (
	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/filters"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/matcher"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
)

// maxDelegates bounds how deep filters may delegate to others.
const maxDelegates = 16

// delegate runs the filter in an ExtensionWithMatcher, unless its matcher leads to SkipFilter; the
// matcher of the route replaces the filter's own. A composite filter in it runs the filter that the
// matcher's action names.
func (run *filtering) delegate(f httpFilter) {
	inner := proxy.NewBaseFilter(f.Config.Get("extension_config"))
	inner.At, inner.Name = f.At, f.Name
	tree := either(f.Config.Get("xds_matcher"), f.Config.Get("matcher"))
	if len(f.routes) > 0 {
		tree = either(f.routes[0].Get("xds_matcher"), tree)
	}
	action, kind := run.action(tree)
	switch {
	case kind == "envoy.extensions.filters.common.matcher.action.v3.SkipFilter":
		run.notes = append(run.notes, f.Name+" is skipped: its matcher leads to SkipFilter")
	case inner.Kind == filters.CompositeType &&
		kind == "envoy.extensions.filters.http.composite.v3.ExecuteFilterAction":
		run.execute(f, action)
	case inner.Kind == filters.CompositeType && kind == "":
	case inner.Kind == filters.CompositeType:
		run.unknown(httpFilter{BaseFilter: proxy.BaseFilter{At: f.At, Name: f.Name, Kind: kind}})
	default:
		run.nested(httpFilter{BaseFilter: inner, routes: f.routes})
	}
}

// action evaluates a matcher whose actions are typed.
func (run *filtering) action(tree configdump.Value) (action configdump.Value, kind string) {
	m := matcher.Matching{W: run.w, What: flow.WhatAnswer, HTTP: true, Accept: func(v configdump.Value) bool {
		action, kind = v.Get("typed_config").Typed()
		return true
	}}
	if !m.Evaluate(tree) {
		return configdump.Value{}, ""
	}
	return action, kind
}

// composite is a composite filter without a matcher around it: only its route may have one, and
// else it does nothing.
func (run *filtering) composite(f httpFilter) {
	if len(f.routes) == 0 {
		return
	}
	action, kind := run.action(either(f.routes[0].Get("matcher"), f.routes[0].Get("xds_matcher")))
	if kind == "envoy.extensions.filters.http.composite.v3.ExecuteFilterAction" {
		run.execute(f, action)
	}
}

// execute runs the filter that an ExecuteFilterAction names; with sample_percent only for a
// part of all requests.
func (run *filtering) execute(f httpFilter, action configdump.Value) {
	w := run.w
	if sample := action.Get("sample_percent"); sample.Exists() {
		numerator, of := w.Proxy.Fraction(sample)
		if numerator == 0 || numerator < of && !(passage.FilterWay{Walk: w}).Lot(flow.WhatAnswer, sample, numerator, of,
			"filter "+f.Name+" is executed for a part of all requests") {
			return
		}
	}
	list := []configdump.Value{action.Get("typed_config")}
	if chain := action.Get("filter_chain", "typed_config"); chain.Len() > 0 {
		list = nil
		for _, c := range chain.Elements() {
			list = append(list, c)
		}
	}
	for _, c := range list {
		if !c.Exists() { // dynamic_config, by ECDS
			cause := match.Cause{On: "filter " + f.Name,
				Why: "which filter " + f.Name + " delegates to is not in the dump"}
			w.Open(flow.WhatWay, cause.On, cause.Why, action)
			continue
		}
		inner := proxy.BaseFilter{At: f.At, Name: f.Name}
		inner.Config, inner.Kind = c.Get("typed_config").Typed()
		if run.nested(httpFilter{BaseFilter: inner, routes: f.routes}); w.Done {
			return
		}
	}
}

// nested runs a filter within another.
func (run *filtering) nested(f httpFilter) {
	if run.depth == maxDelegates {
		run.w.Open(flow.WhatWay, "filter "+f.Name, "filters delegate to others too deep", f.At)
		return
	}
	run.depth++
	run.filter(f)
	run.depth--
}
