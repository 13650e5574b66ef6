package authority

import (
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
)

// A rule is one thing that Envoy does: a listener's configuration and the requests that show it.
type rule struct {
	name     string
	hcm      string   // fields of the connection manager
	routes   string   // fields of the route configuration
	requests []string // "METHOD authority path [header=value]…", or with a protocol first: "http2 GET …"
}

// vhost is a route configuration with one virtual host for all domains.
func vhost(routes string) string {
	return "virtual_hosts: [{name: v, domains: ['*'], routes: [" + routes + "]}]"
}

// to is a route's action that forwards to a cluster.
func to(cluster string) string { return "route: {cluster: " + cluster + "}" }

// shorthand reads a request as rules write it.
func shorthand(text string, port int) flow.Request {
	r := flow.Request{Direction: flow.Gateway, Source: "192.0.2.1:40000", Address: "10.0.0.1", Port: uint32(port),
		Headers: flow.Headers{}}
	words := strings.Fields(text)
	switch words[0] {
	case "http2", "grpc", "http1.0", "tcp":
		r.Protocol, words = words[0], words[1:]
	}
	if len(words) >= 3 {
		r.Method, r.Authority, r.Path = words[0], words[1], words[2]
		if r.Authority == "-" {
			r.Authority = ""
		}
		for _, h := range words[3:] {
			name, value, _ := strings.Cut(h, "=")
			r.Headers[name] = []string{strings.ReplaceAll(value, "_", " ")}
		}
	}
	return r
}

// TestRules holds each HTTP rule of inference against Envoy. All listeners run in one
// Envoy, a port each.
func TestRules(t *testing.T) {
	const base = 20000
	c := config{clusters: append(stubbed("a", "b", "c", "d"), "{name: none, type: STATIC, connect_timeout: 1s}")}
	var requests []flow.Request
	var owner []int
	rules := slices.Concat(httpRules, filterRules, clientRules, moreRules, matcherRules, stateRules,
		kindRules, scopeRules, formatRules, replyRules, limitRules, idleRules, celRules(), byteRules,
		hopRules, pathRules, settledRules)
	for i, r := range rules {
		c.listeners = append(c.listeners, httpListener(base+i, r.hcm, r.routes))
		for _, text := range r.requests {
			requests, owner = append(requests, shorthand(text, base+i)), append(owner, i)
		}
	}
	d := c.dump(t)
	texts := judge(t, start(t, d, Options{}), infer.New(d), requests)
	for i, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			for j, text := range texts {
				if owner[j] == i && text != "" {
					t.Error(text)
				}
			}
		})
	}
}

var httpRules = []rule{
	{"virtual host: exact, suffix, prefix, all", "", `virtual_hosts: [
		{name: exact, domains: [a.example.com], routes: [{match: {prefix: /}, ` + to("a") + `}]},
		{name: suffix, domains: ['*.example.com'], routes: [{match: {prefix: /}, ` + to("b") + `}]},
		{name: dash, domains: ['*-x.example.com'], routes: [{match: {prefix: /}, ` + to("c") + `}]},
		{name: prefix, domains: ['a.example.*'], routes: [{match: {prefix: /}, ` + to("d") + `}]},
		{name: port, domains: ['p.example.com:8080'], routes: [{match: {prefix: /}, ` + to("a") + `}]},
		{name: all, domains: ['*'], routes: [{match: {prefix: /}, ` + to("d") + `}]}]`,
		[]string{"GET a.example.com /", "GET A.Example.COM /", "GET b.example.com /", "GET u-x.example.com /",
			"GET -x.example.com /", "GET .example.com /",
			"GET a.example.org /", "GET a.example. /", "GET a.example.com:80 /", "GET p.example.com:8080 /",
			"GET p.example.com /", "GET x /", "http2 GET b.example.com /"}},
	{"virtual host: none", "", `virtual_hosts: [{name: v, domains: [only.here], routes: [{match: {prefix: /}, ` +
		to("a") + `}]}]`,
		[]string{"GET only.here /", "GET else.where /", "GET only.here:80 /", "http2 GET else.where /"}},
	{"virtual host: ignore_port_in_host_matching", "", `ignore_port_in_host_matching: true, virtual_hosts: [
		{name: v, domains: [only.here], routes: [{match: {prefix: /}, ` + to("a") + `}]}]`,
		[]string{"GET only.here:80 /", "GET only.here /", "GET only.here:x /", "GET only.here: /", "GET ::1 /",
			"GET [::1]:80 /"}},
	{"manager: strip_any_host_port", "strip_any_host_port: true",
		`virtual_hosts: [{name: v, domains: [only.here], routes: [{match: {prefix: /}, ` + to("a") + `}]}]`,
		[]string{"GET only.here:80 /", "GET only.here:1 /", "GET only.here:x /", "GET only.here: /",
			"GET only.here. /"}},
	{"manager: strip_matching_host_port", "strip_matching_host_port: true",
		`virtual_hosts: [{name: v, domains: [only.here], routes: [{match: {prefix: /}, ` + to("a") + `}]}]`,
		[]string{"GET only.here:20004 /", "GET only.here:1 /"}},
	{"manager: strip_trailing_host_dot", "strip_trailing_host_dot: true",
		`virtual_hosts: [{name: v, domains: [only.here, 'only.here:80'], routes: [{match: {prefix: /}, ` +
			to("a") + `}]}]`,
		[]string{"GET only.here. /", "GET only.here.:80 /"}},
	{"manager: HTTP/1.0", "http_protocol_options: {accept_http_10: true}",
		vhost("{match: {prefix: /}, " + to("a") + "}"), []string{"http1.0 GET x /", "http1.0 GET - /"}},
	{"manager: codec HTTP1", "codec_type: HTTP1", vhost("{match: {prefix: /}, " + to("a") + "}"),
		[]string{"GET x /", "http2 GET x /", "tcp"}},
	{"manager: codec HTTP2", "codec_type: HTTP2", vhost("{match: {prefix: /}, " + to("a") + "}"),
		[]string{"GET x /", "http2 GET x /", "tcp"}},
	{"manager: no host", "", vhost("{match: {prefix: /}, " + to("a") + "}"), []string{"GET - /", "GET x /", "tcp"}},
	{"manager: normalize_path", "normalize_path: true",
		vhost("{match: {prefix: /a/b}, " + to("a") + "}, {match: {prefix: /}, " + to("b") + "}"),
		[]string{"GET x /a/./b", "GET x /a/../a/b", "GET x /c/../a/b?q=/../", "GET x /a%2fb", "GET x /%61/b",
			"GET x /a//b", "GET x /a\\b", "GET x /a/b/..", "GET x /..", "GET x /a/%2e%2e/a/b"}},
	{"manager: merge_slashes", "merge_slashes: true",
		vhost("{match: {prefix: /a/b}, " + to("a") + "}, {match: {prefix: /}, " + to("b") + "}"),
		[]string{"GET x //a//b", "GET x /a/b//", "GET x /a/.//b", "GET x /c?d=//a"}},
	{"manager: normalize and merge", "normalize_path: true, merge_slashes: true",
		vhost("{match: {path: /a/b}, " + to("a") + "}, {match: {prefix: /}, " + to("b") + "}"),
		[]string{"GET x //a/.//b", "GET x /a/b/", "GET x /a//../b"}},
	{"manager: escaped slashes rejected", "path_with_escaped_slashes_action: REJECT_REQUEST",
		vhost("{match: {prefix: /}, " + to("a") + "}"),
		[]string{"GET x /a%2Fb", "GET x /a%5cb", "GET x /a/b", "GET x /a?b=%2f"}},
	{"manager: escaped slashes redirected", "path_with_escaped_slashes_action: UNESCAPE_AND_REDIRECT",
		vhost("{match: {prefix: /}, " + to("a") + "}"), []string{"GET x /a%2Fb", "GET x /a/b"}},
	{"manager: escaped slashes forwarded", "path_with_escaped_slashes_action: UNESCAPE_AND_FORWARD",
		vhost("{match: {prefix: /a/b}, " + to("a") + "}, {match: {prefix: /}, " + to("b") + "}"),
		[]string{"GET x /a%2Fb", "GET x /a%5Cb"}},
	{"route: prefix", "", vhost("{match: {prefix: /a}, " + to("a") + "}, {match: {prefix: /}, " + to("b") + "}"),
		[]string{"GET x /a", "GET x /ab", "GET x /A", "GET x /?/a", "GET x /a?b", "GET x /b#/a"}},
	{"route: path", "", vhost("{match: {path: /a}, " + to("a") + "}"), []string{"GET x /a", "GET x /a?b=c", "GET x /a/",
		"GET x /A", "GET x /b"}},
	{"route: case_sensitive false", "",
		vhost("{match: {path: /Ab, case_sensitive: false}, " + to("a") +
			"}, {match: {prefix: /Cd, case_sensitive: false}, " + to("b") + "}"),
		[]string{"GET x /aB", "GET x /cD/e", "GET x /c"}},
	{"route: path_separated_prefix", "", vhost("{match: {path_separated_prefix: /a}, " + to("a") + "}"),
		[]string{"GET x /a", "GET x /a/", "GET x /ab", "GET x /a/b?c", "GET x /a?b"}},
	{"route: safe_regex", "", vhost("{match: {safe_regex: {regex: '/a[0-9]+'}}, " + to("a") + "}"),
		[]string{"GET x /a1", "GET x /a1b", "GET x /a1?b", "GET x /xa1", "GET x /a"}},
	{"route: template", "", vhost(`{match: {path_match_policy: {name: t,
		typed_config: {
		    "@type": type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig,
		path_template: '/a/{id}/*/c'}}}, ` + to("a") + `},
			{match: {path_match_policy: {name: t,
			  typed_config: {
		    "@type": type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig,
		path_template: '/f/{rest=**}'}}}, ` + to("b") + `}`),
		[]string{"GET x /a/1/2/c", "GET x /a/1/c", "GET x /a/1/2/c/d", "GET x /a//2/c", "GET x /f/g/h", "GET x /f/",
			"GET x /f/x?y"}},
	{"route: headers", "", vhost(`{match: {prefix: /, headers: [{name: e, exact_match: v}]}, ` + to("a") + `},
		{match: {prefix: /, headers: [{name: p, present_match: true}]}, ` + to("b") + `},
		{match: {prefix: /, headers: [{name: r, range_match: {start: 1, end: 10}}]}, ` + to("c") + `},
		{match: {prefix: /, headers: [{name: s, string_match: {prefix: Ab, ignore_case: true}}]}, ` + to("d") + `},
		{match: {prefix: /, headers: [{name: g, safe_regex_match: {regex: '[a-c]+'}}]}, ` + to("a") + `},
		{match: {prefix: /, headers: [{name: ":method", exact_match: PUT}]}, ` + to("b") + `},
		{match: {prefix: /, headers: [{name: host, exact_match: special}]}, ` + to("c") + `},
		{match: {prefix: /, headers: [{name: u, suffix_match: z}, {name: w, contains_match: yy}]}, ` + to("d") + `},
		{match: {prefix: /, headers: [{name: o}]}, ` + to("a") + `}`),
		[]string{"GET x / e=v", "GET x / e=w", "GET x / p=", "GET x / p=1", "GET x / r=1", "GET x / r=10",
			"GET x / r=-1", "GET x / r=5x", "GET x / r=+5", "GET x / s=aBc", "GET x / g=abc", "GET x / g=abd",
			"PUT x /", "GET special /", "GET x / u=xz w=ayyb", "GET x / u=xz", "GET x / o=anything", "GET x /",
			"GET x / E=v"}},
	{"route: headers inverted", "",
		vhost(`{match: {prefix: /a, headers: [{name: e, exact_match: v, invert_match: true}]}, ` + to("a") + `},
		{match: {prefix: /b, headers: [{name: e, present_match: true, invert_match: true}]}, ` + to("b") + `},
		{match: {prefix: /c, headers: [{name: e, present_match: false}]}, ` + to("c") + `},
		{match: {prefix: /d, headers: [{name: e, present_match: false, invert_match: true}]}, ` + to("d") + `},
		{match: {prefix: /e, headers: [{name: e, exact_match: v, invert_match: true,
		  treat_missing_header_as_empty: true}]}, ` + to("a") + `},
		{match: {prefix: /f, headers: [{name: e, range_match: {start: 0, end: 3}, invert_match: true,
		  treat_missing_header_as_empty: true}]}, ` + to("b") + `},
		{match: {prefix: /g, headers: [{name: e, string_match: {exact: ""}, treat_missing_header_as_empty: true}]},
		  ` + to("c") + `},
		{match: {prefix: /h, headers: [{name: e, present_match: true, treat_missing_header_as_empty: true}]},
		  ` + to("d") + `},
		{match: {prefix: /i, headers: [{name: e, invert_match: true}]}, ` + to("d") + `}`),
		[]string{"GET x /a", "GET x /a e=v", "GET x /a e=w", "GET x /b", "GET x /b e=1", "GET x /c", "GET x /c e=1",
			"GET x /d", "GET x /d e=1", "GET x /e", "GET x /e e=v", "GET x /f", "GET x /f e=1", "GET x /f e=4",
			"GET x /g", "GET x /g e=1", "GET x /h", "GET x /h e=1", "GET x /i", "GET x /i e=1"}},
	{"route: query parameters", "",
		vhost(`{match: {prefix: /, query_parameters: [{name: a, string_match: {exact: "1"}}]}, ` + to("a") + `},
		{match: {prefix: /, query_parameters: [{name: b, present_match: true}]}, ` + to("b") + `},
		{match: {prefix: /, query_parameters: [{name: c}]}, ` + to("c") + `},
		{match: {prefix: /, query_parameters: [{name: d, present_match: false}]}, ` + to("d") + `}`),
		[]string{"GET x /?a=1", "GET x /?a=2", "GET x /?a=2&a=1", "GET x /?b", "GET x /?b=1", "GET x /?c=",
			"GET x /?d=1", "GET x /?a=%31", "GET x /", "GET x /?d&c#b", "GET x /?A=1"}},
	{"route: gRPC", "", vhost("{match: {prefix: /, grpc: {}}, " + to("a") + "}, {match: {prefix: /}, " + to("b") + "}"),
		[]string{"grpc POST x /s/m", "http2 POST x /s/m", "http2 POST x / content-type=application/grpc+proto",
			"http2 POST x / content-type=application/grpcx", "POST x / content-type=application/grpc",
			"POST x / content-type=application/grpc-web"}},
	{"route: runtime fraction", "",
		vhost(`{match: {prefix: /a, runtime_fraction: {default_value: {numerator: 0}}}, ` + to("a") + `},
		{match: {prefix: /, runtime_fraction: {default_value: {numerator: 100}}}, ` + to("b") + `}`),
		[]string{"GET x /a", "GET x /b"}},
	{"route: cookies", "", vhost(`{match: {prefix: /, cookies: [{name: s, string_match: {exact: "1"}}]}, ` + to("a") +
		`}, {match: {prefix: /}, ` + to("b") + `}`),
		[]string{"GET x / cookie=s=1", "GET x / cookie=t=2;_s=1", "GET x / cookie=s=2", "GET x /"}},
	{
		"route: tls_context", "", vhost(`{match: {prefix: /, tls_context: {presented: true}}, ` + to("a") +
			`}, {match: {prefix: /, tls_context: {presented: false}}, ` + to("b") + `}, {match: {prefix: /}, ` +
			to("c") + `}`), []string{
			"GET x /",
		},
	},
	{"route: no match", "", vhost("{match: {path: /a}, " + to("a") + "}"), []string{"GET x /b", "http2 GET x /b"}},
	{"route: cluster_header", "", vhost("{match: {prefix: /}, route: {cluster_header: x-to}}"),
		[]string{"GET x / x-to=b", "GET x / x-to=none", "GET x /"}},
	{"route: unknown cluster", "", "validate_clusters: false, " + vhost("{match: {prefix: /a}, route: {cluster: "+
		"none, cluster_not_found_response_code: NOT_FOUND}}, {match: {prefix: /b}, route: {cluster: none}}, {match: "+
		"{prefix: /c}, route: {cluster: none, cluster_not_found_response_code: INTERNAL_SERVER_ERROR}}"),
		[]string{"GET x /a", "GET x /b", "GET x /c"}},
	{
		"route: weighted clusters", "", vhost("{match: {prefix: /}, route: {weighted_clusters: {clusters: [{name: a, " +
			"weight: 100}, {name: b, weight: 0}]}}}"), []string{"GET x /", "GET x /", "GET x /"},
	},
	{"route: redirects", "", vhost(`{match: {prefix: /https}, redirect: {https_redirect: true}},
		{match: {prefix: /host}, redirect: {host_redirect: other, response_code: FOUND}},
		{match: {prefix: /port}, redirect: {port_redirect: 8443, response_code: TEMPORARY_REDIRECT}},
		{match: {prefix: /path}, redirect: {path_redirect: /to, response_code: PERMANENT_REDIRECT}},
		{match: {prefix: /query}, redirect: {path_redirect: '/to?q=1', response_code: SEE_OTHER}},
		{match: {prefix: /prefix}, redirect: {prefix_rewrite: /to}},
		{match: {prefix: /strip}, redirect: {host_redirect: other, strip_query: true}},
		{match: {prefix: /scheme}, redirect: {scheme_redirect: ftp}},
		{match: {prefix: /regex}, redirect: {regex_rewrite: {pattern: {regex: '/(.*)x'}, substitution: '/\1y'}}},
		{match: {prefix: /both}, redirect: {https_redirect: true, port_redirect: 443}}`),
		[]string{"GET x /https", "GET x:80 /https?a=b", "GET x:443 /https", "GET x:8080 /https", "GET x:80 /host?a",
			"GET x:80 /port", "GET x /port", "GET x /path?a=b", "GET x /query?a=b", "GET x /prefix/a?b",
			"GET x /prefixa",
			"GET x /strip?a", "GET x /scheme", "GET x:80 /scheme", "GET x /regexaxbx?x", "GET [::1]:80 /both",
			"http2 GET x:80 /https", "GET x /path/a?b#c"}},
	{
		"route: direct response", "",
		vhost(`{match: {prefix: /a}, direct_response: {status: 418, body: {inline_string: tea}}}, ` +
			`{match: {prefix: /}, direct_response: {status: 200}}`),
		[]string{"GET x /a", "GET x /", "HEAD x /a"},
	},
	{"route: non_forwarding_action", "", vhost(`{match: {prefix: /}, non_forwarding_action: {}}`), []string{"GET x /"}},
	{"route: rewrites", "", vhost(`{match: {prefix: /p/}, route: {cluster: a, prefix_rewrite: /q/}},
		{match: {path: /e}, route: {cluster: a, prefix_rewrite: /f}},
		{match: {prefix: /P, case_sensitive: false}, route: {cluster: a, prefix_rewrite: /Q}},
		{match: {safe_regex: {regex: '/r/.*'}}, route: {cluster: b, regex_rewrite: {pattern: {regex: '^/r/(\w+)'},
		  substitution: '/s/\1\1'}}},
		{match: {path_separated_prefix: /sep}, route: {cluster: b, prefix_rewrite: /tes}},
		{match: {prefix: /h}, route: {cluster: c, host_rewrite_literal: new.host}},
		{match: {prefix: /i}, route: {cluster: c, host_rewrite_header: x-host}},
		{match: {prefix: /j}, route: {cluster: c, host_rewrite_path_regex: {pattern: {regex: '^/j/(\w+).*'},
		  substitution: '\1.host'}}},
		{match: {path_match_policy: {name: t,
		  typed_config: {
		    "@type": type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig,
		    path_template: '/t/{one}/{two}'}}},
		 route: {cluster: d, path_rewrite_policy: {name: r,
		   typed_config: {
		    "@type": type.googleapis.com/envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig,
		    path_template_rewrite: '/{two}/{one}'}}}}`),
		[]string{"GET x /p/a?b=/p/", "GET x /p/", "GET x /e?f", "GET x /pX", "GET x /r/abc/d?e", "GET x /sep/a",
			"GET x /sep", "GET x /h", "GET x /i x-host=given", "GET x /i", "GET x /j/abc/d?e", "GET x /t/1/2?q"}},
	{"route: a rewrite to a group that the pattern does not have changes nothing", "",
		vhost(`{match: {prefix: /}, route: {cluster: a, regex_rewrite: {pattern: {regex: 'a'}, substitution: '/\1'}}}`),
		[]string{"GET x /abc", "GET x /"}},
	{"virtual host: require_tls", "",
		`virtual_hosts: [{name: all, domains: [all], require_tls: ALL, routes: [{match: {prefix: /}, ` + to("a") + `}]},
		{name: external, domains: [external], require_tls: EXTERNAL_ONLY, routes: [{match: {prefix: /}, ` +
			to("b") + `}]}]`,
		[]string{"GET all /a?b", "GET all / x-forwarded-proto=https", "GET external /", "GET all:80 /",
			"http2 GET all /"}},
	{"manager: use_remote_address", "use_remote_address: true",
		`virtual_hosts: [{name: all, domains: [all], require_tls: ALL, routes: [{match: {prefix: /}, ` +
			to("a") + `}]}]`,
		[]string{"GET all / x-forwarded-proto=https", "GET all /"}},
	{"virtual host: matcher tree", "", `virtual_hosts: [{name: v, domains: ['*'],
		matcher: {matcher_tree: {input: {name: h, typed_config: {
		"@type": type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput, header_name: x-a}},
		  exact_match_map: {map: {
		one: {action: {name: r, typed_config: {"@type": type.googleapis.com/envoy.config.route.v3.Route,
		  match: {prefix: /}, route: {cluster: a}}}},
		two: {matcher: {matcher_list: {matchers: [{predicate: {single_predicate: {input: {name: p, typed_config: {
			"@type": type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput, header_name: ":path"}},
			  value_match: {prefix: /x}}},
			on_match: {action: {name: r, typed_config: {"@type": type.googleapis.com/envoy.config.route.v3.Route,
			  match: {prefix: /}, route: {cluster: b}}}}}]}}},
		three: {action: {name: r, typed_config: {"@type": type.googleapis.com/envoy.config.route.v3.RouteList, routes: [
			{match: {prefix: /a}, route: {cluster: c}}, {match: {prefix: /b}, route: {cluster: d}}]}}}}}},
		on_no_match: {action: {name: r, typed_config: {"@type": type.googleapis.com/envoy.config.route.v3.Route,
		  match: {prefix: /none}, route: {cluster: d}}}}}}]`,
		[]string{"GET x / x-a=one", "GET x /x x-a=two", "GET x /y x-a=two", "GET x /a x-a=three", "GET x /b x-a=three",
			"GET x /c x-a=three", "GET x /none", "GET x /none x-a=two", "GET x /other"}},
	{"scoped routes", `scoped_routes: {name: s,
		scope_key_builder: {fragments: [{header_value_extractor: {name: x-scope, element_separator: ";",
		  element: {key: k, separator: "="}}}]},
		scoped_route_configurations_list: {scoped_route_configurations: [
		{name: s1, route_configuration: {name: r1,
		  virtual_hosts: [{name: v1, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: a}}]}]},
		    key: {fragments: [{string_key: one}]}},
		{name: s2, route_configuration: {name: r2,
		  virtual_hosts: [{name: v2, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: b}}]}]},
		    key: {fragments: [{string_key: two}]}}]}}`, "",
		[]string{"GET x / x-scope=k=one", "GET x / x-scope=j=two;k=two", "GET x / x-scope=k=three", "GET x /"}},
	{"answers of the proxy itself are 200 to gRPC", "", vhost("{match: {prefix: /a}, redirect: {path_redirect: /b}}, " +
		"{match: {prefix: /c}, route: {cluster: none}}, {match: {prefix: /d}, direct_response: {status: 403}}"),
		[]string{"grpc POST x /a", "grpc POST x /c", "grpc POST x /d", "grpc POST x /none", "grpc POST x /a#b"}},
	{"a port in the authority may be any text", "",
		"ignore_port_in_host_matching: true, virtual_hosts: [{name: v, domains: [h], routes: [" + toA + "]}]",
		[]string{"GET h:http /", "GET h: /", "GET h:80:90 /"}},
	{"manager: HTTP/1.0 is refused after what the codec refuses",
		"common_http_protocol_options: {headers_with_underscores_action: REJECT_REQUEST}", vhost(toA),
		[]string{"http1.0 GET x /", "http1.0 GET x / x-u=1", "http1.0 GET x *", "http1.0 GET x p",
			"http1.0 OPTIONS x *", "http1.0 POST x / content-type=application/grpc", "http1.0 GET x /#f"}},
	{"manager: CONNECT", "", vhost("{match: {prefix: /}, " + to("a") + "}"), []string{"CONNECT x:80 x:80"}},
	{"manager: upgrade", "", vhost("{match: {prefix: /}, " + to("a") + "}"),
		[]string{"GET x / upgrade=websocket connection=upgrade"}},
	{"manager: upgrade allowed", "upgrade_configs: [{upgrade_type: websocket}]",
		vhost("{match: {prefix: /}, " + to("a") + "}"), []string{"GET x / upgrade=other connection=upgrade"}},
	{"manager: odd paths", "", vhost("{match: {prefix: /}, " + to("a") + "}"),
		[]string{"GET x *", "OPTIONS x *", "GET x http://abs.host/p", "GET x p"}},
}
