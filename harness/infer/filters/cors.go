package filters

import (
	"net/url"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/say"
)

// cors answers a preflight as CorsFilter::decodeHeaders does: policies of all levels are merged,
// each field from the most specific that has it; whether it is on is said by the most specific
// alone. A route that does not forward has no CORS.
func cors(r *Request, f *Filter) Result {
	if !r.Forwards || len(f.Routes) == 0 {
		return Result{}
	}
	enabled := true
	if v := f.Routes[0].Get("filter_enabled"); v.Exists() {
		numerator, of := r.Way.Fraction(v)
		enabled = numerator >= of || numerator > 0 && r.Way.Lot(flow.WhatAnswer, v, numerator, of,
			"the CORS policy is on for a part of all requests")
	}
	origin, _, open := r.Headers.Known("origin")
	if !enabled || origin == "" && !open.Open() {
		return Result{}
	}
	method, _ := r.Headers.Get(":method")
	asks, _ := r.Headers.Get("access-control-request-method")
	preflight := r.Headers.Or("access-control-request-method",
		r.Headers.Or(":method", match.Of(method == "OPTIONS" && asks != "")))
	holds := r.Way.Holds(preflight, flow.WhatAnswer, f.At,
		"cors: the request is a preflight: OPTIONS with access-control-request-method")
	if r.Way.Compared(method + ", " + say.OrNone(asks)); !holds {
		return Result{}
	}
	policy := f.Routes[0]
	if allowed := r.originAllowed(f, origin); !allowed {
		if forwardsOthers(f) {
			return Result{Note: "cors: origin " + origin + " is not allowed, and such a preflight goes on"}
		}
		return answered(Reply{Status: 200, Code: flow.CORSForbidden, Details: "cors_response", Source: policy,
			Why: "a CORS preflight from origin " + origin + ", which the policy does not allow, and " +
				"forward_not_matching_preflights is false: answered without CORS headers"})
	}
	return answered(Reply{Status: 200, Code: flow.CORSPreflight, Details: "cors_response", Source: policy,
		Why: "a CORS preflight from origin " + origin + ", which the policy allows"})
}

// originAllowed asks the list of the most specific level that has one. A matcher that takes *
// takes every origin.
func (r *Request) originAllowed(f *Filter, origin string) bool {
	for _, level := range f.Routes {
		list := level.Get("allow_origin_string_match")
		if list.Len() == 0 {
			continue
		}
		any := match.Some(list, func(m configdump.Value) match.Truth {
			if every := match.String(m, "*"); every.Yes() {
				return every
			}
			return match.String(m, origin)
		})
		holds := r.Way.Holds(r.Headers.Or("origin", any), flow.WhatAnswer, list, "cors: the policy allows the origin")
		r.Way.ComparedHeader("origin")
		return holds
	}
	return false
}

func forwardsOthers(f *Filter) bool {
	for _, level := range f.Routes {
		if v := level.Get("forward_not_matching_preflights"); v.Exists() {
			return v.Bool()
		}
	}
	return true
}

// csrf refuses a request that changes something and comes from another origin:
// CsrfFilter::decodeHeaders.
func csrf(r *Request, f *Filter) Result {
	policy := f.own()
	numerator, of := r.Way.Fraction(policy.Get("filter_enabled"))
	if v := policy.Get("filter_enabled"); !v.Exists() || numerator == 0 ||
		numerator < of && !r.Way.Lot(flow.WhatAnswer, v, numerator, of,
			"the CSRF policy is on for a part of all requests") {
		return Result{}
	}
	switch method, _ := r.Headers.Get(":method"); method {
	case "POST", "PUT", "DELETE", "PATCH":
	default:
		return Result{}
	}
	origin, _ := r.Headers.Get("origin")
	source := hostAndPort(origin)
	if source == "" {
		referer, _ := r.Headers.Get("referer")
		source = hostAndPort(referer)
	}
	authority, _ := r.Headers.Get(":authority")
	valid := match.Of(source != "" && source == hostAndPort(authority))
	if !valid.Yes() && source != "" {
		valid = match.Some(policy.Get("additional_origins"), func(m configdump.Value) match.Truth {
			return match.String(m, source)
		})
	}
	for _, name := range []string{"origin", "referer", ":authority"} {
		valid = r.Headers.Or(name, valid)
	}
	if r.Way.Holds(valid, flow.WhatAnswer, policy,
		"csrf: source origin %q is the target or an additional origin", source) {
		return Result{}
	}
	return answered(Reply{Status: 403, Code: flow.CSRFRefused, Denied: true, Details: "csrf_origin_mismatch",
		Source: policy,
		Why: "CSRF: the request changes something, and its source origin " + quoted(source) + " is neither " +
			authority + " nor an additional origin: Envoy answers 403"})
}

func quoted(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

// hostAndPort is the host of a URL with its port, where that is given, or else the text itself.
func hostAndPort(text string) string {
	if u, err := url.Parse(text); err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") {
		return u.Host
	}
	return text
}
