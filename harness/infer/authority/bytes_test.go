package authority

import "strings"

// onHeader routes to a where a header is as a matcher asks for, and to b otherwise.
func onHeader(matcher string) string {
	return vhost("{match: {prefix: /, headers: [" + matcher + "]}, route: {cluster: a}}, {match: {prefix: /}, " +
		"route: {cluster: b}}")
}

// byRegex asks of x-a that an expression matches it.
func byRegex(pattern string) string {
	return onHeader("{name: x-a, string_match: {safe_regex: {regex: '" + pattern + "'}}}")
}

// byPresence asks that a header is there when routes are chosen.
func byPresence(name string) string { return onHeader("{name: '" + name + "', present_match: true}") }

// byCookie asks for a cookie.
func byCookie(matcher string) string {
	return vhost("{match: {prefix: /, cookies: [" + matcher + "]}, route: {cluster: a}}, {match: {prefix: /}, " +
		"route: {cluster: b}}")
}

// each makes requests of one line and several ends of it.
func each(line string, ends ...string) []string {
	var all []string
	for _, end := range ends {
		all = append(all, line+end)
	}
	return all
}

// byteRules are requests whose bytes are not those of ordinary text: Envoy compares bytes, and an
// expression takes each for a character of Latin-1.
var byteRules = []rule{
	{"an expression counts bytes", "", byRegex(".."), each("GET x / x-a=", "é", "ee", "\xff", "\xff\xfe")},
	{"an expression has a byte for a character", "", byRegex(`\xC3\xA9`), each("GET x / x-a=", "é", "É")},
	{"an expression in UTF-8", "", byRegex("é"), each("GET x / x-a=", "é", "É")},
	{"an expression folds Latin-1", "", byRegex("(?i)é"), each("GET x / x-a=", "é", "É", "ã©")},
	{"an expression with a class of letters", "", byRegex(`\pL+`), each("GET x / x-a=", "é", "b")},
	{"an expression without a class", "", byRegex("[^a]"), each("GET x / x-a=", "é", "b", "a")},
	{"an expression folds no Kelvin", "", byRegex("(?i)k"), each("GET x / x-a=", "K", "\u212a")},
	{"an expression of any byte", "", byRegex(`\C`), each("GET x / x-a=", "K", "\xff", "é")},
	{"an expression with a quoted part", "", byRegex(`\Qa.b\E+`), each("GET x / x-a=", "a.b", "a.bb", "axb")},
	{"case is folded in ASCII alone", "", onHeader("{name: x-a, string_match: {exact: 'É', ignore_case: true}}"),
		each("GET x / x-a=", "é", "É")},
	{"a part is folded in ASCII alone", "", onHeader("{name: x-a, string_match: {contains: AbÉ, ignore_case: true}}"),
		each("GET x / x-a=", "xabÉx", "xabéx")},
	{"a target beyond ASCII", "", vhost("{match: {prefix: /É, case_sensitive: false}, route: {cluster: a}}, " +
		"{match: {safe_regex: {regex: '/..'}}, route: {cluster: b}}, {match: {prefix: /}, route: {cluster: c}}"),
		[]string{"GET x /é", "GET x /É", "GET x /a?q=é", "http2 GET x /é", "http2 GET x /É", "GET x /ab"}},
	{"control characters", "", vhost(toA), []string{"GET x /a\x7fb", "GET x /?\x7f", "GET x / x-a=a\x7fb",
		"GET x / x-a=a\x01b", "GET x / x\x7fa=1"}},
	{"names of headers that are no tokens", "", vhost(toA), each("GET x / ", "x(a=1", "x\"a=1", "x@a=1", "x[a=1",
		"x!a=1", "x~a=1", "xé=1", "x{a=1", "x/a=1")},

	{"cookie: quotes", "", byCookie("{name: s, string_match: {exact: '1'}}"), each("GET x / cookie=", `s="1"`,
		`a="x;_s=1"`, `s="1`, `s=1"`, `s=""1""`)},
	{"cookie: without a value", "", byCookie("{name: s, string_match: {exact: ''}}"), each("GET x / cookie=", "s",
		"s=", `s=""`, "t=1")},
	{"cookie: an expression that takes nothing", "", byCookie("{name: s, string_match: {safe_regex: {regex: '.*'}}}"),
		each("GET x / cookie=", "s", "s=", "s=a", "t")},
	{"cookie: blanks", "", byCookie("{name: s, string_match: {exact: '1'}}"), each("GET x / cookie=", "s=1_;t=2",
		"t=2;__s=1", "s_=1", "s=_1", "S=1", "s=1=1")},
	{"cookie: inverted", "", byCookie("{name: s, string_match: {exact: '1'}, invert_match: true}"),
		each("GET x / cookie=", "s=1", "s=2", "s", "t=1")},
}

// hopRules are headers of one connection, and those that only some may send.
var hopRules = append([]rule{
	{"an upgrade to h2c is ignored", "", byPresence("upgrade"), each("GET x / ", "upgrade=h2c connection=upgrade",
		"upgrade=H2C connection=Upgrade", "upgrade=h2c connection=upgrade,http2-settings http2-settings=AAA",
		"upgrade=h2c,foo connection=upgrade", "upgrade=foo connection=upgrade", "upgrade=h2c")},
	{"an upgrade to h2c is ignored where it is allowed", "upgrade_configs: [{upgrade_type: h2c}]",
		byPresence("upgrade"), each("GET x / ", "upgrade=h2c connection=upgrade")},
	{"settings of h2c", "", byPresence("http2-settings"), each("GET x / ",
		"upgrade=h2c connection=upgrade,http2-settings http2-settings=AAA", "http2-settings=AAA")},
	{"upgrades that are ignored", "http_protocol_options: {ignore_http_11_upgrade: [{exact: websocket}, " +
		"{prefix: TLS}]}, upgrade_configs: [{upgrade_type: websocket}]", byPresence("upgrade"),
		each("GET x / connection=upgrade upgrade=", "websocket", "TLS/1.2", "foo", "websocket,foo",
			"websocket,TLS/1.3")},
	{"headers that connection names", "", byPresence("x-a"), each("GET x / x-a=1 connection=", "x-a", "X-A",
		"close,x-a", "x-b", "close", "x-a,upgrade", "x-forwarded-for", "X-Forwarded-Proto", "x-forwarded-host", ":path",
		"a,b,c,d,e,f,g,h,i", "a,b,c,d,e,f,g,h,i,j", "keep-alive,_x-a_", ",,x-a,,", "cookie", "host")},
	{"te that connection names", "", onHeader("{name: te, string_match: {exact: trailers}}"), each("GET x / ",
		"te=trailers", "te=trailers,gzip", "te=trailers,gzip connection=te", "te=gzip connection=te",
		"te=trailers connection=te", "te=gzip", "te="+strings.Repeat("a", 256)+" connection=te")},
	{"te in HTTP/2", "", byPresence("te"), []string{"http2 GET x / te=trailers", "http2 GET x / te=gzip"}},
	{"strict_check_headers", "http_filters: [{name: envoy.filters.http.router, typed_config: {'@type': " +
		"type.googleapis.com/envoy.extensions.filters.http.router.v3.Router, strict_check_headers: " +
		"[x-envoy-upstream-rq-timeout-ms, x-envoy-max-retries, x-envoy-retry-on, x-envoy-retry-grpc-on, " +
		"x-envoy-upstream-rq-per-try-timeout-ms]}}], " + fromInside, vhost(toA + ", " +
		"{match: {prefix: /}, redirect: {path_redirect: /b}}"),
		append(each("GET x / x-envoy-", "upstream-rq-timeout-ms=abc", "upstream-rq-timeout-ms=100", "max-retries=x",
			"max-retries=-1", "max-retries=1.5", "retry-on=5xx,foo", "retry-on=5xx,_reset", "retry-on=",
			"retry-grpc-on=bogus", "retry-grpc-on=internal,cancelled", "upstream-rq-per-try-timeout-ms=-1",
			"retriable-status-codes=a"), "grpc POST x / x-envoy-max-retries=x")},
	{"forward_client_cert_matcher", "forward_client_cert_matcher: {matcher_list: {matchers: [{predicate: " +
		onInput("type.matcher.v3.HttpRequestHeaderMatchInput, header_name: x-k", "exact: one") + ", on_match: " +
		"{action: {name: f, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.network." +
		"http_connection_manager.v3.HttpConnectionManager.ForwardClientCertConfig, forward_client_cert_details: " +
		"ALWAYS_FORWARD_ONLY}}}}]}}", byPresence("x-forwarded-client-cert"),
		each("GET x / x-forwarded-client-cert=a", "", " x-k=one", " x-k=two")},
	{"a location that the route adds", "", "response_headers_to_remove: [x-none], " + vhost("{match: {prefix: /d}, "+
		"direct_response: {status: 302}, response_headers_to_add: [{header: {key: location, value: /x}}]}, {match: "+
		"{prefix: /o}, redirect: {path_redirect: /p}, response_headers_to_add: [{header: {key: Location, value: /y}, "+
		"append_action: OVERWRITE_IF_EXISTS_OR_ADD}]}, {match: {prefix: /r}, redirect: {path_redirect: /p}, "+
		"response_headers_to_remove: [location]}, {match: {prefix: /n}, direct_response: {status: 204}, "+
		"response_headers_to_add: [{header: {key: location, value: /z}}]}"),
		each("GET x /", "d", "o", "r", "n")},
	{"cdn_loop: a header that is not of its form", filtered("b", "cdn_loop.v3.CdnLoopConfig", "cdn_id: c, "+
		"max_allowed_occurrences: 1"), vhost(toA),
		each("GET x / cdn-loop=", "c", "c,c", "c;a=b,c", "\"", "@", "[::1],c",
			"c,@", "a/b")},
	{"an empty x-forwarded-proto", "", vhost(toA), each("GET x / x-forwarded-proto", "=", "=ftp", "=http")},
	{"allow_absolute_url", "http_protocol_options: {allow_absolute_url: false}", vhost(toA),
		[]string{"GET x http://other/p", "GET x /p", "GET x http:/p"}},
}, sanitised()...)

const fromInside = "use_remote_address: true, internal_address_config: {cidr_ranges: [{address_prefix: 192.0.2.0, " +
	"prefix_len: 24}]}"

// sanitised asks of each header that Envoy knows whether a client may send it, for managers that
// trust it more and less.
func sanitised() []rule {
	names := strings.Fields(`attempt-count decorator-operation degraded downstream-service-cluster
downstream-service-node expected-rq-timeout-ms external-address force-trace hedge-on-per-try-timeout internal ip-tags
is-timeout-retry max-retries original-dst-host original-host original-method original-path original-url
retriable-header-names retriable-status-codes retry-grpc-on retry-on upstream-alt-stat-name
upstream-rq-per-try-timeout-ms upstream-rq-timeout-alt-response upstream-rq-timeout-ms upstream-stream-duration-ms
fault-abort-request peer-metadata foo`)
	for i := range names {
		names[i] = "x-envoy-" + names[i]
	}
	names = append(names, strings.Fields(`x-forwarded-client-cert x-forwarded-for x-forwarded-host x-forwarded-port
forwarded x-real-ip x-request-id x-client-trace-id traceparent referer te proxy-authorization proxy-connection
keep-alive early-data via grpc-timeout expect`)...)
	managers := map[string]string{"inside by use_remote_address": fromInside,
		"without use_remote_address": "", "an edge": "use_remote_address: true",
		"an edge behind another": "use_remote_address: true, xff_num_trusted_hops: 1",
		"inside by x-forwarded-for": "internal_address_config: {cidr_ranges: [{address_prefix: 192.0.2.0, " +
			"prefix_len: 24}]}"}
	var all []rule
	for who, fields := range managers {
		var requests []string
		routes := ""
		for _, name := range names {
			requests = append(requests, "GET x /"+name+" "+name+"=abc", "GET x /"+name+" x-forwarded-for=192.0.2.7 "+
				strings.Replace(name, "x-forwarded-for", "x-forwarded", 1)+"=abc")
			routes += "{match: {path: /" + name + ", headers: [{name: " + name +
				", string_match: {exact: abc}}]}, route: {cluster: a}}, "
		}
		all = append(all, rule{"what a client may send: " + who, fields, vhost(routes +
			"{match: {prefix: /}, route: {cluster: b}}"), requests})
	}
	return all
}
