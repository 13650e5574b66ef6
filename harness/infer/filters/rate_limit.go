package filters

import (
	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
)

// RateLimits are what a route that forwards says of rate limits.
type RateLimits struct {
	Route, Host configdump.Value // rate_limits of the route's action and of its virtual host
	Both        bool             // include_vh_rate_limits
}

// rateLimit asks a service where a descriptor can be made of the request; without one it lets the
// request through. (docs/root/configuration/http/http_filters/rate_limit_filter;
// Filter::initiateCall)
func rateLimit(r *Request, f *Filter) Result {
	if !r.Forwards || !r.Way.Holds(r.asked(f).And(r.described(f)), flow.WhatAnswer, f.Config,
		"%s has a descriptor for the request", f.Name) {
		return Result{}
	}
	service := f.Config.Get("rate_limit_service", "grpc_service", "envoy_grpc", "cluster_name").Text()
	if service != "" && !r.Way.Reachable(service) {
		if !f.Config.Get("failure_mode_deny").Bool() {
			return Result{Note: f.Name + " cannot reach " + service + ", and without failure_mode_deny lets the " +
				"request through"}
		}
		status := 500
		if code := f.Config.Get("status_on_error", "code"); code.Exists() {
			status = statusCode(code.Text())
		}
		return answered(Reply{Status: status, Flag: "RLSE", Denied: true, Details: "rate_limiter_error",
			Source: f.Config, Why: f.Name + " cannot reach " + service + ", and failure_mode_deny is set"})
	}
	if !r.Way.May(flow.WhatAnswer, f.Name,
		"filter "+f.Name+" may answer by itself: that depends on a rate limit service", f.At) {
		return Result{}
	}
	status := 429
	if n := statusCode(f.Config.Get("rate_limited_status", "code").Text()); n >= 400 {
		status = n
	}
	return answered(Reply{Status: status, Flag: "RL", Denied: true, Source: f.Config,
		Why: "the rate limit service refuses the request"})
}

// asked says whether the filter is for requests from where this one comes: request_type.
func (r *Request) asked(f *Filter) match.Truth {
	kind := f.Config.Get("request_type").Text()
	if kind == "" || kind == "both" {
		return match.Yes
	}
	inside, _ := r.Headers.Get("x-envoy-internal")
	return r.Headers.Or("x-envoy-internal", match.Of((kind == "internal") == (inside == "true")))
}

// described says whether one of the rate limits that count makes a descriptor: those of the
// filter's configuration for the route, of the filter itself, or of route and virtual host.
// (populateRateLimitDescriptors)
func (r *Request) described(f *Filter) match.Truth {
	route := f.Route()
	for _, own := range []configdump.Value{route.Get("rate_limits"), f.Config.Get("rate_limits")} {
		if own.Len() > 0 {
			return r.anyOf(own, 0)
		}
	}
	stage := f.Config.Get("stage").Uint()
	result := r.anyOf(r.Limits.Route, stage)
	option := route.Get("vh_rate_limits").Text()
	switch {
	case r.Limits.Both, option == "INCLUDE", option == "1":
	case option == "IGNORE", option == "2", r.Limits.Route.Len() > 0:
		return result
	}
	if host := r.anyOf(r.Limits.Host, stage); !result.Yes() && !host.No() {
		return host
	}
	return result
}

// anyOf says whether one of several envoy.config.route.v3.RateLimit of a stage makes a descriptor.
func (r *Request) anyOf(limits configdump.Value, stage uint64) match.Truth {
	return match.Some(limits, func(limit configdump.Value) match.Truth {
		if limit.Get("stage").Uint() != stage || limit.Get("apply_on_stream_done").Bool() {
			return match.No
		}
		return match.All(limit.Get("actions"), r.entry)
	})
}

// entry says whether an action makes an entry of a descriptor. One that does not leaves the
// descriptor out, unless it is skipped where what it asks for is absent: the service is asked then
// with a descriptor that may be empty.
func (r *Request) entry(action configdump.Value) match.Truth {
	for kind, a := range action.Fields() {
		absent := func(there match.Truth) match.Truth {
			if a.Get("skip_if_absent").Bool() {
				return match.Yes
			}
			return there
		}
		expected := func(t match.Truth) match.Truth {
			if e := a.Get("expect_match"); e.Exists() && !e.Bool() {
				return t.Not()
			}
			return t
		}
		path, _ := r.Headers.Get(":path")
		switch configdump.FieldName(kind) {
		case "source_cluster", "destination_cluster", "generic_key", "remote_address", "masked_remote_address":
			return match.Yes
		case "request_headers":
			_, given, open := r.Headers.Known(a.Get("header_name").Text())
			return absent(match.Of(given).Or(open))
		case "query_parameters":
			_, given := match.QueryParams(path)[a.Get("query_parameter_name").Text()]
			return absent(r.Headers.Or(":path", match.Of(given)))
		case "header_value_match":
			return expected(match.All(a.Get("headers"), func(m configdump.Value) match.Truth {
				return match.Header(m, r.Headers)
			}))
		case "query_parameter_value_match":
			return expected(r.Headers.Or(":path",
				match.All(a.Get("query_parameters"), func(m configdump.Value) match.Truth {
					return match.Query(m, match.QueryParams(path))
				})))
		}
		return match.Depends("rate limit action "+configdump.FieldName(kind),
			"whether the action makes an entry is not known")
	}
	return match.No
}
