package authority

import "strings"

// oddPaths are paths that a client may write in several ways.
var oddPaths = strings.Fields(`/a%00b /%00 /a/%2E%2e/b /a/%2e./b /a/.%2E /a/..;/b /a/..%2fb /a/..%5cb /a\..\b
/a/%5C../b /%zz/b /a% /a%2 /a//../b /a///..//b /../../b /a/... /%7Ea /%41 /%4a /%2B /%20 /%E9 /%c3%a9 /%25 /%2525 /%23
/%3F /a?%2e%2e/ /a?"<> /a;p=1/../b //a/../b /// // //// /. /.. /./ /../ //.. /a/./ /a/. /a/b/.. /a/b/../../..
/a%2fb/../c /a%2F..%2Fb /a%2f%2e%2e%2fb /a%5c%2e%2e%5cb /:a /@ /a'b /a!$&()*+,;=:@b /[a] /%2e /%2e%2e /a\\b /\a
/a%09b /a%7fb /a"b /a<b /a>b /a^b /a|b /a{b} /a` + "`" + `b /a/.;/b /a/.;x/b /a/..;x=1/b /a/..; /a/.; /a/%2e%2e;/b
/a/..%3b/b /a/...;/b /a/x;/b /a;/..;/b /..;/b /..;a/..;b/c /a/..;%2fb /a/..;\b /a/..,/b /a/..;/../b /a/..;;/b
/a/..;?x //..;/b /a//..;/b //?a /?// /a/b/..;/`)

// beyond are paths in HTTP/2, which takes bytes beyond ASCII.
var beyond = []string{"http2 GET x /é", "http2 GET x /é/../c", "http2 GET x /\xe2\x82\xacb/./d", "http2 GET x /%e9/."}

// written is the path by which a request is matched and which the upstream sees, for managers that
// rewrite it.
func written() []rule {
	const unescape = "path_with_escaped_slashes_action: UNESCAPE_AND_"
	var all []rule
	for _, fields := range []string{"normalize_path: true", "merge_slashes: true",
		"normalize_path: true, merge_slashes: true", unescape + "FORWARD", unescape + "REDIRECT",
		"normalize_path: true, " + unescape + "FORWARD",
		"normalize_path: true, merge_slashes: true, " + unescape + "REDIRECT",
		"path_with_escaped_slashes_action: REJECT_REQUEST"} {
		all = append(all, rule{"paths: " + fields, fields, vhost(toA), append(each("GET x ", oddPaths...), beyond...)})
	}
	return all
}

func ignoring(routes string) string {
	return "ignore_path_parameters_in_path_matching: true, " + vhost(routes)
}

const deniedPath = "action: DENY, policies: {p: {permissions: [{url_path: {path: {exact: /adm}}}, {uri_template: " +
	"{name: t, typed_config: {'@type': type.googleapis.com/envoy.extensions.path.match.uri_template.v3." +
	"UriTemplateMatchConfig, path_template: '/z/*'}}}], " + anyone + "}}"

// pathRules are paths whose parameters count or not.
var pathRules = append(written(), []rule{
	{"parameters that are ignored", "", ignoring("{match: {path: /a/b}, route: {cluster: a, prefix_rewrite: /n}}, " +
		"{match: {prefix: /p/q}, route: {cluster: b, prefix_rewrite: /new}}, {match: {path_separated_prefix: /s/t}, " +
		"route: {cluster: c, prefix_rewrite: /u}}, {match: {safe_regex: {regex: '/r/[a-z]+'}}, route: {cluster: d, " +
		"regex_rewrite: {pattern: {regex: '^/r'}, substitution: /x}}}, " + template("/t/{x}/e", "a")),
		each("GET x ", "/a/b;p=1", "/a;x/b", "/a;x/b;y?q;z", "/p;1/q;2/r;3", "/p/q;2", "/p/q/r;3", "/s/t;1/u", "/s;2/t",
			"/s/t;1", "/r/abc;1", "/r;q/abc", "/t;1/v;2/e;3", "/t/v;2/e", "/a/b;/c", "/;/a/b", "/a/b")},
	{"parameters that are ignored, by rbac", rbacRules(deniedPath), ignoring(toA), each("GET x ", "/adm", "/adm;x",
		"/adm;x?y", "/adm?y;x", "/z/a;b", "/z;q/a", "/admin")},
	{"parameters that are ignored, by rbac without a route", rbacRules(deniedPath),
		ignoring("{match: {path: /other}, route: {cluster: a}}"), each("GET x ", "/adm;x", "/adm", "/other;x")},
	{"parameters that count, by rbac", rbacRules(deniedPath), vhost(toA), each("GET x ", "/adm;x", "/adm", "/z/a;b")},
	{"parameters that are ignored, of redirects", "",
		ignoring("{match: {path: /a}, redirect: {path_redirect: /b}}, {match: {prefix: /c}, redirect: " +
			"{prefix_rewrite: /d}}"),
		each("GET x:80 ", "/a;x", "/c;x/y", "/c/y;x")},
	{"weights by the hash of a header", "", vhost("{match: {prefix: /}, route: {hash_policy: [{header: {header_name: " +
		"x-u}}, {cookie: {name: c}}, {query_parameter: {name: q}}], weighted_clusters: {use_hash_policy: true, " +
		"clusters: [{name: a, weight: 30}, {name: b, weight: 70}]}}}"),
		append(each("GET x / x-u=", "1", "2", "3", "4", "5", "6", "7", "é"), "GET x /?q=1", "GET x /?q=%31&q=2",
			"GET x /?q=3 x-u=2", "GET x / cookie=c=5", "GET x /?q=9 cookie=c=5 x-u=8", "GET x /?q=")},
	{"weights by the hash of a header, the first that is there", "",
		vhost("{match: {prefix: /}, route: {hash_policy: [{header: {header_name: x-u}, terminal: true}, {header: " +
			"{header_name: x-v, regex_rewrite: {pattern: {regex: '^(.).*'}, substitution: '\\1'}}}], " +
			"weighted_clusters: {use_hash_policy: true, clusters: [{name: a, weight: 1}, {name: b, weight: 1}]}}}"),
		[]string{"GET x / x-u=1 x-v=2", "GET x / x-v=2", "GET x / x-v=31", "GET x / x-v=47", "GET x / x-u=2 x-v=5"}},
	{"weights by the runtime", "", vhost("{match: {prefix: /}, route: {weighted_clusters: {runtime_key_prefix: test, " +
		"clusters: [{name: none, weight: 50}, {name: all, weight: 50}]}}}"), []string{"GET x /", "GET x /"}},
}...)
