package authority

import "fmt"

// filtered is a connection manager with one filter before the router.
func filtered(name, kind, config string) string {
	if config != "" {
		config = ", " + config
	}
	return fmt.Sprintf(`http_filters: [{name: %s,
		typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.%s%s}},
		  {name: envoy.filters.http.router,
		typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]`,
		name, kind, config)
}

func rbacRules(rules string) string { return filtered("rbac", "rbac.v3.RBAC", "rules: {"+rules+"}") }

const (
	toA    = "{match: {prefix: /}, route: {cluster: a}}"
	anyone = "principals: [{any: true}]"
)

// perRoute is a route with its own configuration of a filter.
func perRoute(path, filter, kind, config string) string {
	return fmt.Sprintf(`{match: {prefix: %s}, route: {cluster: a}, typed_per_filter_config: {%s: {"@type": `+
		`type.googleapis.com/envoy.extensions.filters.http.%s%s}}}`,
		path, filter, kind, config)
}

// wrongIssuer is one with issuer "other"; expired is one of the year 2001.
const (
	wrongIssuer = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJvdGhlciIsImV4cCI6NDEwMjQ0NDgwMH0.AAAA"
	expired     = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ0ZXN0IiwiZXhwIjoxMDAwMDAwMDAwfQ.AAAA"
)

var jwtFilter = filtered("jwt", "jwt_authn.v3.JwtAuthentication", `
	providers: {p: {issuer: test, local_jwks: {inline_string: '{"keys":[{"kty":"EC","crv":"P-256",`+
	`"alg":"ES256","kid":"1",`+
	`"x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",`+
	`"y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}'}}},
	rules: [{match: {prefix: /open}}, {match: {prefix: /need}, requires: {provider_name: p}},
		{match: {prefix: /optional}, requires: {requires_any: {requirements: [{provider_name: p},
		  {allow_missing: {}}]}}},
		{match: {prefix: /lax}, requires: {allow_missing_or_failed: {}}},
		{match: {prefix: /all}, requires: {requires_all: {requirements: [{provider_name: p},
		  {allow_missing_or_failed: {}}]}}}]`)

var filterRules = []rule{
	{"rbac: allow", rbacRules(`action: ALLOW, policies: {
		get: {permissions: [{header: {name: ":method", string_match: {exact: GET}}}], ` + anyone + `},
		path: {permissions: [{and_rules: {rules: [{url_path: {path: {prefix: /ok}}},
		  {not_rule: {header: {name: x-no, present_match: true}}}]}}], ` + anyone + `}}`), vhost(toA),
		[]string{"GET x /", "POST x /", "POST x /ok?a", "POST x /ok x-no=1", "POST x /?/ok"}},
	{"rbac: deny", rbacRules(`action: DENY, policies: {
		header: {permissions: [{header: {name: x-user, string_match: {suffix: evil}}}], ` + anyone + `},
		or: {permissions: [{or_rules: {rules: [{url_path: {path: {exact: /admin}}}, {destination_port: 1}]}}],
		  principals: [{header: {name: x-role, present_match: true}}]}}`), vhost(toA),
		[]string{"GET x /", "GET x / x-user=devil_evil", "GET x /admin", "GET x /admin x-role=1",
			"GET x /admin?x x-role=1"}},
	{"rbac: nothing allowed", rbacRules(`action: ALLOW`), vhost(toA), []string{"GET x /"}},
	{"rbac: no rules", filtered("rbac", "rbac.v3.RBAC", ""), vhost(toA), []string{"GET x /"}},
	{"rbac: log", rbacRules(`action: LOG, policies: {p: {permissions: [{any: true}], ` + anyone + `}}`), vhost(toA),
		[]string{"GET x /"}},
	{"rbac: addresses", rbacRules(`action: ALLOW, policies: {
		a: {permissions: [{destination_port_range: {start: 20000, end: 25000}}],
		  principals: [{remote_ip: {address_prefix: 192.0.2.0, prefix_len: 24}}]}}`), vhost(toA), []string{"GET x /"}},
	{
		"rbac: authenticated on clear text",
		rbacRules(`action: ALLOW, policies: {a: {permissions: [{any: true}], principals: [{authenticated: {}}]}}`),
		vhost(toA), []string{"GET x /"},
	},
	{"rbac: sets", rbacRules(`action: ALLOW,
		policies: {a: {permissions: [{any: true}],
		  principals: [{and_ids: {ids: [{header: {name: a, present_match: true}}, {or_ids: {ids: [
		{header: {name: b, present_match: true}},
		  {not_id: {url_path: {path: {safe_regex: {regex: '/x.*'}}}}}]}}]}}]}}`), vhost(toA),
		[]string{"GET x /", "GET x / a=1", "GET x /xy a=1", "GET x /xy a=1 b=1"}},
	{"rbac: per route", rbacRules(`action: ALLOW`), vhost(perRoute("/free", "rbac", "rbac.v3.RBACPerRoute", "") + ", " +
		perRoute("/get", "rbac", "rbac.v3.RBACPerRoute", `, rbac: {rules: {policies: {p: {permissions: [{header: `+
			`{name: ":method", string_match: {exact: GET}}}], `+anyone+`}}}}`) + ", " + toA),
		[]string{"GET x /free", "GET x /get", "POST x /get", "GET x /other"}},
	{"rbac: denied before a redirect", rbacRules(`action: ALLOW`),
		vhost(`{match: {prefix: /}, redirect: {host_redirect: yy}}`), []string{"GET x /"}},
	{"rbac: denied without a route", rbacRules(`action: ALLOW`), vhost(`{match: {path: /only}, route: {cluster: a}}`),
		[]string{"GET x /"}},
	{"filter disabled per route", rbacRules(`action: ALLOW`), vhost(`{match: {prefix: /off}, route: {cluster: a},
		typed_per_filter_config: {rbac: {
		"@type": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true}}}, ` + toA),
		[]string{"GET x /off", "GET x /on"}},
	{"fault: abort", filtered("fault", "fault.v3.HTTPFault", "abort: {http_status: 418, percentage: {numerator: 100}}"),
		vhost(toA), []string{"GET x /"}},
	{"fault: abort by header", filtered("fault", "fault.v3.HTTPFault",
		"abort: {header_abort: {}, percentage: {numerator: 100}}"), vhost(toA),
		[]string{"GET x /", "GET x / x-envoy-fault-abort-request=503", "GET x / x-envoy-fault-abort-request=99"}},
	{"fault: conditions", filtered("fault", "fault.v3.HTTPFault", "abort: {http_status: 418, percentage: {numerator: "+
		"1000000, denominator: MILLION}}, headers: [{name: x-fault, exact_match: '1'}], upstream_cluster: b"),
		vhost("{match: {prefix: /b}, route: {cluster: b}}, " + toA),
		[]string{"GET x /b", "GET x /b x-fault=1", "GET x /a x-fault=1"}},
	{"fault: per route", filtered("fault", "fault.v3.HTTPFault", ""),
		vhost(perRoute("/f", "fault", "fault.v3.HTTPFault",
			", abort: {http_status: 500, percentage: {numerator: 100}}") + ", " + toA),
		[]string{"GET x /f", "GET x /g"}},
	{"cors: preflight", filtered("cors", "cors.v3.Cors", ""), vhost(perRoute("/c", "cors", "cors.v3.CorsPolicy",
		", allow_origin_string_match: [{exact: 'http://ok'}], allow_methods: GET") + ", " + toA),
		[]string{"OPTIONS x /c origin=http://ok access-control-request-method=GET",
			"OPTIONS x /c origin=http://no access-control-request-method=GET", "OPTIONS x /c origin=http://ok",
			"GET x /c origin=http://ok access-control-request-method=GET",
			"OPTIONS x /d origin=http://ok access-control-request-method=GET"}},
	{
		"health check", filtered("health", "health_check.v3.HealthCheck",
			`pass_through_mode: false, headers: [{name: ":path", string_match: {exact: /healthz}}]`), vhost(toA),
		[]string{"GET x /healthz", "GET x /"},
	},
	{"jwt: requirements", jwtFilter, vhost(toA), []string{"GET x /open", "GET x /need", "GET x /other",
		"GET x /optional", "GET x /lax", "GET x /all",
		"GET x /need authorization=Bearer_nonsense", "GET x /need authorization=Bearer_" + wrongIssuer,
		"GET x /need authorization=Bearer_" + expired, "GET x /need?access_token=a.b.c",
		"GET x /lax authorization=Bearer_nonsense", "GET x /optional authorization=Bearer_" + wrongIssuer}},
}
