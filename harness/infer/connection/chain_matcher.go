package connection

import (
	"cmp"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/matcher"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
	"github.com/flowproof/lab/harness/infer/say"
)

// chainByMatcher chooses the filter chain that filter_chain_matcher names.
func chainByMatcher(w *passage.Walk) (chosen *proxy.FilterChain, why string) {
	name := ""
	m := matcher.Matching{W: w, What: flow.WhatChain, Accept: func(action configdump.Value) bool {
		name = cmp.Or(action.Get("typed_config", "value").Text(), action.Get("name").Text())
		return true
	}}
	if !m.Evaluate(w.Listener.Matcher) {
		return nil, "filter_chain_matcher names none"
	}
	for _, c := range w.Listener.Chains {
		if c.Name == name {
			return c, "filter_chain_matcher names it by " + say.OrNone(strings.Join(m.Steps, ", "))
		}
	}
	return nil, "filter_chain_matcher names " + name + ", which the listener does not have"
}
