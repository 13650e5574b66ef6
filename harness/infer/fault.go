package infer

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
)

// faultAnswers evaluates envoy.extensions.filters.http.fault.v3.HTTPFault: an abort for all requests is an answer, one
// for a part of them a dependence on chance. A delay changes no way.
func (w *walk) faultAnswers(f httpFilter) (answer *reply, may string) {
	config := first2(f.route, f.config)
	if c := config.Get("upstream_cluster").Text(); c != "" && c != w.out.Cluster {
		return nil, ""
	}
	for _, m := range config.Get("headers").Elements() {
		if !w.holds(match.Header(m, w.req.header), flow.WhatAnswer, m, "fault: header %s", match.HeaderText(m)) {
			return nil, ""
		}
	}
	if nodes := config.Get("downstream_nodes").Texts(); len(nodes) > 0 {
		if node, _ := w.req.header.Get("x-envoy-downstream-service-node"); !slices.Contains(nodes, node) {
			return nil, ""
		}
	}
	abort := config.Get("abort")
	if !abort.Exists() {
		return nil, ""
	}
	status, ok := w.abortStatus(abort)
	numerator, of := abort.Get("percentage", "numerator").Uint(), denominator(abort.Get("percentage"))
	if !ok || numerator == 0 {
		return nil, ""
	}
	if numerator < of && !w.lot(flow.WhatAnswer, abort, numerator, of, fmt.Sprintf("fault aborts %d of %d requests with %d", numerator, of, status)) {
		return nil, ""
	}
	return &reply{status: status, flag: "FI", code: flow.FaultAbort, why: "fault injection aborts every request here", source: abort, details: "fault_filter_abort"}, ""
}

// abortStatus returns the status of an abort; header_abort takes it from the request.
func (w *walk) abortStatus(abort configdump.Value) (status int, ok bool) {
	switch {
	case abort.Has("http_status"):
		return int(abort.Get("http_status").Uint()), true
	case abort.Has("grpc_status"):
		return 200, true
	case abort.Has("header_abort"):
		text, has := w.req.header.Get("x-envoy-fault-abort-request")
		n, err := strconv.Atoi(text)
		return n, has && err == nil && n >= 200 && n < 600
	}
	return 0, false
}
