package authority

import (
	"fmt"
	"strings"
)

// A rich generator draws configurations in which the request changes on its way: filters that
// mutate, metadata that chooses subsets and routes, upgrades, connections inside of the proxy,
// hosts that the request names. What neither dump nor request decides has a value of its own in
// each variant of the same configuration, so whether it matters can be tried.
type rich struct {
	*generator
	variant int
	dns     string // address of the DNS server that dynamic_forward_proxy asks
}

// variants is how many values each open thing has.
const variants = 5

// of returns the value that an open thing has in this variant.
func (g *rich) of(all ...string) string { return all[g.variant%len(all)] }

// httpFilter is an HTTP filter: name, type below envoy.extensions.filters.http, fields.
func (g *rich) httpFilter() [3]string {
	switch g.IntN(30) {
	case 0, 1, 2, 3:
		return [3]string{"hm", "header_mutation.v3.HeaderMutation", "mutations: {request_mutations: [" + g.several(3,
			g.mutation) + "]" +
			g.maybe(4, func() string {
				return ", query_parameter_mutations: [" + pick(g.generator, "{append: {record: {key: q, value: '1'}, "+
					"action: OVERWRITE_IF_EXISTS_OR_ADD}}", "{remove: q}",
					"{append: {record: {key: r, value: '2'}}}") + "]"
			}) + "}"}
	case 4, 5:
		return clearing
	case 6, 7:
		return [3]string{"sm", "set_metadata.v3.Config", "metadata: [" + g.several(2, func() string {
			return fmt.Sprintf("{metadata_namespace: %s, value: {%s: %s}, allow_overwrite: %v}", g.namespace(), g.key(),
				quoted(pick(g.generator, values...)), g.IntN(2) == 0)
		}) + "]"}
	case 8, 9, 10, 11:
		return toMetadata(g.several(2, g.headerRule))
	case 12:
		return [3]string{"fs", "set_filter_state.v3.Config",
			fmt.Sprintf("on_request_headers: [{object_key: k, factory_key: envoy.string, format_string: "+
				"{text_format_source: {inline_string: '%s'}}}], clear_route_cache: %v",
				pick(g.generator, "%REQ(x-a)%", "abc", "%REQ(x-b?x-a)%"), g.IntN(2) == 0)}
	case 13, 14:
		return [3]string{"cors", "cors.v3.Cors", ""}
	case 15:
		return [3]string{"csrf", "csrf.v3.CsrfPolicy", "filter_enabled: {default_value: {numerator: " +
			pick(g.generator, "0", "100") + "}}, additional_origins: [{suffix: .ok}]"}
	case 16, 17, 18:
		return [3]string{
			"rbac", "rbac.v3.RBAC", "rules: {" + pick(g.generator, "action: ALLOW", "action: DENY") +
				", policies: {p: {permissions: [" + g.permission(1) + "], principals: [" + g.several(2,
				g.identity) + "]}}}",
		}
	case 19:
		return [3]string{"fault", "fault.v3.HTTPFault", "abort: {http_status: 418, percentage: {numerator: " +
			pick(g.generator, "0", "100", "50") + "}}, headers: [" + g.header() + "]"}
	case 20:
		return [3]string{"ba", "basic_auth.v3.BasicAuth",
			"users: {inline_string: 'user1:{SHA}tESsBmE/yNY3lb6a0L6vVQEZNqw='}" + g.maybe(2, func() string {
				return ", forward_username_header: x-a"
			})}
	case 21:
		return [3]string{"ak", "api_key_auth.v3.ApiKeyAuth", "credentials: [{key: abc, client: one}, {key: '5', " +
			"client: two}], key_sources: [{header: x-a}, {query: q}]" + g.maybe(2, func() string {
			return ", forwarding: {header: x-b, hide_credentials: true}"
		})}
	case 22:
		return [3]string{"cdn", "cdn_loop.v3.CdnLoopConfig",
			"cdn_id: me, max_allowed_occurrences: " + pick(g.generator, "0", "1")}
	case 23:
		return [3]string{"health", "health_check.v3.HealthCheck",
			`pass_through_mode: false, headers: [{name: ":path", string_match: {exact: /a}}]`}
	case 24:
		return [3]string{
			"jwt", "jwt_authn.v3.JwtAuthentication", hsProvider(pick(g.generator, "", ", forward: true",
				", payload_in_metadata: k, claim_to_headers: [{header_name: x-b, claim_name: role}], "+
					"clear_route_cache: true", ", claim_to_headers: [{header_name: x-a, claim_name: role}]")),
		}
	case 25:
		return [3]string{"gw", "grpc_web.v3.GrpcWeb", ""}
	case 26:
		return [3]string{"md", "", g.delegate()}
	default:
		return g.openFilter()
	}
}

// openFilter is a filter whose doing is in neither dump nor request. A script, a service and a
// bucket do something else in each variant.
func (g *rich) openFilter() [3]string {
	switch g.IntN(3) {
	case 0:
		return [3]string{"lua", "lua.v3.Lua", "default_source_code: " +
			"{inline_string: " + quoted("function envoy_on_request(h) "+g.of("",
			`h:headers():replace("x-a", "abc") h:clearRouteCache()`,
			`h:headers():remove("x-b") h:streamInfo():dynamicMetadata():set("ns", "k", "1")`,
			`h:respond({[":status"] = "418"}, "")`,
			`h:headers():replace(":path", "/x1") h:clearRouteCache()`)+" end") + "}"}
	case 1:
		return [3]string{"ea", "ext_authz.v3.ExtAuthz",
			`http_service: {server_uri: {uri: "http://127.62.1.1:9471", cluster: authz, timeout: 5s}, path_prefix: ` +
				g.of("/stub/200", "/stub/403", "/stub/200/x-a/abc", "/stub/401", "/stub/200/x-b/5") +
				", authorization_response: {allowed_upstream_headers: {patterns: [{exact: x-a}, {exact: x-b}]}}}, " +
				"clear_route_cache: true"}
	}
	return [3]string{"lr", "local_ratelimit.v3.LocalRateLimit", "stat_prefix: l, filter_enabled: {default_value: " +
		"{numerator: 100}}, filter_enforced: {default_value: {numerator: 100}}, token_bucket: {max_tokens: " +
		g.of("100000", "1", "2", "3", "4") + ", tokens_per_fill: 1, fill_interval: 1000s}"}
}

func (g *rich) mutation() string {
	name := pick(g.generator, "x-a", "x-b", "x-c", "x-a", "x-b", "x-c", "x-forwarded-proto")
	value := pick(g.generator, append(values, "%REQ(x-a)%", "%REQ(x-b?x-c)%", "a%REQ(x-c)%", "%REQ(:path)%",
		"%PROTOCOL%")...)
	switch name {
	case "x-forwarded-proto":
		value = pick(g.generator, "http", "https")
	default:
		if g.IntN(4) == 0 {
			return "{remove: " + name + "}"
		}
	}
	return setting(name, value, pick(g.generator, "APPEND_IF_EXISTS_OR_ADD", "ADD_IF_ABSENT",
		"OVERWRITE_IF_EXISTS_OR_ADD", "OVERWRITE_IF_EXISTS"))
}

func (g *rich) namespace() string { return pick(g.generator, "ns", "ns", "envoy.lb", "envoy.lb") }

func (g *rich) key() string { return pick(g.generator, "k", "k", "v") }

func (g *rich) headerRule() string {
	if g.IntN(6) == 0 {
		return "{header: x-to, on_header_present: {metadata_namespace: ns, key: to}}"
	}
	target := fmt.Sprintf("metadata_namespace: %s, key: %s", g.namespace(), g.key())
	present := pick(g.generator, "", "", "", ", value: '5'", ", type: NUMBER",
		", regex_value_rewrite: {pattern: {regex: '^(.).*'}, substitution: '\\1'}")
	missing := g.maybe(3, func() string {
		return ", on_header_missing: {" + target + ", value: " + quoted(pick(g.generator, values...)) + "}"
	})
	source := "header: " + pick(g.generator, "x-a", "x-b", "x-c", "x-a", "':path'")
	remove := ""
	if !strings.Contains(source, ":path") {
		remove = g.maybe(4, func() string { return ", remove: true" })
	}
	if g.IntN(6) == 0 {
		source, remove = "cookie: c", ""
	}
	return "{" + source + ", on_header_present: {" + target + present + "}" + missing + remove + "}"
}

// identity is a principal that reads what filters before have written.
func (g *rich) identity() string {
	switch g.IntN(5) {
	case 0, 1:
		return metadataPrincipal(pick(g.generator, "ns", "envoy.lb"), g.key(),
			"{string_match: "+g.stringMatcher("1", "5", "abc")+"}")
	case 2:
		return "{filter_state: {key: k, string_match: " + g.stringMatcher("abc", "1") + "}}"
	}
	return g.principal(1)
}

// delegate is a filter that a matcher names, or skips.
func (g *rich) delegate() string {
	name := pick(g.generator, "x-a", "x-b")
	word := quoted(pick(g.generator, values...))
	if g.IntN(2) == 0 {
		inner := pick(g.generator, "rbac.v3.RBAC, rules: {}",
			"header_mutation.v3.HeaderMutation, mutations: {request_mutations: ["+g.mutation()+"]}")
		return delegated(inner,
			headerTree(name, word+`: {action: {name: s, typed_config: {"@type": `+
				`type.googleapis.com/envoy.extensions.filters.common.matcher.action.v3.SkipFilter}}}`))
	}
	inner := pick(g.generator, "rbac.v3.RBAC, rules: {}",
		"header_mutation.v3.HeaderMutation, mutations: {request_mutations: ["+g.mutation()+"]}")
	return delegated("composite.v3.Composite", headerTree(name, word+`: {action: {name: a, typed_config: {"@type": `+
		`type.googleapis.com/envoy.extensions.filters.http.composite.v3.ExecuteFilterAction, typed_config: {name: r, `+
		`typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.`+inner+`}}}}}`))
}

// delegated is the whole configuration of a filter within an ExtensionWithMatcher.
func delegated(inner, matcher string) string {
	return `{"@type": type.googleapis.com/envoy.extensions.common.matching.v3.ExtensionWithMatcher, ` +
		`extension_config: {name: inner, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.` +
		inner + `}}, xds_matcher: {` + matcher + `}}`
}

// filterList is a list of HTTP filters that ends in the router. No two have one name: routes
// speak of a filter by it.
func (g *rich) filterList(n int) (text string, names map[string]bool) {
	names = map[string]bool{}
	all := ""
	for range n {
		f := g.httpFilter()
		if names[f[0]] {
			continue
		}
		names[f[0]] = true
		config := f[2]
		if f[1] != "" {
			if config != "" {
				config = ", " + config
			}
			config = `{"@type": type.googleapis.com/envoy.extensions.filters.http.` + f[1] + config + "}"
		}
		all += "{name: " + f[0] + ", typed_config: " + config + g.maybe(15, func() string {
			return ", disabled: true"
		}) + "}, "
	}
	return "[" + all + router + "]", names
}

// perRoute is what a route, virtual host or route configuration says of the filters, or nothing.
func (g *rich) perRoute(n int, names map[string]bool) string {
	if g.IntN(n) > 0 {
		return ""
	}
	var all []string
	add := func(name, kind, fields string) {
		if names[name] && g.IntN(2) == 0 {
			all = append(all, name+`: {"@type": type.googleapis.com/envoy.extensions.filters.http.`+kind+fields+"}")
		}
	}
	add("cors", "cors.v3.CorsPolicy", pick(g.generator, ", allow_origin_string_match: [{exact: 'http://ok'}]",
		", allow_origin_string_match: [{exact: '*'}]",
		", allow_origin_string_match: [{prefix: 'http://o'}], forward_not_matching_preflights: false",
		", forward_not_matching_preflights: true", ", allow_methods: GET",
		", allow_origin_string_match: [{suffix: k}], filter_enabled: {default_value: {numerator: 0}}"))
	add("hm", "header_mutation.v3.HeaderMutationPerRoute", ", mutations: {request_mutations: ["+g.mutation()+"]}")
	add("csrf", "csrf.v3.CsrfPolicy",
		", filter_enabled: {default_value: {numerator: "+pick(g.generator, "0", "100")+"}}")
	add("rbac", "rbac.v3.RBACPerRoute", pick(g.generator, "",
		", rbac: {rules: {action: DENY, policies: {q: {permissions: ["+g.permission(1)+"], principals: ["+
			g.identity()+"]}}}}"))
	add("h2m", "header_to_metadata.v3.Config", ", request_rules: ["+g.headerRule()+"]")
	add("fault", "fault.v3.HTTPFault",
		", abort: {http_status: 503, percentage: {numerator: "+pick(g.generator, "0", "100")+"}}")
	for _, name := range []string{"lua", "ea", "ba", "sm", "jwt"} {
		if names[name] && g.IntN(5) == 0 {
			all = append(all, name+`: {"@type": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: `+
				`true, config: {}}`)
		}
	}
	if len(all) == 0 {
		return ""
	}
	return ", typed_per_filter_config: {" + strings.Join(all, ", ") + "}"
}
