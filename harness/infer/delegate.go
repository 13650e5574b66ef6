package infer

import (
	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
)

// maxDelegates bounds how deep filters may delegate to others.
const maxDelegates = 16

// delegate runs the filter in an ExtensionWithMatcher, unless its matcher leads to SkipFilter; the matcher of the route
// replaces the filter's own. A composite filter in it runs the filter that the matcher's action names.
func (run *filtering) delegate(f httpFilter) {
	inner := newBaseFilter(f.config.Get("extension_config"))
	inner.at, inner.name = f.at, f.name
	tree := f.config.Get("xds_matcher")
	if !tree.Exists() {
		tree = f.config.Get("matcher")
	}
	if len(f.routes) > 0 {
		tree = first2(f.routes[0].Get("xds_matcher"), tree)
	}
	action, kind := run.action(tree)
	switch {
	case kind == "envoy.extensions.filters.common.matcher.action.v3.SkipFilter":
		run.notes = append(run.notes, f.name+" is skipped: its matcher leads to SkipFilter")
	case inner.kind == compositeTyp && kind == "envoy.extensions.filters.http.composite.v3.ExecuteFilterAction":
		run.execute(f, action)
	case inner.kind == compositeTyp && kind == "":
	case inner.kind == compositeTyp:
		run.unknown(httpFilter{baseFilter: baseFilter{at: f.at, name: f.name, kind: kind}})
	default:
		run.nested(httpFilter{baseFilter: inner, routes: f.routes})
	}
}

// action evaluates a matcher whose actions are typed.
func (run *filtering) action(tree configdump.Value) (action configdump.Value, kind string) {
	m := matching{w: run.w, what: flow.WhatAnswer, http: true, accept: func(v configdump.Value) bool {
		action, kind = v.Get("typed_config").Typed()
		return true
	}}
	if !m.evaluate(tree, 0) {
		return configdump.Value{}, ""
	}
	return action, kind
}

// composite is a composite filter without a matcher around it: only its route may have one, and else it does nothing.
func (run *filtering) composite(f httpFilter) {
	if len(f.routes) == 0 {
		return
	}
	action, kind := run.action(first2(f.routes[0].Get("matcher"), f.routes[0].Get("xds_matcher")))
	if kind == "envoy.extensions.filters.http.composite.v3.ExecuteFilterAction" {
		run.execute(f, action)
	}
}

// execute runs the filter that an ExecuteFilterAction names; with sample_percent only for a part of all requests.
func (run *filtering) execute(f httpFilter, action configdump.Value) {
	w := run.w
	if sample := action.Get("sample_percent"); sample.Exists() {
		numerator, of := w.e.fraction(sample)
		if numerator == 0 || numerator < of && !(filterWay{w}).Lot(flow.WhatAnswer, sample, numerator, of, "filter "+f.name+" is executed for a part of all requests") {
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
			cause := match.Cause{On: "filter " + f.name, Why: "which filter " + f.name + " delegates to is not in the dump"}
			w.open(flow.WhatWay, cause.On, cause.Why, action)
			continue
		}
		inner := baseFilter{at: f.at, name: f.name}
		inner.config, inner.kind = c.Get("typed_config").Typed()
		if run.nested(httpFilter{baseFilter: inner, routes: f.routes}); w.done {
			return
		}
	}
}

// nested runs a filter within another.
func (run *filtering) nested(f httpFilter) {
	if run.depth++; run.depth > maxDelegates {
		run.w.open(flow.WhatWay, "filter "+f.name, "filters delegate to others too deep", f.at)
		return
	}
	run.filter(f)
	run.depth--
}
