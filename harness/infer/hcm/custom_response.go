package hcm

import (
	"slices"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/matcher"
	"github.com/flowproof/lab/harness/infer/passage"
)

const (
	customResponseType = "envoy.extensions.filters.http.custom_response.v3.CustomResponse"
	localPolicy        = "envoy.extensions.http.custom_response.local_response_policy.v3.LocalResponsePolicy"
)

// respondOtherwise lets filters custom_response take part in the answers that the proxy makes
// itself. (docs/root/configuration/http/http_filters/custom_response_filter)
func respondOtherwise(w *passage.Walk) {
	list, _ := filterList(w)
	for _, base := range list {
		if f := onRoute(w, base); f.Kind == customResponseType {
			before := w.Respond
			w.Respond = func(status int) int {
				if before != nil {
					status = before(status)
				}
				return customStatus(w, onRoute(w, base), status)
			}
		}
	}
}

// customStatus is the status of an answer after one filter: that of the policy that a matcher leads
// to, of the most specific configuration that has one.
func customStatus(w *passage.Walk, f httpFilter, status int) int {
	if f.Disabled || status == 0 {
		return status
	}
	for _, config := range slices.Concat(f.routes, []configdump.Value{f.Config}) {
		policy, kind := customPolicy(w, config.Get("custom_response_matcher"), status)
		own := policy.Get("status_code")
		switch {
		case kind == localPolicy && own.Exists():
			return int(own.Uint())
		case kind == localPolicy:
			return status
		case kind != "":
			w.Open(flow.WhatAnswer, f.Name, "filter "+f.Name+" asks another service for the answer", f.At)
			return status
		}
	}
	return status
}

// customPolicy is the policy that a matcher leads to for an answer, and its type; ""
// where it leads to none.
func customPolicy(w *passage.Walk, tree configdump.Value, status int) (policy configdump.Value, kind string) {
	m := matcher.Matching{W: w, What: flow.WhatAnswer, HTTP: true, Status: status,
		Accept: func(v configdump.Value) bool {
			policy, kind = v.Get("typed_config").Typed()
			return true
		}}
	if !m.Evaluate(tree) {
		return configdump.Value{}, ""
	}
	return policy, kind
}
