package infer

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
)

// Types of HTTP filters that can answer by themselves.
const (
	rbacType       = "envoy.extensions.filters.http.rbac.v3.RBAC"
	jwtType        = "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication"
	faultType      = "envoy.extensions.filters.http.fault.v3.HTTPFault"
	corsType       = "envoy.extensions.filters.http.cors.v3.Cors"
	healthType     = "envoy.extensions.filters.http.health_check.v3.HealthCheck"
	extAuthzType   = "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz"
	routerFilter   = "envoy.filters.http.router"
	perRouteSuffix = "PerRoute"
)

// outside are filters whose answer depends on something that is in no dump.
var outside = map[string]string{
	extAuthzType: "an authorization service",
	"envoy.extensions.filters.http.lua.v3.Lua":                                     "a Lua script",
	"envoy.extensions.filters.http.wasm.v3.Wasm":                                   "a Wasm module",
	"envoy.extensions.filters.http.ratelimit.v3.RateLimit":                         "a rate limit service",
	"envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit":              "how many requests came before",
	"envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor":                  "an external processor",
	"envoy.extensions.filters.http.oauth2.v3.OAuth2":                               "an OAuth2 server",
	"envoy.extensions.filters.http.admission_control.v3.AdmissionControl":          "how many requests succeeded before",
	"envoy.extensions.filters.http.adaptive_concurrency.v3.AdaptiveConcurrency":    "how many requests are running",
	"envoy.extensions.filters.http.ext_authz.v2alpha.ExtAuthz":                     "an authorization service",
	"envoy.extensions.filters.http.golang.v3alpha.Config":                          "a Go plugin",
	"envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter":         "a dynamic module",
	"envoy.extensions.filters.http.rate_limit_quota.v3.RateLimitQuotaFilterConfig": "a rate limit quota service",
	"envoy.extensions.filters.http.basic_auth.v3.BasicAuth":                        "a user and password",
	"envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth":                     "an API key",
	"envoy.extensions.filters.http.csrf.v3.CsrfPolicy":                             "the origin of a request that changes something",
	"envoy.extensions.filters.http.composite.v3.Composite":                         "which filter it delegates to",
	"envoy.extensions.common.matching.v3.ExtensionWithMatcher":                     "which filter its matcher leads to",
	"envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder":     "whether the request fits a gRPC method",
	"envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig":          "DNS",
	"envoy.extensions.filters.http.aws_lambda.v3.Config":                           "a Lambda function",
	"envoy.extensions.filters.http.cache.v3.CacheConfig":                           "what is in the cache",
	"envoy.extensions.filters.http.buffer.v3.Buffer":                               "the size of the request",
	"envoy.extensions.filters.http.custom_response.v3.CustomResponse":              "the response",
	"envoy.extensions.filters.http.stateful_session.v3.StatefulSession":            "the session that the request belongs to",
}

// A baseFilter is one filter of the connection manager.
type baseFilter struct {
	at       configdump.Value
	name     string
	kind     string // type of its configuration
	config   configdump.Value
	fallback configdump.Value // config_discovery.fallbackconfig, of a filter by ECDS
	disabled bool
}

func newBaseFilter(v configdump.Value) baseFilter {
	f := baseFilter{at: v, name: v.Get("name").Text(), disabled: v.Get("disabled").Bool()}
	f.config, f.kind = v.Get("typed_config").Typed()
	if d := v.Get("config_discovery"); d.Exists() {
		f.fallback = d.Get("fallbackconfig")
	}
	return f
}

// An httpFilter is a filter with what the route says of it.
type httpFilter struct {
	baseFilter
	route configdump.Value // the most specific typed_per_filter_config, or one that does not exist
}

// A reply is an answer that a filter gives by itself.
type reply struct {
	status  int // 0: not known
	code    flow.Reason
	flag    string
	denied  bool
	why     string
	source  configdump.Value
	details string
}

// httpFilters walks over the HTTP filters in order; one that can answer by itself may end the way here.
func (w *walk) httpFilters() {
	filters := w.hcm.at.Get("http_filters")
	var names []string
	depend := false
	hop := flow.Hop{Why: "none of them answers by itself, so the router, the last one, follows the route"}
	for _, base := range w.hcm.filters {
		f, v := w.onRoute(base), base.at
		if f.disabled {
			hop.Rejected = append(hop.Rejected, flow.Alternative{Name: f.name, Source: v.Pointer(), Why: "it is disabled for this route"})
			continue
		}
		names = append(names, f.name)
		hop.Expect = append(hop.Expect, filterFacts(flow.FactHTTPFilter, f.name, f.kind)...)
		answer, may := w.filterAnswers(f)
		if may != "" {
			depend = true
			hop.Rejected = append(hop.Rejected, flow.Alternative{Name: "an answer of " + f.name, Source: v.Pointer(), Why: "depends on " + may})
			if !w.may(flow.WhatAnswer, f.name, "filter "+f.name+" may answer by itself: that depends on "+may, v) {
				continue
			}
			if answer == nil {
				answer = &reply{why: "the filter answers: that depends on " + may}
			}
		}
		if answer == nil {
			continue
		}
		hop.Expect = append(hop.Expect, fact(flow.FactHTTPFilters, fmt.Sprint(len(names))))
		hop.Decision, hop.Reason = strings.Join(names, ", ")+" answers", answer.code
		hop.Why = answer.why
		if answer.status != 0 {
			hop.Decision += " " + fmt.Sprint(answer.status)
			hop.Expect = append(hop.Expect, statusFact(w.localStatus(answer.status))...)
		}
		if answer.details != "" {
			hop.Expect = append(hop.Expect, fact(flow.FactDetails, answer.details))
		}
		w.add(flow.HTTPFilters, first2(answer.source, v), hop)
		if answer.denied {
			w.fail(flow.Denied, answer.flag)
			w.out.Status = w.localStatus(answer.status)
			return
		}
		w.answer(answer.status, "")
		w.out.Flag = answer.flag
		return
	}
	hop.Decision = orNone(strings.Join(names, ", "))
	if depend {
		hop.Why = "as far as the dump says " + hop.Why
	} else {
		hop.Expect = append(hop.Expect, fact(flow.FactHTTPFilters, fmt.Sprint(len(names))))
	}
	w.add(flow.HTTPFilters, filters, hop)
}

func first2(all ...configdump.Value) configdump.Value {
	for _, v := range all {
		if v.Exists() {
			return v
		}
	}
	return configdump.Value{}
}

// onRoute adds to a filter what route, virtual host and route configuration say of it.
func (w *walk) onRoute(base baseFilter) httpFilter {
	f := httpFilter{baseFilter: base}
	if f.kind == "" { // by ECDS, or without a configuration
		if r, ok := w.e.dump.Lookup(configdump.Extension, f.name); ok {
			f.config, f.kind = r.Value().Get("typed_config").Typed()
		} else {
			f.config, f.kind = f.fallback.Typed()
		}
	}
	over := w.perRoute(f.name)
	message, kind := over.Typed()
	if strings.HasSuffix(kind, ".FilterConfig") { // envoy.config.route.v3.FilterConfig
		f.disabled = message.Get("disabled").Bool()
		message, kind = message.Get("config").Typed()
	} else if over.Exists() {
		f.disabled = false
	}
	if kind != "" {
		f.route = message
	}
	return f
}

// perRoute returns the most specific typed_per_filter_config of a filter: of the route, of its virtual host, of the
// route configuration.
func (w *walk) perRoute(name string) configdump.Value {
	const field = "typed_per_filter_config"
	var places []configdump.Value
	if w.route != nil {
		for _, c := range w.route.action.Get("weighted_clusters", "clusters").Elements() {
			if w.out.Cluster != "" && c.Get("name").Text() == w.out.Cluster {
				places = append(places, c.Get(field))
			}
		}
		places = append(places, w.route.at.Get(field))
	}
	if w.vhost != nil {
		places = append(places, w.vhost.at.Get(field))
	}
	if w.table != nil {
		places = append(places, w.table.perFilter)
	}
	for _, p := range places {
		if v := named(p, name); v.Exists() {
			return v
		}
	}
	return configdump.Value{}
}

// filterAnswers says whether the filter answers by itself, and otherwise on what its answer might depend.
func (w *walk) filterAnswers(f httpFilter) (answer *reply, may string) {
	switch f.kind {
	case rbacType:
		return w.rbacAnswers(f)
	case jwtType:
		return w.jwtAnswers(f)
	case faultType:
		return w.faultAnswers(f)
	case corsType:
		return w.corsAnswers(f)
	case healthType:
		return w.healthAnswers(f)
	}
	if strings.HasPrefix(f.kind, "envoy.extensions.filters.http.ext_authz") && f.route.Get("disabled").Bool() {
		return nil, ""
	}
	return nil, outside[f.kind]
}

// rbacAnswers evaluates the RBAC filter; RBACPerRoute replaces its rules.
func (w *walk) rbacAnswers(f httpFilter) (answer *reply, may string) {
	config := f.config
	if f.route.Exists() {
		config = f.route.Get("rbac")
	}
	engine := rbac{w: w, header: w.req.header}
	allowed, code, why, rules, ok := engine.judge(config)
	if !ok || allowed.Yes() {
		return nil, ""
	}
	return &reply{status: 403, code: code, denied: true, why: why + ": Envoy answers 403", source: rules}, allowed.On
}

// corsAnswers evaluates a CORS preflight: OPTIONS with an origin that the policy allows is answered 200.
func (w *walk) corsAnswers(f httpFilter) (answer *reply, may string) {
	policy := f.route
	if !policy.Exists() && w.route != nil { // until Envoy 1.2x the policy stood in the route itself
		policy = first2(w.route.action.Get("cors"), w.vhost.at.Get("cors"))
	}
	origin, hasOrigin := w.req.header.Get("origin")
	_, hasMethod := w.req.header.Get("access-control-request-method")
	if !policy.Exists() || w.req.Method != "OPTIONS" || !hasOrigin || origin == "" || !hasMethod {
		return nil, ""
	}
	if enabled := policy.Get("filter_enabled", "fallbackvalue"); enabled.Exists() && enabled.Get("numerator").Uint() == 0 {
		return nil, ""
	}
	for _, m := range policy.Get("allow_origin_string_match").Elements() {
		if w.holds(match.String(m, origin), flow.WhatAnswer, m, "cors: origin %s", match.StringText(m)) {
			return &reply{status: 200, why: "a CORS preflight from origin " + origin + ", which the policy allows", source: policy}, ""
		}
	}
	return nil, ""
}

// healthAnswers evaluates the health check filter where it does not pass through.
func (w *walk) healthAnswers(f httpFilter) (answer *reply, may string) {
	for _, m := range f.config.Get("headers").Elements() {
		if !w.holds(match.Header(m, w.req.header), flow.WhatAnswer, m, "health check: header %s", match.HeaderText(m)) {
			return nil, ""
		}
	}
	if f.config.Get("pass_through_mode").Bool() {
		return nil, ""
	}
	if f.config.Get("cluster_min_healthy_percentages").Len() > 0 {
		return nil, "the health of clusters"
	}
	return &reply{status: 200, why: "a health check that the proxy answers itself", source: f.config}, ""
}
