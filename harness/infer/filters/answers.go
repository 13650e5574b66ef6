package filters

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
)

// fault aborts all requests, none, or a part that chance chooses: FaultFilter::decodeHeaders. A
// delay changes no way.
func fault(r *Request, f *Filter) Result {
	config := f.own()
	if c := config.Get("upstream_cluster").Text(); c != "" && c != r.Cluster {
		return Result{}
	}
	if !r.headersHold(config, "fault") {
		return Result{}
	}
	if nodes := config.Get("downstream_nodes").Texts(); len(nodes) > 0 {
		if node, _ := r.Headers.Get("x-envoy-downstream-service-node"); !slices.Contains(nodes, node) {
			return Result{}
		}
	}
	r.Metadata.Loosen("envoy.filters.http.fault", f.cause("whether it injects a fault"))
	abort := config.Get("abort")
	status, numerator, of, ok := r.abort(abort)
	set := func(field, otherwise string) configdump.Value {
		return r.Way.Runtime(cmp.Or(config.Get(field).Text(), otherwise))
	}
	most := config.Get("max_active_faults")
	if by := set("max_active_faults_runtime", "fault.http.max_active_faults"); by.Exists() {
		most = by
	}
	if !abort.Exists() || !ok || numerator == 0 || most.Exists() && most.Uint() == 0 {
		return Result{}
	}
	by := set("abort_http_status_runtime", "fault.http.abort.http_status")
	if by.Exists() && abort.Has("http_status") {
		status = int(by.Uint())
	}
	if numerator < of && !r.Way.Lot(flow.WhatAnswer, abort, numerator, of,
		fmt.Sprintf("fault aborts %d of %d requests with %d", numerator, of, status)) {
		return Result{}
	}
	why := "fault injection aborts every request here"
	if numerator < of {
		why = fmt.Sprintf("fault injection aborts %d of %d requests", numerator, of)
	}
	return answered(Reply{Status: status, Code: flow.FaultAbort, Flag: "FI", Why: why, Source: abort,
		Details: "fault_filter_abort"})
}

// headersHold evaluates the header matchers of a filter's configuration, which all have to hold.
func (r *Request) headersHold(config configdump.Value, filter string) bool {
	for _, m := range config.Get("headers").Elements() {
		holds := r.Way.Holds(match.Header(m, r.Headers), flow.WhatAnswer, m,
			"%s: header %s", filter, match.HeaderText(m))
		if r.Way.ComparedHeader(m.Get("name").Text()); !holds {
			return false
		}
	}
	return true
}

// abort returns the status of an abort, and how many requests it is for; with header_abort
// the request says both.
func (r *Request) abort(v configdump.Value) (status int, numerator, of uint64, ok bool) {
	numerator, of = match.Fraction(v.Get("percentage"))
	switch {
	case v.Has("http_status"):
		return int(v.Get("http_status").Uint()), numerator, of, true
	case v.Has("grpc_status"):
		return 200, numerator, of, true
	case v.Has("header_abort"):
		text, _ := r.Headers.Get("x-envoy-fault-abort-request")
		n, err := strconv.Atoi(text)
		if text, given := r.Headers.Get("x-envoy-fault-abort-request-percentage"); given {
			if p, err := strconv.ParseUint(text, 10, 32); err == nil {
				numerator = min(p, numerator)
			}
		}
		if err == nil {
			return n, numerator, of, n >= 200 && n < 600
		}
		grpc, given := r.Headers.Get("x-envoy-fault-abort-grpc-request")
		return 200, numerator, of, given && grpc != ""
	}
	return 0, 0, 1, false
}

// healthCheck answers where the headers match and it does not pass through:
// HealthCheckFilter::onComplete.
func healthCheck(r *Request, f *Filter) Result {
	if !r.headersHold(f.Config, "health check") {
		return Result{}
	}
	if f.Config.Get("pass_through_mode").Bool() {
		if f.Config.Has("cache_time") && r.Way.May(flow.WhatAnswer, f.Name,
			"an earlier answer to a health check may be in the filter's cache", f.At) {
			return answered(Reply{Code: flow.HealthAnswered, Why: "a health check that is answered from the cache",
				Source: f.Config})
		}
		return Result{}
	}
	for cluster, least := range f.Config.Get("cluster_min_healthy_percentages").Fields() {
		percent, known := r.Way.Healthy(cluster)
		enough := match.Of(percent >= least.Get("value").Float())
		if !known {
			enough = match.Cause{
				On: "the health of cluster " + cluster, Why: "which of its endpoints are healthy is not in the dump",
			}.Opened(match.Yes)
		}
		holds := r.Way.Holds(enough, flow.WhatAnswer, least, "health check: %s %% of cluster %s are healthy",
			least.Get("value").Text(), cluster)
		if r.Way.Compared(fmt.Sprint(percent)); !holds {
			return answered(Reply{Status: 503, Code: flow.HealthAnswered, Flag: "LH", Source: f.Config,
				Details: "health_check_cluster_unhealthy",
				Why: "a health check that the proxy answers itself: too few endpoints of cluster " + cluster +
					" are healthy"})
		}
	}
	return answered(Reply{Status: 200, Code: flow.HealthAnswered, Why: "a health check that the proxy answers itself",
		Source: f.Config, Details: "health_check_ok"})
}

// buffer refuses a body that is larger than max_request_bytes, where the request says its size.
func buffer(r *Request, f *Filter) Result {
	limit := f.Config.Get("max_request_bytes")
	if f.Route().Get("disabled").Bool() {
		return Result{}
	}
	if own := f.Route().Get("buffer", "max_request_bytes"); own.Exists() {
		limit = own
	}
	return bounded(r, limit)
}

// bodySize refuses a body that is larger than max_request_bytes as it comes, and does not hold it.
func bodySize(r *Request, f *Filter) Result {
	limit := f.own().Get("max_request_bytes")
	if !limit.Exists() {
		return Result{}
	}
	return bounded(r, limit)
}

// bounded refuses a request whose body is larger than a limit.
func bounded(r *Request, limit configdump.Value) Result {
	text, given := r.Headers.Get("content-length")
	if !given {
		if te, _ := r.Headers.Get("transfer-encoding"); te == "" && !match.IsGRPC(r.Headers) {
			return Result{}
		}
		if r.Way.May(flow.WhatAnswer, "the size of the body",
			"the body may be larger than max_request_bytes "+limit.Text(), limit) {
			return answered(tooLarge(limit))
		}
		return Result{}
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err == nil && n > limit.Uint() {
		return answered(tooLarge(limit))
	}
	return Result{}
}

func tooLarge(limit configdump.Value) Reply {
	return Reply{Status: 413, Code: flow.BodyTooLarge, Details: "request_payload_too_large", Source: limit,
		Why: "the body is larger than max_request_bytes " + limit.Text() + ": Envoy answers 413"}
}

// cdnLoop refuses a request that has come through this CDN too often, and adds itself: RFC 8586.
func cdnLoop(r *Request, f *Filter) Result {
	id := f.Config.Get("cdn_id").Text()
	value, _ := r.Headers.Get("cdn-loop")
	if odd := cdnLacks(value); odd != "" && !r.Headers.Or("cdn-loop", match.No).Open() {
		return answered(Reply{Status: 400, Details: "invalid_cdn_loop_header", Source: f.Config,
			Why: "cdn-loop is not of its form at " + odd + ": Envoy answers 400"})
	}
	seen := uint64(0)
	for part := range strings.SplitSeq(value, ",") {
		name, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.TrimSpace(name) == id {
			seen++
		}
	}
	below := match.Of(seen <= f.Config.Get("max_allowed_occurrences").Uint())
	holds := r.Way.Holds(r.Headers.Or("cdn-loop", below), flow.WhatAnswer, f.Config,
		"cdn-loop has %s at most max_allowed_occurrences times", id)
	if r.Way.Compared(fmt.Sprint(seen)); !holds {
		return answered(Reply{Status: 502, Code: flow.LoopDetected, Details: "cdn_loop_detected", Source: f.Config,
			Why: "cdn-loop has " + id + " too often: Envoy answers 502"})
	}
	r.Headers.Append("cdn-loop", id)
	return Result{}
}

// cdnLacks returns the part of a cdn-loop header whose name is neither a token nor a host, or "".
// (CdnLoop::Parser::parseCdnInfoList)
func cdnLacks(value string) string {
	for part := range strings.SplitSeq(value, ",") {
		name, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		if name = strings.TrimSpace(name); strings.ContainsAny(name, "\"@(){}<>\\/= \t?") {
			return name
		}
	}
	return ""
}

// localRateLimit counts requests; where it is off, or enforced for none, it passes.
func localRateLimit(r *Request, f *Filter) Result {
	config := f.own()
	for _, field := range []string{"filter_enabled", "filter_enforced"} {
		numerator, of := r.Way.Fraction(config.Get(field))
		if !config.Has(field) || numerator == 0 {
			return Result{}
		}
		if numerator < of && !r.Way.Lot(flow.WhatAnswer, config.Get(field), numerator, of,
			field+" of "+f.Name+" is for a part of all requests") {
			return Result{}
		}
	}
	if !config.Has("token_bucket") && config.Get("descriptors").Len() == 0 {
		return Result{}
	}
	if !r.Way.May(flow.WhatAnswer, f.Name,
		"filter "+f.Name+" may answer by itself: that depends on how many requests came before", f.At) {
		return Result{}
	}
	status := 429
	if code := config.Get("status", "code"); code.Exists() {
		status = max(429, 0)
		if n := statusCode(code.Text()); n >= 400 {
			status = n
		}
	}
	return answered(Reply{Status: status, Flag: "RL", Denied: true, Source: config, Details: "local_rate_limited",
		Why: "the local rate limit is reached"})
}
