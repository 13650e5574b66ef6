package authority

import "fmt"

// chained is a connection manager with several filters before the router: name, type below
// envoy.extensions.filters.http, fields.
func chained(filters ...[3]string) string {
	all := ""
	for _, f := range filters {
		config := f[2]
		if config != "" {
			config = ", " + config
		}
		all += fmt.Sprintf(`{name: %s, typed_config: {"@type": `+
			`type.googleapis.com/envoy.extensions.filters.http.%s%s}}, `, f[0], f[1], config)
	}
	return "http_filters: [" + all + `{name: envoy.filters.http.router, ` +
		`typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]`
}

// byValue routes by what a header has become: one cluster for each value, d for none of them.
func byValue(name string, values ...string) string {
	routes := ""
	for i, v := range values {
		routes += fmt.Sprintf("{match: {prefix: /, headers: [{name: %s, string_match: {exact: '%s'}}]}, route: "+
			"{cluster: %s}}, ", name, v, []string{"a", "b", "c"}[i])
	}
	return routes + "{match: {prefix: /}, route: {cluster: d}}"
}

// allowIf is an RBAC filter that lets through what one principal takes.
func allowIf(principal string) [3]string {
	return [3]string{"rbac", "rbac.v3.RBAC", "rules: {policies: {p: {permissions: [{any: true}], principals: [" +
		principal + "]}}}"}
}

func headerPrincipal(name, value string) string {
	return fmt.Sprintf("{header: {name: %s, string_match: {exact: '%s'}}}", name, value)
}

func metadataPrincipal(filter, key, value string) string {
	return fmt.Sprintf("{metadata: {filter: %s, path: [{key: %s}], value: %s}}", filter, key, value)
}

func mutating(mutations string) [3]string {
	return [3]string{"hm", "header_mutation.v3.HeaderMutation", "mutations: {" + mutations + "}"}
}

// setting is header_mutation's own words for a header.
func setting(name, value, action string) string {
	return fmt.Sprintf("{append: {header: {key: %s, value: %s}, append_action: %s}}", quoted(name),
		quoted(value), action)
}

// clearing is a filter that clears the route cache.
var clearing = [3]string{
	"clear", "set_filter_state.v3.Config", `clear_route_cache: true, on_request_headers: [{object_key: envoy.string, ` +
		`factory_key: envoy.string, format_string: {text_format_source: {inline_string: x}}}]`,
}

func toMetadata(rules string) [3]string {
	return [3]string{"h2m", "header_to_metadata.v3.Config", "request_rules: [" + rules + "]"}
}

func corsPolicy(fields string) string {
	return `{"@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy` + fields + "}"
}

func corsRoute(path, fields, action string) string {
	return "{match: {prefix: " + path + "}, " + action + ", typed_per_filter_config: {cors: " +
		corsPolicy(fields) + "}}"
}

const (
	preflight   = " origin=http://ok access-control-request-method=GET"
	preflightNo = " origin=http://no access-control-request-method=GET"
	allowOK     = ", allow_origin_string_match: [{exact: 'http://ok'}]"
)

// stateRules are filters that change the request on its way, and what reads it after them.
var stateRules = []rule{
	{"header_mutation: appended values",
		chained(mutating("request_mutations: ["+setting("x-a", "one", "APPEND_IF_EXISTS_OR_ADD")+"]"), clearing),
		vhost(byValue("x-a", "zero,one", "one", "zero")), []string{"GET x /", "GET x / x-a=zero"}},
	{"header_mutation: appended values, the old one asked for",
		chained(mutating("request_mutations: ["+setting("x-a", "one", "APPEND_IF_EXISTS_OR_ADD")+"]"), clearing),
		vhost(byValue("x-a", "zero,one", "zero", "one")), []string{"GET x /", "GET x / x-a=zero"}},
	{"header_mutation: appended values, by rbac",
		chained(mutating("request_mutations: ["+setting("x-a", "one", "APPEND_IF_EXISTS_OR_ADD")+"]"),
			allowIf(headerPrincipal("x-a", "zero,one"))), vhost(toA),
		[]string{"GET x /", "GET x / x-a=zero"}},
	{"header_mutation: appended values, in a format",
		chained(mutating("request_mutations: ["+setting("x-a", "one", "APPEND_IF_EXISTS_OR_ADD")+", "+setting("x-b",
			"%REQ(x-a)%", "OVERWRITE_IF_EXISTS_OR_ADD")+"]"), clearing),
		vhost(byValue("x-b", "zero,one", "zero", "one")), []string{"GET x /", "GET x / x-a=zero"}},
	{"header_mutation: appended values, to metadata",
		chained(mutating("request_mutations: ["+setting("x-a", "one", "APPEND_IF_EXISTS_OR_ADD")+"]"),
			toMetadata("{header: x-a, on_header_present: {metadata_namespace: ns, key: k}}"),
			allowIf(metadataPrincipal("ns", "k", "{string_match: {exact: 'zero,one'}}"))), vhost(toA),
		[]string{"GET x /", "GET x / x-a=zero"}},
	{"header_mutation: actions",
		chained(mutating("request_mutations: ["+setting("x-a", "one", "OVERWRITE_IF_EXISTS_OR_ADD")+", "+setting("x-b",
			"one", "ADD_IF_ABSENT")+", "+setting("x-c", "one", "OVERWRITE_IF_EXISTS")+", {remove: x-d}]"),
			allowIf("{and_ids: {ids: ["+headerPrincipal("x-a", "one")+", "+headerPrincipal("x-b", "one")+", {not_id: "+
				headerPrincipal("x-c", "zero")+"}, {not_id: {header: {name: x-d, present_match: true}}}]}}")),
		vhost(toA),
		[]string{"GET x /", "GET x / x-a=zero", "GET x / x-b=zero", "GET x / x-c=zero", "GET x / x-d=1"}},
	{
		"header_mutation: the route stays without a cleared cache",
		chained(mutating("request_mutations: [" + setting("x-a", "one", "OVERWRITE_IF_EXISTS_OR_ADD") + "]")),
		vhost(byValue("x-a", "one", "two")), []string{"GET x /", "GET x / x-a=two"},
	},
	{"header_mutation: the route is chosen again",
		chained(mutating("request_mutations: ["+setting("x-a", "%REQ(x-b)%", "OVERWRITE_IF_EXISTS_OR_ADD")+"]"),
			clearing), vhost(byValue("x-a", "one", "two")),
		[]string{"GET x /", "GET x / x-a=two", "GET x / x-b=one", "GET x / x-a=two x-b=one"}},
	{"header_mutation: levels",
		chained(mutating("request_mutations: ["+setting("x-a", "own", "OVERWRITE_IF_EXISTS_OR_ADD")+"]"), clearing),
		`typed_per_filter_config: {hm: {"@type": ` +
			`type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute, ` +
			`mutations: {request_mutations: [` + setting("x-a", "table", "OVERWRITE_IF_EXISTS_OR_ADD") + `]}}},
		virtual_hosts: [{name: v, domains: ['*'],
		  routes: [{match: {prefix: /r}, route: {cluster: d},
		    typed_per_filter_config: {hm: {
		      "@type": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute,
		      mutations: {request_mutations: [` +
			setting("x-a", "route", "OVERWRITE_IF_EXISTS_OR_ADD") + `]}}}}, ` + byValue("x-a", "own", "table",
			"route") + "]}]", []string{"GET x /r", "GET x /"}},
	{"header_mutation: query",
		chained(mutating("query_parameter_mutations: [{append: {record: {key: q, value: one}, action: "+
			"OVERWRITE_IF_EXISTS_OR_ADD}}, {remove: r}]"), clearing),
		vhost("{match: {prefix: /, query_parameters: [{name: q, string_match: {exact: one}}, {name: r, " +
			"present_match: false}]}, route: {cluster: a}}, {match: {prefix: /}, route: {cluster: d}}"),
		[]string{"GET x /", "GET x /?q=2&r=1&s=3"}},

	{"set_metadata: read by rbac and routes", chained([3]string{"sm", "set_metadata.v3.Config",
		"metadata: [{metadata_namespace: ns, value: {k: v, num: 5, b: true, l: [xx, yy]}}]"}, clearing),
		vhost("{match: {prefix: /v, dynamic_metadata: [{filter: ns, path: [{key: k}], value: {string_match: {exact: " +
			"v}}}]}, route: {cluster: a}}, {match: {prefix: /n, dynamic_metadata: [{filter: ns, path: [{key: num}], " +
			"value: {double_match: {range: {start: 5, end: 6}}}}]}, route: {cluster: a}}, " +
			"{match: {prefix: /l, dynamic_metadata: [{filter: ns, path: [{key: l}], value: {list_match: {one_of: " +
			"{string_match: {exact: yy}}}}}]}, route: {cluster: a}}, {match: {prefix: /i, dynamic_metadata: " +
			"[{filter: ns, path: [{key: none}], value: {present_match: true}, invert: true}]}, route: {cluster: a}}, " +
			"{match: {prefix: /b, dynamic_metadata: [{filter: ns, path: [{key: b}], value: {bool_match: false}}]}, " +
			"route: {cluster: a}}, {match: {prefix: /}, route: {cluster: d}}"),
		[]string{"GET x /v", "GET x /n", "GET x /l", "GET x /i", "GET x /b"}},
	{"set_metadata: merging", chained([3]string{"s1", "set_metadata.v3.Config", "metadata: [{metadata_namespace: ns, " +
		"value: {k: v, l: [xx]}}, {metadata_namespace: ns, value: {k: w}}, {metadata_namespace: ns, value: {j: u, l: " +
		"[yy]}, allow_overwrite: true}]"},
		allowIf("{and_ids: {ids: ["+metadataPrincipal("ns", "k", "{string_match: {exact: v}}")+", "+
			metadataPrincipal("ns", "j", "{string_match: {exact: u}}")+", "+metadataPrincipal("ns", "l",
			"{list_match: {one_of: {string_match: {exact: xx}}}}")+"]}}")), vhost(toA), []string{
		"GET x /",
	}},
	{"rbac: metadata that nothing writes", chained(allowIf(metadataPrincipal("ns", "k", "{string_match: {exact: v}}"))),
		vhost(toA), []string{"GET x /"}},
	{"header_to_metadata", chained(toMetadata("{header: x-a, on_header_present: {metadata_namespace: ns, key: k}, "+
		"on_header_missing: {metadata_namespace: ns, key: k, value: none}, remove: true}, {header: x-n, "+
		"on_header_present: {key: num, type: NUMBER}}, "+
		"{cookie: c, on_header_present: {metadata_namespace: ns, key: c}}, {header: x-r, on_header_present: "+
		"{metadata_namespace: ns, key: r, regex_value_rewrite: {pattern: {regex: '^(.).*'}, substitution: '\\1!'}}}"),
		clearing),
		vhost("{match: {prefix: /, dynamic_metadata: [{filter: ns, path: [{key: k}], value: {string_match: {exact: " +
			"none}}}], headers: [{name: x-a, present_match: false}]}, route: {cluster: a}}, {match: {prefix: /, " +
			"dynamic_metadata: [{filter: envoy.filters.http.header_to_metadata, path: [{key: num}], value: " +
			"{double_match: {exact: 5}}}]}, route: {cluster: b}}, " +
			"{match: {prefix: /, dynamic_metadata: [{filter: ns, path: [{key: c}], value: {string_match: {exact: " +
			"one}}}]}, route: {cluster: b}}, {match: {prefix: /, dynamic_metadata: [{filter: ns, path: [{key: r}], " +
			"value: {string_match: {exact: 'h!'}}}]}, route: {cluster: c}}, {match: {prefix: /}, route: {cluster: d}}"),
		[]string{"GET x /", "GET x / x-a=one", "GET x / x-a=one x-n=5", "GET x / x-a=one x-n=nonsense",
			"GET x / x-a=one cookie=c=one", "GET x / x-a=one x-r=hello", "GET x / x-a="}},
	{"json_to_metadata: without a body", chained([3]string{"j", "json_to_metadata.v3.JsonToMetadata",
		"request_rules: {rules: [{selectors: [{key: m}], on_present: {metadata_namespace: ns, key: k}, on_missing: " +
			"{metadata_namespace: ns, key: k, value: none}}]}"}, clearing),
		vhost("{match: {prefix: /, dynamic_metadata: [{filter: ns, path: [{key: k}], value: {string_match: {exact: " +
			"none}}}]}, route: {cluster: a}}, {match: {prefix: /}, route: {cluster: d}}"),
		[]string{"GET x /", "GET x / content-type=application/json", "GET x / content-type=text/plain"}},
	{"set_filter_state", chained([3]string{"fs", "set_filter_state.v3.Config",
		"on_request_headers: [{object_key: k, factory_key: envoy.string, format_string: {text_format_source: " +
			"{inline_string: '%REQ(x-a)%'}}}]"}, clearing),
		vhost("{match: {prefix: /, filter_state: [{key: k, string_match: {exact: one}}]}, route: {cluster: a}}, " +
			"{match: {prefix: /}, route: {cluster: d}}"), []string{"GET x /", "GET x / x-a=one"}},

	{"cors: an origin that is not allowed", filtered("cors", "cors.v3.Cors", ""),
		vhost(corsRoute("/c", allowOK, to("a")) + ", " + corsRoute("/no",
			allowOK+", forward_not_matching_preflights: false", to("a"))),
		[]string{"OPTIONS x /c" + preflight, "OPTIONS x /c" + preflightNo, "OPTIONS x /no" + preflight,
			"OPTIONS x /no" + preflightNo, "OPTIONS x /no origin=http://no", "GET x /no" + preflightNo,
			"OPTIONS x /c origin=http://ok access-control-request-method="}},
	{"cors: an origin matcher that takes *", filtered("cors", "cors.v3.Cors", ""),
		vhost(corsRoute("/star", ", allow_origin_string_match: [{exact: '*'}]", to("a")) + ", " + corsRoute("/re",
			", allow_origin_string_match: [{safe_regex: {regex: '\\*|x'}}]", to("a")) + ", " +
			corsRoute("/pre", ", allow_origin_string_match: [{prefix: '*'}]", to("a")) + ", " + corsRoute("/none", "",
			to("a"))), []string{"OPTIONS x /star" + preflight, "OPTIONS x /re" + preflight,
			"OPTIONS x /pre" + preflight, "OPTIONS x /none" + preflight}},
	{"cors: levels", filtered("cors", "cors.v3.Cors", ""), "typed_per_filter_config: {cors: " + corsPolicy(allowOK) +
		"}, virtual_hosts: [{name: v, domains: ['*'], typed_per_filter_config: {cors: " +
		corsPolicy(", forward_not_matching_preflights: false") + "}, routes: [" +
		corsRoute("/m", ", allow_methods: GET", to("a")) + ", " + corsRoute("/o", ", allow_origin_string_match: "+
		"[{exact: 'http://no'}]", to("a")) + ", " + corsRoute("/off",
		", filter_enabled: {default_value: {numerator: 0}}", to("a")) + ", " + toA + "]}]",
		[]string{"OPTIONS x /m" + preflight, "OPTIONS x /m" + preflightNo, "OPTIONS x /o" + preflight,
			"OPTIONS x /o" + preflightNo, "OPTIONS x /off" + preflight, "OPTIONS x /" + preflight}},
	{"cors: not where the route does not forward", chained([3]string{"cors", "cors.v3.Cors", ""},
		allowIf(headerPrincipal("x-user", "me"))), vhost(corsRoute("/re", allowOK, "redirect: {https_redirect: true}") +
		", " + corsRoute("/di", allowOK, "direct_response: {status: 204}") + ", " + corsRoute("/", allowOK, to("a"))),
		[]string{"OPTIONS x /re" + preflight, "OPTIONS x /di" + preflight, "OPTIONS x /" + preflight}},

	{"csrf", filtered("csrf", "csrf.v3.CsrfPolicy", "filter_enabled: {default_value: {numerator: 100}}, "+
		"additional_origins: [{suffix: .ok}]"), vhost(perRoute("/off", "csrf", "csrf.v3.CsrfPolicy",
		", filter_enabled: {default_value: {numerator: 0}}") + ", " + toA),
		[]string{
			"GET x /", "POST x /", "POST x / origin=http://x", "POST x / origin=http://y",
			"POST x / origin=https://a.ok", "PUT x / referer=http://x/path", "PATCH x /", "DELETE x / origin=null",
			"POST x /off", "POST x:8080 / origin=http://x:8080", "POST x:8080 / origin=http://x", "POST x / origin=x",
			"POST x / origin=http://X",
		}},
	{"basic_auth", filtered("ba", "basic_auth.v3.BasicAuth", "users: {inline_string: "+
		"'user1:{SHA}tESsBmE/yNY3lb6a0L6vVQEZNqw='}"), vhost(perRoute("/other", "ba", "basic_auth.v3.BasicAuthPerRoute",
		", users: {inline_string: 'user2:{SHA}EJ9LPFDXsN9ynSmbxvjp75Bmlx8='}") + ", " + toA),
		[]string{
			"GET x /", "GET x / authorization=Bearer_x", "GET x / authorization=Basic_dXNlcjE6dGVzdDE=",
			"GET x / authorization=Basic_dXNlcjE6dGVzdDE", "GET x / authorization=Basic_dXNlcjE6d3Jvbmc=",
			"GET x / authorization=Basic_bm9jb2xvbg==", "GET x / authorization=Basic_$$$",
			"GET x /other authorization=Basic_dXNlcjE6dGVzdDE=",
		}},
	{"api_key_auth", filtered("ak", "api_key_auth.v3.ApiKeyAuth", "credentials: [{key: k1, client: one}, {key: k2, "+
		"client: two}], key_sources: [{header: x-key}, {query: key}, {cookie: key}], forwarding: {header: x-client}"),
		vhost(perRoute("/two", "ak", "api_key_auth.v3.ApiKeyAuthPerRoute", ", allowed_clients: [two]") + ", " + toA),
		[]string{"GET x /", "GET x / x-key=k1", "GET x / x-key=Bearer_k1", "GET x / x-key=no", "GET x /?key=k2",
			"GET x / cookie=key=k2", "GET x / x-key=no cookie=key=k2", "GET x /two x-key=k1", "GET x /two x-key=k2"}},
	{"cdn_loop", filtered("cdn", "cdn_loop.v3.CdnLoopConfig", "cdn_id: me, max_allowed_occurrences: 1"), vhost(toA),
		[]string{"GET x /", "GET x / cdn-loop=me", "GET x / cdn-loop=me,me;a=b", "GET x / cdn-loop=other"}},
	{"buffer", filtered("buf", "buffer.v3.Buffer", "max_request_bytes: 5"),
		vhost(perRoute("/off", "buf", "buffer.v3.BufferPerRoute", ", disabled: true") + ", " + toA),
		[]string{"GET x /", "GET x /off"}},
	{
		"local_ratelimit: off", filtered("lr", "local_ratelimit.v3.LocalRateLimit",
			"stat_prefix: x, token_bucket: {max_tokens: 1, fill_interval: 1000s}"), vhost(toA),
		[]string{"GET x /", "GET x /1", "GET x /2"},
	},
	{"ext_authz: a service without endpoints", filtered("ea", "ext_authz.v3.ExtAuthz", "grpc_service: {envoy_grpc: "+
		"{cluster_name: none}}, failure_mode_allow: false"),
		vhost(perRoute("/off", "ea", "ext_authz.v3.ExtAuthzPerRoute", ", disabled: true") + ", {match: {prefix: " +
			"/re}, redirect: {https_redirect: true}}, " + toA),
		[]string{"GET x /", "GET x /off", "GET x /re"}},
	{"ext_authz: failures are allowed", filtered("ea", "ext_authz.v3.ExtAuthz",
		"grpc_service: {envoy_grpc: {cluster_name: none}}, failure_mode_allow: true"), vhost(toA), []string{"GET x /"}},
	{
		"ext_authz: its own status", filtered("ea", "ext_authz.v3.ExtAuthz",
			"grpc_service: {envoy_grpc: {cluster_name: none}}, status_on_error: {code: ServiceUnavailable}"),
		vhost(toA), []string{"GET x /"},
	},
	{
		"fault: by header", filtered("fault", "fault.v3.HTTPFault", "abort: {header_abort: {}, percentage: "+
			"{numerator: 100}}"), vhost(toA), []string{
			"GET x / x-envoy-fault-abort-request=503 x-envoy-fault-abort-request-percentage=0",
			"GET x / x-envoy-fault-abort-grpc-request=14", "GET x / x-envoy-fault-abort-request=600",
		},
	},
	{
		"health check: clusters", filtered("health", "health_check.v3.HealthCheck", `pass_through_mode: false, `+
			`headers: [{name: ":path", string_match: {exact: /healthz}}], cluster_min_healthy_percentages: {a: `+
			`{value: 50}}`), vhost(toA), []string{"GET x /healthz", "GET x /"},
	},
	{
		"health check: a cluster that is not there", filtered("health", "health_check.v3.HealthCheck",
			`pass_through_mode: false, cluster_min_healthy_percentages: {missing: {value: 1}}`), vhost(toA),
		[]string{"GET x /healthz"},
	},
	{
		"grpc_web", chained([3]string{"gw", "grpc_web.v3.GrpcWeb", ""}, clearing), vhost("{match: {prefix: /, grpc: " +
			"{}}, route: {cluster: a}}, {match: {prefix: /}, route: {cluster: d}}"),
		[]string{"POST x / content-type=application/grpc-web", "POST x / content-type=application/json"},
	},

	{"jwt: signature by a key of the dump", jwtHS(""), vhost(toA), []string{"GET x / authorization=Bearer_" + hsToken,
		"GET x / authorization=Bearer_" + hsForged, "GET x /"}},
	{"jwt: claims choose the route", jwtHS(", claim_to_headers: [{header_name: x-role, claim_name: role}, " +
		"{header_name: x-n, claim_name: 'n'}, {header_name: x-deep, claim_name: o.p}], clear_route_cache: true"),
		vhost("{match: {prefix: /deep, headers: [{name: x-deep, string_match: {exact: q}}]}, route: {cluster: c}}, " +
			"{match: {prefix: /n, headers: [{name: x-n, string_match: {exact: '7'}}]}, route: {cluster: b}}, " +
			byValue("x-role", "beta")),
		[]string{"GET x / authorization=Bearer_" + hsToken, "GET x /deep authorization=Bearer_" + hsToken,
			"GET x /n authorization=Bearer_" + hsToken}},
	{"jwt: claims in metadata", jwtHS(", payload_in_metadata: p, clear_route_cache: true"),
		vhost("{match: {prefix: /, dynamic_metadata: [{filter: envoy.filters.http.jwt_authn, path: [{key: p}, {key: " +
			"role}], value: {string_match: {exact: beta}}}]}, route: {cluster: a}}, {match: {prefix: /}, route: " +
			"{cluster: d}}"),
		[]string{"GET x / authorization=Bearer_" + hsToken}},
	{"jwt: the cache is kept", jwtHS(", claim_to_headers: [{header_name: x-role, claim_name: role}]"),
		vhost(byValue("x-role", "beta")), []string{"GET x / authorization=Bearer_" + hsToken}},
	{"jwt: the token is taken away", chained([3]string{"jwt", "jwt_authn.v3.JwtAuthentication", hsProvider("")},
		allowIf("{header: {name: authorization, present_match: true}}")), vhost(toA),
		[]string{"GET x / authorization=Bearer_" + hsToken}},
	{
		"jwt: the token is forwarded", chained([3]string{"jwt", "jwt_authn.v3.JwtAuthentication",
			hsProvider(", forward: true")}, allowIf("{header: {name: authorization, present_match: true}}")),
		vhost(toA), []string{
			"GET x / authorization=Bearer_" + hsToken,
		},
	},
	{"jwt: audiences", jwtHS(", audiences: [other]"), vhost(toA), []string{"GET x / authorization=Bearer_" + hsToken}},

	{"upgrade: a filter list of its own", chained(allowIf(headerPrincipal("x-user", "me"))) + `, ` +
		`upgrade_configs: [{upgrade_type: websocket, filters: [{name: envoy.filters.http.router, ` +
		`typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]}]`, vhost(toA),
		[]string{"GET x /", "GET x / x-user=me"}},
	{"upgrade: turned off", "upgrade_configs: [{upgrade_type: websocket, enabled: false}]",
		vhost("{match: {prefix: /on}, route: {cluster: a, upgrade_configs: [{upgrade_type: websocket}]}}, " + toA),
		[]string{"GET x / upgrade=websocket connection=upgrade"}},
	{
		"CONNECT", "", vhost("{match: {connect_matcher: {}}, route: {cluster: a, upgrade_configs: [{upgrade_type: " +
			"CONNECT}]}}, " + toA), []string{"GET x /"},
	},
	{"CONNECT that nothing allows", "", vhost("{match: {connect_matcher: {}}, route: {cluster: a}}"),
		[]string{"CONNECT x:80 x:80"}},
	{"upgrade without a route", "", vhost("{match: {path: /only}, route: {cluster: a}}"),
		[]string{"GET x / upgrade=websocket connection=upgrade"}},
	{"upgrade of a redirect", "", "virtual_hosts: [{name: v, domains: ['*'], require_tls: ALL, routes: [" + toA + "]}]",
		[]string{"GET x / upgrade=websocket connection=upgrade"}},
	{"upgrade of a route that redirects", "", vhost("{match: {prefix: /}, redirect: {https_redirect: true}}"),
		[]string{"GET x / upgrade=websocket connection=upgrade"}},

	{
		"weighted clusters: host_rewrite_literal", "",
		vhost("{match: {prefix: /}, route: {weighted_clusters: {clusters: [{name: a, weight: 100, " +
			"host_rewrite_literal: one.host}]}}}"), []string{
			"GET x /",
		},
	},
	{
		"request headers to add", "", vhost("{match: {prefix: /}, route: {cluster: a, host_rewrite_header: x-h}, " +
			"request_headers_to_add: [{header: {key: x-h, value: 'added.%REQ(x-a)%'}}]}"),
		[]string{"GET x /", "GET x / x-a=one", "GET x / x-h=given"},
	},
	{
		"aws_lambda", filtered("al", "aws_lambda.v3.Config",
			"arn: 'arn:aws:lambda:us-west-2:987654321:function:hello', payload_passthrough: true"), vhost(toA), nil,
	},
	{"composite: a filter that the matcher names", compositeRBAC(), vhost(toA),
		[]string{"GET x /", "GET x / x-c=deny", "GET x / x-c=other"}},
	{"match delegate: SkipFilter", skipping(), vhost(toA), []string{"GET x /", "GET x / x-s=1"}},
	{"no host", "", vhost(toA), []string{"GET - /", "http1.0 GET - /"}},
	{
		"no host, with a default for HTTP/1.0", "http_protocol_options: {accept_http_10: true, " +
			"default_host_for_http_10: dflt}", vhost(toA), []string{"GET - /", "http1.0 GET - /", "http1.0 GET x /"},
	},
	{"CONNECT that is redirected is told no place", "upgrade_configs: [{upgrade_type: CONNECT}]",
		vhost("{match: {connect_matcher: {}}, redirect: {https_redirect: true}}, " +
			"{match: {prefix: /}, redirect: {host_redirect: c}}"), []string{"CONNECT x:80 x:80", "GET x /"}},
	{"CONNECT that needs TLS is told no place", "upgrade_configs: [{upgrade_type: CONNECT}]",
		"virtual_hosts: [{name: v, domains: ['*'], require_tls: ALL, routes: [{match: {connect_matcher: {}}, " +
			"direct_response: {status: 302}}, " + toA + "]}]", []string{"CONNECT x:80 x:80", "GET x /"}},
	{"CONNECT that is answered 302 is told no place", "upgrade_configs: [{upgrade_type: CONNECT}]",
		vhost("{match: {connect_matcher: {}}, direct_response: {status: 302}}, " +
			"{match: {prefix: /}, direct_response: {status: 302}}"), []string{"CONNECT x:80 x:80", "GET x /"}},
	{"CONNECT without a port", "upgrade_configs: [{upgrade_type: CONNECT}]",
		vhost("{match: {connect_matcher: {}}, direct_response: {status: 204}}"),
		[]string{"CONNECT x x", "CONNECT x:80 x:80", "CONNECT x: x:", "CONNECT x:y x:y"}},
	{"too many headers", "common_http_protocol_options: {max_headers_count: 4}", vhost(toA),
		[]string{"GET x /", "GET x / a=1", "GET x / a=1 b=1 c=1 d=1 e=1", "http2 GET x / a=1 b=1 c=1 d=1 e=1"}},
	{"ip detection: refused", `original_ip_detection_extensions: [{name: c, ` +
		`typed_config: {"@type": ` +
		`type.googleapis.com/envoy.extensions.http.original_ip_detection.custom_header.v3.CustomHeaderConfig, ` +
		`header_name: x-real-ip, reject_with_status: {code: Unauthorized}}}]`, vhost(toA),
		[]string{"GET x /", "GET x / x-real-ip=203.0.113.9", "GET x / x-real-ip=nonsense"}},
}
