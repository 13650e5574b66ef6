package authority

// fractioned is a route of a runtime fraction in front of one for all.
func fractioned(fraction string) string {
	return vhost("{match: {prefix: /, runtime_fraction: {" + fraction + "}}, route: {cluster: a}}, {match: {prefix: " +
		"/}, route: {cluster: b}}")
}

// rewriting is a route to a cluster with one more field of its action.
func rewriting(match, field string) string {
	return "{match: {" + match + "}, route: {cluster: a, " + field + "}}"
}

const early = `early_header_mutation_extensions: [{name: early, ` +
	`typed_config: {"@type": ` +
	`type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation, mutations: [`

// moreRules are rules that random configurations do not draw.
var moreRules = []rule{
	{"route: host_rewrite is a format", "", vhost(rewriting("prefix: /", `host_rewrite: "%REQ(x-a)%.host"`)),
		[]string{"GET x / x-a=one", "GET x /"}},
	{
		"route: a format of several headers, cut to a length", "",
		vhost(rewriting("prefix: /", `host_rewrite: "%REQ(x-a?x-b):2%-100%%-%PROTOCOL%"`)),
		[]string{"GET x / x-a=one", "GET x / x-b=two", "GET x /", "http2 GET x / x-a=one"},
	},
	{"route: path_rewrite is a format", "", vhost(rewriting("prefix: /", `path_rewrite: "/new/%REQ(x-a)%"`)),
		[]string{"GET x /p x-a=one", "GET x /p?q x-a=one", "GET x /"}},
	{"route: host_rewrite_header without the header", "", vhost(rewriting("prefix: /", "host_rewrite_header: x-a")),
		[]string{"GET x /", "GET x / x-a=h"}},
	{"route: append_x_forwarded_host changes no way", "",
		vhost(rewriting("prefix: /", "host_rewrite_literal: h, append_x_forwarded_host: true")), []string{"GET x /"}},
	{"runtime: a fraction without a key", "", fractioned("default_value: {numerator: 0}"), []string{"GET x /"}},
	{"runtime: a key that no layer has", "", fractioned("runtime_key: test.nothing, default_value: {numerator: 100}"),
		[]string{"GET x /"}},
	{"runtime: a number is a percentage", "", fractioned("runtime_key: test.none, default_value: {numerator: 100}"),
		[]string{"GET x /"}},
	{"runtime: a number for all", "", fractioned("runtime_key: test.all, default_value: {numerator: 0}"),
		[]string{"GET x /"}},
	{"runtime: a fraction", "", fractioned("runtime_key: test.fraction, default_value: {numerator: 0}"),
		[]string{"GET x /"}},
	{"runtime: a key with dots", "", fractioned("runtime_key: test.flat, default_value: {numerator: 0}"),
		[]string{"GET x /"}},
	{"runtime: a later layer counts", "", fractioned("runtime_key: test.over, default_value: {numerator: 0}"),
		[]string{"GET x /"}},
	{"weighted clusters: the random value in a header", "",
		vhost("{match: {prefix: /}, route: {weighted_clusters: {header_name: x-r, clusters: [{name: a, weight: 30}, " +
			"{name: b, weight: 60}, {name: c, weight: 10}]}}}"),
		[]string{"GET x / x-r=0", "GET x / x-r=29", "GET x / x-r=30", "GET x / x-r=89", "GET x / x-r=90",
			"GET x / x-r=99", "GET x / x-r=100", "GET x / x-r=135", "GET x / x-r=18446744073709551615",
			"GET x / x-r=nonsense"}},
	{"weighted clusters: a cluster by header", "",
		vhost("{match: {prefix: /}, route: {weighted_clusters: {header_name: x-r, clusters: [{cluster_header: x-c, " +
			"weight: 50}, {name: b, weight: 50}]}}}"),
		[]string{"GET x / x-r=1 x-c=c", "GET x / x-r=51 x-c=c", "GET x / x-r=1 x-c=none", "GET x / x-r=1"}},
	{"early header mutation", early + `{append: {header: {key: x-new, value: one}}}, {remove: x-old}, ` +
		`{append: {header: {key: x-a, value: "%REQ(x-b)%"}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}}]}}]`,
		vhost("{match: {prefix: /, headers: [{name: x-new, exact_match: one}, {name: x-old, present_match: false}, " +
			"{name: x-a, exact_match: two}]}, route: {cluster: a}}, {match: {prefix: /, headers: [{name: x-new, " +
			"present_match: true}]}, route: {cluster: b}}, {match: {prefix: /}, route: {cluster: c}}"),
		[]string{"GET x /", "GET x / x-b=two", "GET x / x-old=1 x-b=two", "GET x / x-a=1 x-b=two",
			"GET x / x-new=zero x-b=two"}},
	{"early header mutation: what is there", early + `{append: {header: {key: x-a, value: one}, ` +
		`append_action: ADD_IF_ABSENT}}, {append: {header: {key: x-b, value: one}, ` +
		`append_action: OVERWRITE_IF_EXISTS}}]}}]`,
		vhost("{match: {prefix: /, headers: [{name: x-a, exact_match: one}, {name: x-b, present_match: false}]}, " +
			"route: {cluster: a}}, {match: {prefix: /, headers: [{name: x-b, exact_match: one}]}, route: {cluster: " +
			"b}}, {match: {prefix: /}, route: {cluster: c}}"),
		[]string{"GET x /", "GET x / x-a=two", "GET x / x-b=two", "GET x / x-a=two x-b=two"}},
	{"early header mutation: appending replaces", early + `{append: {header: {key: x-a, value: one}, ` +
		`append_action: APPEND_IF_EXISTS_OR_ADD}}, {append: {header: {key: x-b, value: one}}}, ` +
		`{append: {header: {key: x-c, value: one}, append: true}}]}}]`,
		vhost("{match: {prefix: /, headers: [{name: x-a, exact_match: 'zero,one'}]}, route: {cluster: a}}, {match: " +
			"{prefix: /, headers: [{name: x-b, exact_match: 'zero,one'}]}, route: {cluster: b}}, {match: {prefix: /, " +
			"headers: [{name: x-c, exact_match: 'zero,one'}]}, route: {cluster: c}}, {match: {prefix: /}, route: " +
			"{cluster: d}}"),
		[]string{"GET x /", "GET x / x-a=zero", "GET x / x-b=zero", "GET x / x-c=zero"}},
	{"original_ip_detection_extensions: custom header", `original_ip_detection_extensions: [{name: c, ` +
		`typed_config: {"@type": ` +
		`type.googleapis.com/envoy.extensions.http.original_ip_detection.custom_header.v3.CustomHeaderConfig, ` +
		`header_name: x-real-ip}}], ` + byClient("remote_ip", "203.0.113.9"), vhost(toA),
		[]string{"GET x /", "GET x / x-real-ip=203.0.113.9", "GET x / x-real-ip=nonsense",
			"GET x / x-forwarded-for=203.0.113.9"}},
	{"original_ip_detection_extensions: xff", `original_ip_detection_extensions: [{name: c, ` +
		`typed_config: {"@type": type.googleapis.com/envoy.extensions.http.original_ip_detection.xff.v3.XffConfig, ` +
		`xff_num_trusted_hops: 1}}], ` + byClient("remote_ip", "203.0.113.9"), vhost(toA),
		[]string{"GET x /", "GET x / x-forwarded-for=203.0.113.9", "GET x / x-forwarded-for=203.0.113.9,198.51.100.1"}},
	{"query parameters are neither decoded nor folded", "", vhost(`{match: {prefix: /,
		query_parameters: [{name: q, string_match: {exact: "a b"}}]}, route: {cluster: a}},
		  {match: {prefix: /, query_parameters: [{name: q, string_match: {exact: "a%20b"}}]}, route: {cluster: b}},
		{match: {prefix: /, query_parameters: [{name: q, string_match: {exact: "AB", ignore_case: true}}]},
		  route: {cluster: c}}, {match: {prefix: /}, route: {cluster: d}}`),
		[]string{"GET x /?q=a%20b", "GET x /?q=a+b", "GET x /?Q=ab", "GET x /?q=ab", "GET x /?q=ab#f", "GET x /?x&q=ab",
			"GET x /?q", "GET x /?q=", "GET x /?=q", "GET x /?&&q=AB", "GET x /a?b?q=ab", "GET x /?q=a=b"}},
	{
		"query parameters that are present", "",
		vhost(`{match: {prefix: /, query_parameters: [{name: q}]}, route: {cluster: a}}, {match: {prefix: /}, ` +
			`route: {cluster: d}}`),
		[]string{"GET x /?q", "GET x /?q=1", "GET x /?qq", "GET x /q"},
	},
	{"header ranges", "", vhost(`{match: {prefix: /, headers: [{name: x-n, range_match: {start: -10, end: 10}}]}, ` +
		`route: {cluster: a}}, {match: {prefix: /}, route: {cluster: d}}`),
		[]string{"GET x / x-n=-10", "GET x / x-n=10", "GET x / x-n=9", "GET x / x-n=+5", "GET x / x-n=5.0",
			"GET x / x-n=0x5", "GET x / x-n=05", "GET x / x-n=", "GET x / x-n=9223372036854775808", "GET x / x-n=1_2",
			"GET x / x-n=-0"}},
	{"headers without a value", "", vhost(`{match: {prefix: /, headers: [{name: x-e, string_match: {exact: ""}}]}, ` +
		`route: {cluster: a}}, {match: {prefix: /, headers: [{name: x-e, ` +
		`string_match: {safe_regex: {regex: ".+"}}}]}, route: {cluster: b}}, {match: {prefix: /, ` +
		`headers: [{name: x-e, present_match: true}]}, route: {cluster: c}}, {match: {prefix: /}, ` +
		`route: {cluster: d}}`),
		[]string{"GET x / x-e=", "GET x / x-e=v", "GET x /"}},
	{
		"header names in capitals", "",
		vhost(`{match: {prefix: /, headers: [{name: X-Cap, string_match: {exact: v}}]}, route: {cluster: a}}, ` +
			`{match: {prefix: /}, route: {cluster: d}}`),
		[]string{"GET x / x-cap=v", "GET x / X-CAP=v"},
	},
	{"invert with treat_missing_header_as_empty", "", vhost(`{match: {prefix: /, headers: [{name: x-m, ` +
		`string_match: {exact: v}, invert_match: true, treat_missing_header_as_empty: true}]}, route: {cluster: a}}, ` +
		`{match: {prefix: /, headers: [{name: x-m, string_match: {exact: v}, invert_match: true}]}, ` +
		`route: {cluster: b}}, {match: {prefix: /}, route: {cluster: d}}`),
		[]string{"GET x /", "GET x / x-m=v", "GET x / x-m=w"}},
	{"gRPC is a content type", "",
		vhost(`{match: {prefix: /, grpc: {}}, route: {cluster: a}}, {match: {prefix: /}, route: {cluster: d}}`),
		[]string{
			"grpc POST x /", "POST x / content-type=application/grpc",
			"http2 POST x / content-type=application/grpc+proto", "POST x / content-type=application/grpc-web",
			"POST x / content-type=application/grpc;charset", "POST x / content-type=application/GRPC",
		}},
	{"prefixes and case", "", vhost(`{match: {prefix: /Api, case_sensitive: false}, route: {cluster: a}}, ` +
		`{match: {path: /Exact, case_sensitive: false}, route: {cluster: b}}, {match: {path_separated_prefix: /Sep, ` +
		`case_sensitive: false}, route: {cluster: c}}, {match: {safe_regex: {regex: "/Re"}, case_sensitive: false}, ` +
		`route: {cluster: d}}`),
		[]string{"GET x /API/v", "GET x /exact", "GET x /exact?Q", "GET x /sep/a", "GET x /sepa", "GET x /SEP",
			"GET x /re", "GET x /Re"}},
	{"path templates", "", vhost(template("/a/{x}/b", "a") + ", " + template("/r/**", "b") + ", " +
		template("/v/{x=p/*}/e", "c") + ", " + template("/s/*/t.{ext}", "d")),
		[]string{"GET x /a/1/b", "GET x /a//b", "GET x /a/1/2/b", "GET x /r", "GET x /r/", "GET x /r/a/b",
			"GET x /v/p/1/e", "GET x /v/q/1/e", "GET x /s/1/t.txt", "GET x /a/%20/b", "GET x /a/1/b?q"}},
	{"regular expressions see no query and are anchored", "", vhost(`{match: {safe_regex: {regex: "/a|/b"}}, ` +
		`route: {cluster: a}}, {match: {safe_regex: {regex: "/(?i)c"}}, route: {cluster: b}}, ` +
		`{match: {safe_regex: {regex: "/d.e"}}, route: {cluster: c}}, {match: {safe_regex: {regex: "/\\d+\\pL"}}, ` +
		`route: {cluster: d}}`),
		[]string{"GET x /a", "GET x /ab", "GET x /b?x", "GET x /C", "GET x /d%0ae", "GET x /12x", "GET x /12"}},
	{"virtual hosts by case, dot and port", "", `virtual_hosts: [{name: v1, domains: ["UP.example"], ` +
		`routes: [{match: {prefix: /}, route: {cluster: a}}]}, {name: v2, domains: ["*.EXAMPLE"], ` +
		`routes: [{match: {prefix: /}, route: {cluster: b}}]}, {name: v3, domains: ["pre.*"], ` +
		`routes: [{match: {prefix: /}, route: {cluster: c}}]}]`,
		[]string{"GET up.example /", "GET UP.EXAMPLE /", "GET x.example /", "GET .example /", "GET example /",
			"GET pre. /", "GET pre.x /", "GET pre.x:80 /", "GET up.example:80 /", "GET up.example. /",
			"GET a.up.example /"}},
	{"vhost_header", "", `vhost_header: x-h, virtual_hosts: [{name: v1, domains: [one], ` +
		`routes: [{match: {prefix: /}, route: {cluster: a}}]}, {name: v2, domains: ["*"], ` +
		`routes: [{match: {prefix: /}, route: {cluster: b}}]}]`,
		[]string{"GET x / x-h=one", "GET one /", "GET x / x-h=two"}},
	{
		"most specific header mutations do not route", "", "request_headers_to_add: [{header: {key: x-add, value: " +
			"v}}], " + vhost(`{match: {prefix: /, headers: [{name: x-add, present_match: true}]}, route: {cluster: `+
			`a}}, {match: {prefix: /}, route: {cluster: b}}`), []string{"GET x /"},
	},
	{"redirects keep and change ports", "", vhost(`{match: {prefix: /a}, redirect: {port_redirect: 8443}}, ` +
		`{match: {prefix: /b}, redirect: {https_redirect: true, port_redirect: 443}}, {match: {prefix: /c}, ` +
		`redirect: {host_redirect: "h:81"}}, {match: {prefix: /d}, redirect: {scheme_redirect: https}}`),
		[]string{"GET x:80 /a", "GET x /a", "GET [::1]:80 /a", "GET x:80 /b", "GET x:80 /c", "GET x:80 /d",
			"GET x:81 /d", "GET x:443 /d", "GET x: /d", "GET x:443 /c x-forwarded-proto=HTTPS",
			"GET x:443 /d x-forwarded-proto=HTTPS", "GET x:80 /d x-forwarded-proto=HTTP"}},
	{"redirect: response codes and queries", "", vhost(`{match: {prefix: /a}, redirect: {path_redirect: "/p?q", ` +
		`response_code: SEE_OTHER}}, {match: {prefix: /b}, redirect: {path_redirect: "/p", ` +
		`response_code: TEMPORARY_REDIRECT}}, {match: {prefix: /c}, redirect: {path_redirect: "/p?q", ` +
		`strip_query: true}}, {match: {prefix: /d}, redirect: {prefix_rewrite: /n, strip_query: true}}`),
		[]string{"GET x /a?z", "GET x /b?z", "GET x /c?z", "GET x /d/e?z"}},
	{
		"answers to HEAD, and of other codes", "", vhost(`{match: {prefix: /a}, direct_response: {status: 204}}, ` +
			`{match: {prefix: /b}, direct_response: {status: 301}}, {match: {prefix: /c}, ` +
			`direct_response: {status: 599}}`), []string{"HEAD x /a", "GET x /a", "GET x /b", "GET x /c"},
	},
	{
		"a cluster that does not exist, by header", "", vhost(`{match: {prefix: /}, route: {cluster_header: x-c, ` +
			`cluster_not_found_response_code: NOT_FOUND}}`), []string{"GET x /", "GET x / x-c=none", "GET x / x-c=a",
			"grpc POST x / x-c=none"},
	},
	{
		"answers with a location", "", vhost(`{match: {prefix: /a}, direct_response: {status: 201}}, ` +
			`{match: {prefix: /b}, direct_response: {status: 308}}, {match: {prefix: /c}, ` +
			`direct_response: {status: 200}}`),
		[]string{"GET x:80 /a?q", "POST x /b", "GET x /c", "grpc POST x /a"},
	},
	{"local_reply_config: several mappers", `local_reply_config: {mappers: [
		{filter: {and_filter: {filters: [{status_code_filter: {comparison: {op: GE,
		  value: {default_value: 500, runtime_key: k}}}},
		  {header_filter: {header: {name: x-a, exact_match: one}}}]}}, status_code: 501},
		{filter: {or_filter: {filters: [{status_code_filter: {comparison: {op: LE, value: {default_value: 403,
		  runtime_key: k}}}}, {header_filter: {header: {name: x-b, present_match: true}}}]}}, status_code: 502},
		{filter: {header_filter: {header: {name: x-c, present_match: true}}}},
		  {filter: {status_code_filter: {comparison: {op: EQ, value: {default_value: 503, runtime_key: test.all}}}},
		    status_code: 509}]}`,
		vhost(`{match: {path: /r}, redirect: {path_redirect: /x}}, {match: {path: /d}, ` +
			`direct_response: {status: 403}}, {match: {path: /n}, route: {cluster: none}}`),
		[]string{"GET x /n", "GET x /n x-a=one", "GET x /d", "GET x /r", "GET x /404", "GET x /404 x-b=1",
			"GET x /404 x-c=1", "grpc POST x /d", "GET x *", "GET x /#f", "tcp GET x /"}},
	{"local_reply_config", `local_reply_config: {mappers: [{filter: {status_code_filter: {comparison: {op: EQ, ` +
		`value: {default_value: 404, runtime_key: k}}}}, status_code: 418}]}`,
		vhost(`{match: {path: /only}, route: {cluster: a}}, {match: {path: /r}, redirect: {path_redirect: /x}}, ` +
			`{match: {path: /d}, direct_response: {status: 404}}`),
		[]string{"GET x /", "GET x /only", "GET x /r", "GET x /d"}},
}

func template(path, cluster string) string {
	return `{match: {path_match_policy: {name: t, ` +
		`typed_config: {"@type": ` +
		`type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig, path_template: '` +
		path + `'}}}, route: {cluster: ` + cluster + `}}`
}
