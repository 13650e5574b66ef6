package authority

import "strings"

// one is a connection manager with one filter, f, before the router.
func one(kind, config string) string { return filtered("f", kind, config) }

// formatted mutates x-v by a format and routes by it: to a where it is what was expected, to b
// where it is not, else to c.
func formatted(name, format, expected string, requests ...string) rule {
	mutation := "mutations: {request_mutations: [" + setting("x-v", format, "OVERWRITE_IF_EXISTS_OR_ADD") + "]}"
	return rule{"format: " + name, chained([3]string{"hm", "header_mutation.v3.HeaderMutation", mutation}, clearing),
		byHeader("x-v", expected), requests}
}

// formatRules are commands of format strings that dump and request decide.
var formatRules = []rule{
	formatted("remote address", "%DOWNSTREAM_REMOTE_ADDRESS%", "192.0.2.1:40000", "GET x /",
		"GET x / x-forwarded-for=1.2.3.4"),
	formatted("remote address alone", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "192.0.2.1", "GET x /",
		"GET x / x-forwarded-for=1.2.3.4"),
	formatted("remote port", "%DOWNSTREAM_REMOTE_PORT%", "40000", "GET x /"),
	formatted("local port", "%DOWNSTREAM_LOCAL_PORT%", "1", "GET x /"),
	formatted("path", "%PATH%", "/a?b=c", "GET x /a?b=c", "GET x /a"),
	formatted("path without query", "%PATH(NQ)%", "/a", "GET x /a?b=c", "GET x /b"),
	formatted("path with query", "%PATH(WQ:PATH)%", "/a?b=c", "GET x /a?b=c", "GET x /a"),
	formatted("path as it came", "%PATH(WQ:ORIG)%", "/a", "GET x /a", "GET x /b x-envoy-original-path=/a"),
	formatted("path as it came, or is", "%PATH(NQ:ORIG_OR_PATH)%", "/a", "GET x /a?c", "GET x /b"),
	formatted("query parameter", "%QUERY_PARAM(b)%", "c", "GET x /a?b=c", "GET x /a?b=d", "GET x /a"),
	formatted("query parameter with escapes", "%QUERY_PARAM(b)%", "1+%zz%", "GET x /a?b=1+%zz%25",
		"GET x /a?%62=1%2b%zz%"),
	formatted("metadata that is missing", "%DYNAMIC_METADATA(ns:k)%", "c", "GET x /"),
	formatted("TLS of clear text", "%DOWNSTREAM_TLS_VERSION%", "TLSv1.3", "GET x /"),
	formatted("certificate of clear text", "%DOWNSTREAM_PEER_URI_SAN%", "x", "GET x /"),
	formatted("header by its longer name", "%REQUEST_HEADER(x-a?x-b):2%", "bc", "GET x / x-b=bcd", "GET x / x-a=bc"),
	formatted("cluster", "%UPSTREAM_CLUSTER%-%UPSTREAM_CLUSTER_RAW%", "c-c", "GET x /"),
	formatted("upstream that is not there yet", "%UPSTREAM_HOST%%UPSTREAM_PROTOCOL%%UPSTREAM_LOCAL_ADDRESS%", "---",
		"GET x /"),
	formatted("response that is not there yet", "%RESPONSE_CODE%%RESPONSE_FLAGS%%RESP(x)%%TRAILER(x)%"+
		"%GRPC_STATUS%%RESPONSE_CODE_DETAILS%", "0-----", "GET x /"),
	formatted("coalesce", `%COALESCE({"operators": ["REQUESTED_SERVER_NAME", {"command": "REQ", "param": "x-a", `+
		`"max_length": 2}, "PROTOCOL"]})%`, "bc", "GET x / x-a=bcd", "GET x / x-a=b", "GET x /"),
	formatted("coalesce to nothing", `%COALESCE({"operators": [{"command": "REQ", "param": "x-b"}]}):1%`, "-",
		"GET x /", "GET x / x-b=-c"),
	formatted("CEL: a header", "%CEL(request.headers['x-a']):3%", "bcd", "GET x / x-a=bcde", "GET x / x-a=b",
		"GET x /"),
	formatted("CEL: a condition", "%CEL(request.headers['x-a'].startsWith('b'))%", "true", "GET x / x-a=bcde",
		"GET x / x-a=c", "GET x /"),
	formatted("CEL: a number", "%CEL(size(request.headers['x-a']))%", "3", "GET x / x-a=bcd", "GET x / x-a=c"),
	formatted("CEL: one of two texts", "%CEL(request.url_path == '/a' ? 'yes' : 'no')%", "yes", "GET x /a?b",
		"GET x /b"),
	formatted("CEL: no concatenation", "%CEL(request.method + request.url_path)%", "GET/a", "GET x /a"),
	formatted("CEL: a sum", "%CEL(size(request.url_path) + 1)%", "3", "GET x /a"),
	formatted("CEL: cluster", "%CEL(xds.cluster_name)%", "c", "GET x /"),
	formatted("CEL: metadata that is missing", "%CEL(metadata.filter_metadata['ns']['k'])%", "-", "GET x /"),
	formatted("CEL: response", "%CEL(response.code)%", "-", "GET x /"),
	formatted("CEL: response without a size yet",
		"%CEL(response.size)%%CEL(response.total_size)%%CEL(response.flags)%",
		"000", "GET x /"),
	formatted("CEL: fields of a response", "%CEL(has(response.code))% %CEL(has(response.size))% "+
		"%CEL('x' in response.headers)%%CEL(size(response.trailers))% %CEL(response.nothing)%",
		"false true false0 -", "GET x /"),
	formatted("CEL: fields of metadata", "%CEL(has(metadata.filter_metadata))%%CEL(has(metadata.nothing))%", "false-",
		"GET x /"),
	{"format: numbers", chained([3]string{"sm", "set_metadata.v3.Config",
		"metadata: [{metadata_namespace: ns, value: {a: 100000, b: 10000, c: [-1200000, 120000000], d: 0.001}}]"},
		mutating("request_mutations: ["+setting("x-v", "%DYNAMIC_METADATA(ns:a)% %DYNAMIC_METADATA(ns:b)% "+
			"%DYNAMIC_METADATA(ns:c)% %DYNAMIC_METADATA(ns:d)%", "OVERWRITE_IF_EXISTS_OR_ADD")+"]"), clearing),
		byHeader("x-v", "1e+05 10000 [-1200000,1.2e+08] 0.001"), []string{"GET x /"}},
	{"format: names and metadata of route, virtual host, cluster and listener", chained([3]string{"sm",
		"set_metadata.v3.Config", "metadata: [{metadata_namespace: ns, value: {n: 5, b: true, f: 1.5, o: {d: v}, " +
			"l: [1, a], s: text, z: null}}]"},
		[3]string{"fs", "set_filter_state.v3.Config", "on_request_headers: [{object_key: my.key, factory_key: " +
			"envoy.string, format_string: {text_format_source: {inline_string: a b}}}]"},
		[3]string{"hm", "header_mutation.v3.HeaderMutation", "mutations: {request_mutations: [" +
			setting("x-v", "%ROUTE_NAME%|%METADATA(ROUTE:rn:k)%|%METADATA(ROUTE:rn:n):1%|%METADATA(ROUTE:no:k)%|"+
				"%METADATA(VIRTUAL_HOST:vn:k)%|%METADATA(DYNAMIC:ns:n)%|%DYNAMIC_METADATA(ns:b)%|"+
				"%METADATA(DYNAMIC:ns:f)%|%METADATA(DYNAMIC:ns:o)%|%DYNAMIC_METADATA(ns:l)%|%DYNAMIC_METADATA(ns:z)%|"+
				"%METADATA(CLUSTER:cn:k)%|"+
				"%METADATA(UPSTREAM_HOST:cn:k)%|%FILTER_STATE(my.key:PLAIN):2%|%FILTER_STATE(my.key)%|"+
				"%CEL(metadata.filter_metadata['ns']['s'])%|%CEL(metadata.filter_metadata['ns']['n'] == 5.0)%|"+
				"%CEL(xds.route_name)%", "OVERWRITE_IF_EXISTS_OR_ADD") + "]}"}, clearing),
		"virtual_hosts: [{name: v, domains: ['*'], metadata: {filter_metadata: {vn: {k: vv}}}, routes: [" +
			`{match: {prefix: /, headers: [{name: x-v, string_match: {exact: 'r1|rv|1|-|vv|5|true|1.5|{"d":"v"}|` +
			`[1,"a"]|-|-|-|a |"a b"|text|true|r1'}}]}, route: {cluster: a}}, ` +
			"{match: {prefix: /, headers: [{name: x-v, present_match: true}]}, route: {cluster: b}}, " +
			"{name: r1, match: {prefix: /}, metadata: {filter_metadata: {rn: {k: rv, n: 12}}}, route: {cluster: c}}]}]",
		[]string{"GET x /"}},
	{"format: metadata", chained([3]string{"sm", "set_metadata.v3.Config",
		"metadata: [{metadata_namespace: ns, value: {k: {d: v}}}]"},
		[3]string{"hm", "header_mutation.v3.HeaderMutation", "mutations: {request_mutations: [" +
			setting("x-v", "%DYNAMIC_METADATA(ns:k:d)%", "OVERWRITE_IF_EXISTS_OR_ADD") + "]}"}, clearing),
		byHeader("x-v", "v"), []string{"GET x /"}},
}

// replyMappers is a connection manager with mappers of answers.
func replyMappers(mappers string) string { return "local_reply_config: {mappers: [" + mappers + "]}" }

const (
	answers = "{match: {prefix: /a}, route: {cluster: a}}, {match: {prefix: /n}, route: {cluster: none}}, " +
		"{match: {prefix: /d}, direct_response: {status: 503}}, {match: {prefix: /4}, direct_response: {status: 404}}"
	statusFrom500 = "{status_code_filter: {comparison: {op: GE, value: {default_value: 500, runtime_key: k}}}}"
)

// customised is a filter custom_response whose matcher leads from a status to another.
func customised(input, key, policy string) string {
	return `custom_response_matcher: {matcher_tree: {input: {name: i, ` +
		`typed_config: {"@type": type.googleapis.com/envoy.type.matcher.v3.` + input + `}},
		exact_match_map: {map: {'` + key + `': {action: {name: a, typed_config: {
		"@type": type.googleapis.com/envoy.extensions.http.custom_response.local_response_policy.v3.` +
		`LocalResponsePolicy` + policy + `}}}}}}}`
}

// manyLetters are more than a KiB.
var manyLetters = strings.Repeat("a", 1200)

// replyRules are what becomes of answers that the proxy makes itself.
var replyRules = []rule{
	{"local reply: a response flag", replyMappers("{filter: {response_flag_filter: {flags: [UH]}}, status_code: 500}"),
		vhost(answers), []string{"GET x /n", "GET x /d", "GET x /none"}},
	{"local reply: any response flag", replyMappers("{filter: {response_flag_filter: {}}, status_code: 500}"),
		vhost(answers), []string{"GET x /n", "GET x /d", "GET x /none"}},
	{"local reply: no health check",
		replyMappers("{filter: {and_filter: {filters: [" + statusFrom500 + ", {not_health_check_filter: {}}]}}, " +
			"status_code: 599}"),
		vhost(answers), []string{"GET x /n", "GET x /d", "GET x /4"}},
	{"local reply: metadata that is missing",
		replyMappers("{filter: {metadata_filter: {matcher: {filter: ns, path: [{key: k}], value: {string_match: " +
			"{exact: v}}}}}, " +
			"status_code: 418}"), vhost(answers), []string{"GET x /d", "GET x /none"}},
	{"local reply: metadata that has to be there",
		replyMappers("{filter: {metadata_filter: {matcher: {filter: ns, path: [{key: k}], value: {string_match: " +
			"{exact: v}}}, " +
			"match_if_key_not_found: false}}, status_code: 418}"), vhost(answers), []string{"GET x /d", "GET x /none"}},
	{"local reply: another key of the namespace", chained([3]string{"sm", "set_metadata.v3.Config",
		"metadata: [{metadata_namespace: ns, value: {other: v}}]"}) + ", " +
		replyMappers("{filter: {metadata_filter: {matcher: {filter: ns, path: [{key: k}], value: {string_match: "+
			"{exact: v}}}}}, status_code: 418}"), vhost(answers), []string{"GET x /d"}},
	{"local reply: a health check", filtered("health", "health_check.v3.HealthCheck", "pass_through_mode: false, "+
		"headers: [{name: ':path', exact_match: /d}]") + ", " +
		replyMappers("{filter: {not_health_check_filter: {}}, status_code: 418}"), vhost(answers),
		[]string{"GET x /d", "GET x /4"}},
	{"custom response: a status", one("custom_response.v3.CustomResponse",
		customised("HttpResponseStatusCodeMatchInput", "404", ", status_code: 499")),
		vhost(answers), []string{"GET x /4", "GET x /none", "GET x /a", "GET x /d"}},
	{"custom response: a class", one("custom_response.v3.CustomResponse",
		customised("HttpResponseStatusCodeClassMatchInput", "5xx", ", status_code: 200")),
		vhost(answers), []string{"GET x /4", "GET x /n", "GET x /d"}},
	{"custom response: the status is kept", one("custom_response.v3.CustomResponse",
		customised("HttpResponseStatusCodeMatchInput", "404", "")), vhost(answers),
		[]string{"GET x /4"}},
	{"custom response: of a virtual host", one("custom_response.v3.CustomResponse",
		customised("HttpResponseStatusCodeMatchInput", "404", ", status_code: 499")),
		"virtual_hosts: [{name: v, domains: ['*'], typed_per_filter_config: {f: {\"@type\": " +
			"type.googleapis.com/envoy.extensions.filters.http.custom_response.v3.CustomResponse, " +
			customised("HttpResponseStatusCodeMatchInput", "503", ", status_code: 500") + "}}, routes: [" +
			answers + "]}]",
		[]string{"GET x /4", "GET x /d", "GET x /none"}},
	{"custom response: after a denial", chained([3]string{"rbac", "rbac.v3.RBAC", "rules: {}"},
		[3]string{"f", "custom_response.v3.CustomResponse",
			customised("HttpResponseStatusCodeMatchInput", "403", ", status_code: 401")}), vhost(toA),
		[]string{"GET x /", "grpc POST x /"}},
	{"headers of HTTP/2 that are too large reset the stream", "max_request_headers_kb: 1", vhost(toA),
		[]string{"GET x / x-a=" + manyLetters, "http2 GET x / x-a=" + manyLetters}},
}

// asking is a filter that asks a rate limit service that has no endpoint.
func asking(more string) string {
	return one("ratelimit.v3.RateLimit",
		"domain: d, failure_mode_deny: true, rate_limit_service: {transport_api_version: V3, "+
			"grpc_service: {envoy_grpc: {cluster_name: none}}}"+more)
}

// limited is a route with rate limits.
func limited(path, limits string) string {
	return "{match: {prefix: " + path + "}, route: {cluster: a, rate_limits: [" + limits + "]}}"
}

const hostLimits = "rate_limits: [{actions: [{generic_key: {descriptor_value: v}}]}]"

// limitRules are rate limits: which request the service is asked about.
var limitRules = []rule{
	{"rate limit: no descriptors", asking(""), vhost(toA), []string{"GET x /"}},
	{"rate limit: actions", asking(""),
		vhost(limited("/header", "{actions: [{request_headers: {header_name: x-a, descriptor_key: k}}]}") + ", " +
			limited("/skipped", "{actions: [{request_headers: {header_name: x-a, descriptor_key: k, skip_if_absent: "+
				"true}}]}") + ", " +
			limited("/both", "{actions: [{generic_key: {descriptor_value: v}}, {request_headers: {header_name: x-a, "+
				"descriptor_key: k, skip_if_absent: true}}]}") + ", " +
			limited("/value", "{actions: [{header_value_match: {descriptor_value: v, headers: [{name: x-a, "+
				"exact_match: one}]}}]}") + ", " +
			limited("/other", "{actions: [{header_value_match: {descriptor_value: v, expect_match: false, headers: "+
				"[{name: x-a, exact_match: one}]}}]}") + ", " +
			limited("/address", "{actions: [{remote_address: {}}]}") + ", " + limited("/stage",
			"{stage: 1, actions: [{remote_address: {}}]}") + ", " +
			limited("/query", "{actions: [{query_parameters: {query_parameter_name: q, descriptor_key: k}}]}") + ", " +
			limited("/done", "{apply_on_stream_done: true, actions: [{remote_address: {}}]}") + ", " +
			limited("/all", "{actions: [{remote_address: {}}, {request_headers: {header_name: x-a, descriptor_key: "+
				"k}}]}, {actions: [{request_headers: {header_name: x-b, descriptor_key: k}}]}") +
			", {match: {prefix: /redirect}, redirect: {https_redirect: true}}"),
		[]string{"GET x /header", "GET x /header x-a=1", "GET x /skipped", "GET x /skipped x-a=1", "GET x /both",
			"GET x /value", "GET x /value x-a=one", "GET x /other",
			"GET x /other x-a=one", "GET x /address", "GET x /stage", "GET x /query", "GET x /query?q=1", "GET x /all",
			"GET x /all x-a=1", "GET x /all x-b=1", "GET x /redirect", "GET x /done"}},
	{"rate limit: of the virtual host", asking(""),
		"virtual_hosts: [{name: v, domains: ['*'], " + hostLimits + ", routes: [" +
			limited("/own", "{actions: [{request_headers: {header_name: x-a, descriptor_key: k}}]}") + ", " +
			"{match: {prefix: /with}, route: {cluster: a, include_vh_rate_limits: true, rate_limits: [{actions: " +
			"[{request_headers: {header_name: x-a, descriptor_key: k}}]}]}}, " +
			perRoute("/ignore", "f", "ratelimit.v3.RateLimitPerRoute", ", vh_rate_limits: IGNORE") + ", " +
			perRoute("/include", "f", "ratelimit.v3.RateLimitPerRoute", ", vh_rate_limits: INCLUDE") + ", " +
			toA + "]}]", []string{"GET x /own", "GET x /own x-a=1", "GET x /with", "GET x /ignore",
			"GET x /include", "GET x /"}},
	{
		"rate limit: of the filter", asking(", rate_limits: [{actions: [{request_headers: {header_name: x-a, " +
			"descriptor_key: k}}]}]"), vhost(toA), []string{"GET x /", "GET x / x-a=1"},
	},
	{"rate limit: of the filter for a route", asking(""), vhost(perRoute("/own", "f", "ratelimit.v3.RateLimitPerRoute",
		", rate_limits: [{actions: [{remote_address: {}}]}]") + ", " + toA),
		[]string{"GET x /own", "GET x /"}},
	{"rate limit: from inside only", asking(", request_type: internal"),
		vhost(limited("/", "{actions: [{remote_address: {}}]}")), []string{"GET x /", "GET x / x-envoy-internal=true"}},
	{"rate limit: another status on error", asking(", status_on_error: {code: ServiceUnavailable}"),
		vhost(limited("/", "{actions: [{remote_address: {}}]}")), []string{"GET x /"}},
}

// script is a Lua filter.
func script(fields string) string { return one("lua.v3.Lua", fields) }

const refusing = `"function envoy_on_request(h) h:respond({[':status'] = '418'}, '') end"`

// idleRules are filters that are open in general, and that do nothing to these requests.
var idleRules = []rule{
	{"ip_tagging", chained([3]string{"it", "ip_tagging.v3.IPTagging",
		"request_type: BOTH, ip_tags: [{ip_tag_name: one, ip_list: [{address_prefix: 192.0.2.0, prefix_len: 24}]}, " +
			"{ip_tag_name: two, ip_list: [{address_prefix: 1.2.3.0, prefix_len: 24}]}]"}),
		byHeader("x-envoy-ip-tags", "one"),
		[]string{"GET x /", "GET x / x-forwarded-for=1.2.3.4", "GET x / x-envoy-ip-tags=zero",
			"GET x / x-forwarded-for=9.9.9.9", "GET x / x-forwarded-for=9.9.9.9 x-envoy-ip-tags=one"}},
	{"ip_tagging: a header of its own", chained([3]string{"it", "ip_tagging.v3.IPTagging",
		"request_type: EXTERNAL, ip_tag_header: {header: x-mine, action: SANITIZE}, " +
			"ip_tags: [{ip_tag_name: one, ip_list: [{address_prefix: 192.0.2.0, prefix_len: 24}]}]"}),
		byHeader("x-mine", "one"),
		[]string{"GET x /", "GET x / x-mine=two", "GET x / x-forwarded-for=1.2.3.4 x-mine=two",
			"GET x / x-forwarded-for=1.2.3.4"}},
	{"admission control that is off", one("admission_control.v3.AdmissionControl",
		"enabled: {default_value: false, runtime_key: k}, success_criteria: {http_criteria: "+
			"{http_success_status: [{start: 200, end: 300}]}}, sampling_window: 10s"), vhost(toA), []string{"GET x /"}},
	{"no script for requests", script(`default_source_code: {inline_string: "function envoy_on_response(h) end"}`),
		vhost(toA), []string{"GET x /"}},
	{"no script", script(""), vhost(toA), []string{"GET x /"}},
	{"a script that is disabled", script("default_source_code: {inline_string: " + refusing + "}"),
		vhost(perRoute("/off", "f", "lua.v3.LuaPerRoute", ", disabled: true")), []string{"GET x /off"}},
	{"a script by its name", script("source_codes: {s: {inline_string: " + refusing + "}}"),
		vhost(perRoute("/no", "f", "lua.v3.LuaPerRoute", ", name: other") + ", " + toA),
		[]string{"GET x /", "GET x /no"}},
	{"ext_proc: a service without endpoints", one("ext_proc.v3.ExternalProcessor",
		"grpc_service: {envoy_grpc: {cluster_name: none}}"), vhost(toA), []string{"GET x /"}},
	{
		"ext_proc: failures are allowed", one("ext_proc.v3.ExternalProcessor",
			"grpc_service: {envoy_grpc: {cluster_name: none}}, failure_mode_allow: true"), vhost(toA),
		[]string{"GET x /"},
	},
	{"ext_proc: nothing is processed", one("ext_proc.v3.ExternalProcessor",
		"grpc_service: {envoy_grpc: {cluster_name: none}}, processing_mode: {request_header_mode: SKIP, "+
			"response_header_mode: SKIP}"), vhost(toA), []string{"GET x /"}},
	{"ext_proc: off for a route", one("ext_proc.v3.ExternalProcessor",
		"grpc_service: {envoy_grpc: {cluster_name: none}}"),
		vhost(perRoute("/off", "f", "ext_proc.v3.ExtProcPerRoute", ", disabled: true") +
			", " + perRoute("/skip", "f", "ext_proc.v3.ExtProcPerRoute", ", overrides: {processing_mode: "+
			"{request_header_mode: SKIP, response_header_mode: SKIP}}") + ", " + toA),
		[]string{"GET x /off", "GET x /skip", "GET x /"}},
	{"rbac: a condition that may join texts", rbacRules("action: ALLOW, policies: {p: {permissions: [{any: true}], " +
		anyone + ", condition: " + asJSON(parsed("request.method + 'x' == 'GETx'").Expr) +
		", cel_config: {enable_string_concat: true}}}"), vhost(toA), []string{"GET x /", "POST x /"}},
	{"no session", one("stateful_session.v3.StatefulSession", `session_state: {name: `+
		`envoy.http.stateful_session.cookie, `+
		`typed_config: {"@type": `+
		`type.googleapis.com/envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState, `+
		`cookie: {name: sess, path: /}}}`), vhost(toA), []string{"GET x /", "GET x / cookie=other=1"}},
	{"oauth2", one("oauth2.v3.OAuth2", "config: {token_endpoint: {cluster: a, uri: oauth.test, timeout: 3s}, "+
		"authorization_endpoint: 'https://oauth.test/auth', redirect_uri: 'http://x/callback', "+
		"redirect_path_matcher: {path: {exact: /callback}}, signout_path: {path: {exact: /signout}}, "+
		"pass_through_matcher: [{name: ':path', prefix_match: /open}], "+
		"deny_redirect_matcher: [{name: x-ajax, present_match: true}], credentials: {client_id: foo, token_secret: "+
		"{name: token}, hmac_secret: {name: hmac}}}"), vhost(toA),
		[]string{"GET x /open", "GET x / x-ajax=1"}},
	{"cache: requests that no cache answers", one("cache.v3.CacheConfig",
		`typed_config: {"@type": `+
			`type.googleapis.com/envoy.extensions.http.cache.simple_http_cache.v3.SimpleHttpCacheConfig}`), vhost(toA),
		[]string{"POST x /", "GET x / authorization=b", "GET x / if-none-match=b"}},
	{"a host that DNS does not say", one("dynamic_forward_proxy.v3.FilterConfig",
		"dns_cache_config: {name: c, dns_lookup_family: V4_ONLY}"), vhost(toA), []string{"GET x /"}},
	{"a request that is not Connect", one("connect_grpc_bridge.v3.FilterConfig", ""), vhost(toA),
		[]string{"GET x /", "POST x / content-type=application/json"}},
	{"a request without JSON", one("mcp.v3.Mcp", ""), vhost(toA), []string{"GET x /", "POST x /", "DELETE x /"}},
	{"mcp: only its protocol", one("mcp.v3.Mcp", "traffic_mode: REJECT_NO_MCP"), vhost(toA), []string{"GET x /",
		"POST x /", "DELETE x /", "HEAD x /", "PUT x / content-type=application/json", "DELETE x / mcp-session-id=a",
		"GET x / accept=text/event-stream", "GET x / accept=application/json,text/event-stream", "GET x / accept=*/*",
		"POST x / content-type=application/json", "POST x / accept=text/event-stream", "http2 GET x /"}},
	{"a2a: only its protocol", one("a2a.v3.A2a", "traffic_mode: REJECT"), vhost(toA), []string{"GET x /", "POST x /",
		"DELETE x /", "PUT x / content-type=application/json", "GET x / accept=text/event-stream"}},
	{"mcp: a session without a name", one("mcp.v3.Mcp", "traffic_mode: REJECT_NO_MCP"), vhost(toA),
		[]string{"DELETE x / mcp-session-id="}},
	{"a2a: the card of an agent", one("a2a.v3.A2a", "traffic_mode: REJECT"), vhost(toA),
		[]string{"GET x /.well-known/agent-card.json?a=b", "HEAD x /.well-known/agent-card.json",
			"GET x /a/.well-known/agent-card.json", "GET x /.well-known/agent.json"}},
	{"metadata that filters write about themselves", chained(
		[3]string{"one", "rbac.v3.RBAC", "shadow_rules: {policies: {p: {permissions: [{any: true}], " + anyone + "}}}"},
		[3]string{"fault", "fault.v3.HTTPFault", "delay: {fixed_delay: 0.001s, percentage: {numerator: 100}}"},
		[3]string{"two", "rbac.v3.RBAC", "rules: {policies: {p: {permissions: [{any: true}], " + anyone +
			", condition: " + asJSON(parsed("size(metadata.filter_metadata) == 0 || metadata.filter_metadata"+
			"['envoy.filters.http.rbac']['shadow_engine_result'] == 'denied'").Expr) + "}}}"}),
		vhost(toA), []string{"GET x /"}},
	{"a2a: others too", one("a2a.v3.A2a", ""), vhost(toA), []string{"GET x /", "POST x /"}},
	{"the size of no body", one("body_size_limit.v3.BodySizeLimit", "max_request_bytes: 10"), vhost(toA),
		[]string{"GET x /", "POST x / content-length=0"}},
	{
		"no faults may be active", one("fault.v3.HTTPFault",
			"abort: {http_status: 418, percentage: {numerator: 100}}, max_active_faults: 0"), vhost(toA),
		[]string{"GET x /"},
	},
	{
		"no faults may be active by the runtime", one("fault.v3.HTTPFault", "abort: {http_status: 418, percentage: "+
			"{numerator: 100}}, max_active_faults_runtime: test.none"), vhost(toA), []string{"GET x /"},
	},
	{
		"faults may be active by the runtime", one("fault.v3.HTTPFault", "abort: {http_status: 418, percentage: "+
			"{numerator: 100}}, max_active_faults: 0, max_active_faults_runtime: test.all"), vhost(toA),
		[]string{"GET x /"},
	},
	{
		"the status of a fault by the runtime", one("fault.v3.HTTPFault", "abort: {http_status: 418, percentage: "+
			"{numerator: 100}}, abort_http_status_runtime: test.status"), vhost(toA), []string{"GET x /"},
	},
	{"rbac: the address of an upstream that no filter has noted",
		rbacRules(`action: ALLOW, policies: {p: {permissions: [{matcher: {name: m, typed_config: {"@type": ` +
			`type.googleapis.com/envoy.extensions.rbac.matchers.upstream_ip_port.v3.UpstreamIpPortMatcher, ` +
			`upstream_port_range: {start: 1, end: 100}}}}], ` + anyone + `}}`), vhost(toA), []string{"GET x /"}},
}
