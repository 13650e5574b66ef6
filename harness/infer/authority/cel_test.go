package authority

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	celpb "cel.dev/expr"
	exprpb "google.golang.org/genproto/googleapis/api/expr/v1alpha1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// parsed is the tree of a CEL expression as a control plane would send it.
func parsed(text string) *exprpb.ParsedExpr {
	env, err := cel.NewEnv()
	if err != nil {
		panic(err)
	}
	tree, issues := env.Parse(text)
	if issues.Err() != nil {
		panic(issues.Err())
	}
	expr, err := cel.AstToParsedExpr(tree)
	if err != nil {
		panic(err)
	}
	expr.SourceInfo = nil
	return expr
}

func asJSON(m proto.Message) string {
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// newer is the same tree in the messages that took the place of the older ones.
func newer(expr *exprpb.ParsedExpr) *celpb.ParsedExpr {
	var same celpb.ParsedExpr
	text, err := proto.Marshal(expr)
	if err != nil || proto.Unmarshal(text, &same) != nil {
		panic(err)
	}
	return &same
}

// expressions are conditions with the requests that they tell apart.
var expressions = []struct {
	text     string
	requests []string
}{
	{`request.method == 'GET'`, []string{"GET x /", "POST x /"}},
	{`request.url_path == '/a'`, []string{"GET x /a", "GET x /a?b=c", "GET x /b"}},
	{`request.path == '/a?b=c'`, []string{"GET x /a", "GET x /a?b=c"}},
	{`request.query == 'b=c'`, []string{"GET x /a", "GET x /a?b=c", "GET x /a?"}},
	{`request.query == ''`, []string{"GET x /a", "GET x /a?", "GET x /a?b"}},
	{`request.host == 'x:80'`, []string{"GET x /", "GET x:80 /"}},
	{`request.scheme == 'https'`, []string{"GET x /", "GET x / x-forwarded-proto=https"}},
	{`request.protocol == 'HTTP/2'`, []string{"GET x /", "http2 GET x /"}},
	{`request.protocol == 'HTTP/1.1'`, []string{"GET x /", "http2 GET x /"}},
	{`request.headers['x-a'] == '1'`, []string{"GET x /", "GET x / x-a=1", "GET x / x-a=2"}},
	{`request.headers['X-A'] == '1'`, []string{"GET x / x-a=1"}},
	{`request.headers['x-a'] != '1'`, []string{"GET x /", "GET x / x-a=1", "GET x / x-a=2"}},
	{`!(request.headers['x-a'] == '1')`, []string{"GET x /", "GET x / x-a=2"}},
	{`'x-a' in request.headers`, []string{"GET x /", "GET x / x-a=1"}},
	{`'X-A' in request.headers`, []string{"GET x / x-a=1"}},
	{`has(request.headers.user)`, []string{"GET x /", "GET x / user=1"}},
	{`request.headers[':path'] == '/'`, []string{"GET x /"}},
	{`request.headers['host'] == 'x'`, []string{"GET x /"}},
	{`request.headers['x-a'] == 1`, []string{"GET x / x-a=1"}},
	{`request.useragent.startsWith('curl')`, []string{"GET x /", "GET x / user-agent=curl/8",
		"GET x / user-agent=other"}},
	{`request.referer == 'http://r/'`, []string{"GET x /", "GET x / referer=http://r/"}},
	{`request.id == 'mine'`, []string{"GET x / x-request-id=mine", "GET x / x-request-id=other"}},
	{`request.url_path.startsWith('/a') && request.url_path.endsWith('z') || request.url_path.contains('mid')`,
		[]string{"GET x /a", "GET x /az", "GET x /xmidx"}},
	{`request.url_path.matches('^/[0-9]+$')`, []string{"GET x /12", "GET x /12a", "GET x /"}},
	{`request.url_path.matches('[0-9]')`, []string{"GET x /a1b", "GET x /ab"}},
	{`size(request.headers['x-a']) > 3`, []string{"GET x / x-a=abc", "GET x / x-a=abcd"}},
	{`request.method in ['GET', 'HEAD']`, []string{"GET x /", "HEAD x /", "POST x /"}},
	{`request.method == 'GET' ? request.url_path == '/g' : request.url_path == '/p'`,
		[]string{"GET x /g", "GET x /p", "POST x /p"}},
	{`request.nothing == 'x'`, []string{"GET x /"}},
	{`nothing == 'x'`, []string{"GET x /"}},
	{`request.headers['x-a']`, []string{"GET x / x-a=true"}},
	{`1`, []string{"GET x /"}},
	{`true`, []string{"GET x /"}},
	{`source.address == '192.0.2.1:40000'`, []string{"GET x /", "GET x / x-forwarded-for=203.0.113.9"}},
	{`source.address == '203.0.113.9:0'`, []string{"GET x /", "GET x / x-forwarded-for=203.0.113.9"}},
	{`source.port == 40000`, []string{"GET x /", "GET x / x-forwarded-for=203.0.113.9"}},
	{`source.address.startsWith('192.0.2.')`, []string{"GET x /", "GET x / x-forwarded-for=203.0.113.9"}},
	{`destination.address.startsWith('10.0.0.1:')`, []string{"GET x /"}},
	{`destination.port > 20000`, []string{"GET x /"}},
	{`connection.mtls`, []string{"GET x /"}},
	{`connection.mtls == false`, []string{"GET x /"}},
	{`connection.requested_server_name == ''`, []string{"GET x /"}},
	{`connection.tls_version == 'TLSv1.3'`, []string{"GET x /"}},
	{`has(connection.tls_version)`, []string{"GET x /"}},
	{`connection.uri_san_peer_certificate == 'spiffe://x'`, []string{"GET x /"}},
	{`response.code == 200 || true`, []string{"GET x /"}},
	{`response.code == 200`, []string{"GET x /"}},
	{`has(response.code)`, []string{"GET x /"}},
	{`!has(response.code)`, []string{"GET x /"}},
	{`response.size == 0 && response.flags == 0 && size(response.headers) == 0`, []string{"GET x /"}},
	{`has(metadata.filter_metadata)`, []string{"GET x /"}},
	{`!('ns' in metadata.filter_metadata) && size(metadata.filter_metadata) == 0`, []string{"GET x /"}},
	{`has(metadata.nothing) || true`, []string{"GET x /"}},
	{`!has(metadata.nothing)`, []string{"GET x /"}},
	{`upstream.address == 'x'`, []string{"GET x /"}},
	{`request.method == 'GET' || metadata.filter_metadata['x']['y'] == 'z'`, []string{"GET x /"}},
	{`request.method == 'PUT' && metadata.filter_metadata['x']['y'] == 'z'`, []string{"GET x /"}},
	{`int(request.headers['x-a']) > 5`, []string{"GET x / x-a=7", "GET x / x-a=3", "GET x / x-a=z"}},
	{`request.headers['x-a'] < 'b'`, []string{"GET x / x-a=abc", "GET x / x-a=c"}},
	{`"a\x41" == 'aA'`, []string{"GET x /"}},
	{`1 + 1 == 2 && 5 % 3 == 2 && -1 < 0 && 7 / 2 == 3`, []string{"GET x /"}},
	{`request.method + 'x' == 'GETx'`, []string{"GET x /"}},
	{`[1] + [2] == [1, 2]`, []string{"GET x /"}},
	{`xds.cluster_name == 'a'`, []string{"GET x /"}},
	{`1 / 0 == 1`, []string{"GET x /"}},
	{`true || 1 / 0 == 1`, []string{"GET x /"}},
	{`1 / 0 == 1 || true`, []string{"GET x /"}},
	{`false && 1 / 0 == 1`, []string{"GET x /"}},
	{`[1, 2, 3][1] == 2 && {'a': 1}['a'] == 1`, []string{"GET x /"}},
	{`1 == 1.0`, []string{"GET x /"}},
	{`1 == 1u`, []string{"GET x /"}},
	{`null == null`, []string{"GET x /"}},
	{`request.time > timestamp('2020-01-01T00:00:00Z') || true`, []string{"GET x /"}},
	{`request.headers['x-empty'] == ''`, []string{"GET x /"}},
}

// celRules hold CEL expressions in RBAC policies and in matchers against Envoy: each as a
// policy's condition, in a matcher in the place of RBAC's rules in the two messages that there
// are for it, and as text.
func celRules() []rule {
	var rules []rule
	for _, e := range expressions {
		tree := parsed(e.text)
		rules = append(rules, rule{
			"cel: condition " + e.text, rbacRules("action: ALLOW, policies: {p: {permissions: [{any: true}], " +
				anyone + ", condition: " + asJSON(tree.Expr) + "}}"), vhost(toA), e.requests,
		})
		for form, expr := range map[string]string{
			"parsed":        "parsed_expr: " + asJSON(tree),
			"newer parsed":  "cel_expr_parsed: " + asJSON(newer(tree)),
			"checked":       "cel_expr_checked: " + asJSON(&celpb.CheckedExpr{Expr: newer(tree).Expr}),
			"older checked": "checked_expr: " + asJSON(&exprpb.CheckedExpr{Expr: tree.Expr}),
		} {
			rules = append(rules, rule{"cel: matcher, " + form + ", " + e.text,
				rbacMatcher(celMatch(expr, "yes", "ALLOW")), vhost(toA), e.requests})
		}
	}
	return rules
}

// rbacMatcher is an RBAC filter with a matcher in the place of rules.
func rbacMatcher(matcher string) string {
	return filtered("rbac", "rbac.v3.RBAC", "matcher: {"+matcher+"}")
}

// rbacAction is what a matcher of RBAC leads to.
func rbacAction(name, action string) string {
	return fmt.Sprintf(`{action: {name: action, typed_config: {"@type": `+
		`type.googleapis.com/envoy.config.rbac.v3.Action, name: "%s", action: %s}}}`, name, action)
}

// celMatch leads to an action where an expression holds.
func celMatch(expr, name, action string) string {
	return `matcher_list: {matchers: [{predicate: {single_predicate: {input: {name: attributes, typed_config: {
		"@type": type.googleapis.com/xds.type.matcher.v3.HttpAttributesCelMatchInput}}, custom_match: {name: cel,
		  typed_config: {
		"@type": type.googleapis.com/xds.type.matcher.v3.CelMatcher, expr_match: {` + expr + `}}}}}, on_match: ` +
		rbacAction(name, action) + `}]}`
}

// headerIs is a predicate on a header.
func headerIs(name, match string) string {
	return fmt.Sprintf(`{single_predicate: {input: {name: h, typed_config: {"@type": `+
		`type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput, header_name: %s}}, value_match: %s}}`,
		name, match)
}

func inputOf(kind string) string {
	return `input: {name: i, typed_config: {"@type": type.googleapis.com/` + kind + `}}`
}

const networkInputs = "envoy.extensions.matching.common_inputs.network.v3."

func matchers(entries ...string) string {
	return "matcher_list: {matchers: [" + strings.Join(entries, ", ") + "]}"
}

// entryOf is an entry of a matcher list.
func entryOf(predicate, onMatch string) string {
	return "{predicate: " + predicate + ", on_match: " + onMatch + "}"
}

// matcherRules hold the other forms of a matcher in the place of RBAC's rules against Envoy.
var matcherRules = []rule{
	{
		"rbac matcher: nothing matches",
		rbacMatcher(matchers(entryOf(headerIs("x-a", "{exact: one}"), rbacAction("p", "ALLOW")))), vhost(toA), []string{
			"GET x /", "GET x / x-a=one", "GET x / x-a=two",
		},
	},
	{
		"rbac matcher: on_no_match", rbacMatcher(matchers(entryOf(headerIs("x-a", "{exact: one}"),
			rbacAction("p", "DENY"))) + ", on_no_match: " + rbacAction("else", "ALLOW")), vhost(toA), []string{
			"GET x /", "GET x / x-a=one",
		},
	},
	{
		"rbac matcher: LOG lets through",
		rbacMatcher(matchers(entryOf(headerIs("x-a", "{exact: one}"), rbacAction("p", "LOG")))), vhost(toA),
		[]string{"GET x /", "GET x / x-a=one"},
	},
	{
		"rbac matcher: an action without one allows",
		rbacMatcher(matchers(entryOf(headerIs("x-a", "{exact: one}"), `{action: {name: a, typed_config: {"@type": `+
			`type.googleapis.com/envoy.config.rbac.v3.Action, name: named}}}`))), vhost(toA), []string{
			"GET x / x-a=one",
		},
	},
	{
		"rbac matcher: the first that matches",
		rbacMatcher(matchers(entryOf(headerIs("x-a", "{prefix: o}"), rbacAction("p", "DENY")),
			entryOf(headerIs("x-a", "{exact: one}"), rbacAction("q", "ALLOW")))), vhost(toA), []string{
			"GET x / x-a=one",
		},
	},
	{"rbac matcher: and, or, not",
		rbacMatcher(matchers(entryOf("{and_matcher: {predicate: ["+headerIs("x-a", "{exact: one}")+", {or_matcher: "+
			"{predicate: ["+headerIs("x-b", "{suffix: z}")+", {not_matcher: "+headerIs("x-c", "{contains: why}")+
			"}]}}]}}", rbacAction("p", "ALLOW")))), vhost(toA),
		[]string{"GET x / x-a=one", "GET x / x-a=one x-c=awhya", "GET x / x-a=one x-c=awhya x-b=z", "GET x / x-b=z"}},
	{"rbac matcher: ignore_case and safe_regex",
		rbacMatcher(matchers(entryOf(headerIs("x-a", "{exact: ONE, ignore_case: true}"), rbacAction("p", "ALLOW")),
			entryOf(headerIs("x-a", "{safe_regex: {google_re2: {}, regex: '[0-9]+'}}"), rbacAction("q", "ALLOW")))),
		vhost(toA), []string{"GET x / x-a=one", "GET x / x-a=12", "GET x / x-a=12a"}},
	{"rbac matcher: exact_match_map of the " +
		"path", rbacMatcher("matcher_tree: {" +
		strings.Replace(inputOf("envoy.type.matcher.v3.HttpRequestHeaderMatchInput"), "}}", ", header_name: ':path'}}",
			1) + ", exact_match_map: {map: {/a: " + rbacAction("a", "ALLOW") + ", /b: " + rbacAction("b", "DENY") +
		"}}}, on_no_match: " + rbacAction("c", "ALLOW")), vhost(toA),
		[]string{"GET x /a", "GET x /b", "GET x /c", "GET x /a?q"}},
	{"rbac matcher: prefix_match_map",
		rbacMatcher("matcher_tree: {" + strings.Replace(inputOf("envoy.type.matcher.v3.HttpRequestHeaderMatchInput"),
			"}}", ", header_name: ':path'}}", 1) + ", prefix_match_map: {map: {/a: " + rbacAction("a", "ALLOW") +
			", /a/b: " + rbacAction("b", "DENY") + "}}}"), vhost(toA),
		[]string{"GET x /a", "GET x /a/b/c", "GET x /c", "GET x /ab"}},
	{"rbac matcher: source address", rbacMatcher("matcher_tree: {" + inputOf(networkInputs+"SourceIPInput") + `,
		custom_match: {name: ip, typed_config: {"@type": type.googleapis.com/xds.type.matcher.v3.IPMatcher,
		  range_matchers: [
		{ranges: [{address_prefix: 192.0.2.0, prefix_len: 24}], on_match: ` + rbacAction("a", "ALLOW") + `}]}}}`),
		vhost(toA), []string{"GET x /", "GET x / x-forwarded-for=203.0.113.9", "GET x / x-forwarded-for=192.0.2.9"}},
	{
		"rbac matcher: destination port",
		rbacMatcher("matcher_tree: {" + inputOf(networkInputs+"DestinationPortInput") + ", exact_match_map: {map: " +
			"{'1': " + rbacAction("a", "DENY") + "}}}, on_no_match: " + rbacAction("b", "ALLOW")), vhost(toA), []string{
			"GET x /",
		},
	},
	{"rbac matcher: an ip matcher as a " +
		"predicate", rbacMatcher(matchers(entryOf("{single_predicate: {"+inputOf(networkInputs+"DestinationIPInput")+
		`, custom_match: {name: ip, typed_config: {"@type": `+
		`type.googleapis.com/envoy.extensions.matching.input_matchers.ip.v3.Ip, stat_prefix: s, cidr_ranges: `+
		`[{address_prefix: 10.0.0.0, prefix_len: 8}]}}}}`, rbacAction("a", "ALLOW")))), vhost(toA),
		[]string{"GET x /"}},
	{
		"rbac matcher: a source that is not there matches nothing",
		rbacMatcher(matchers(entryOf("{single_predicate: {"+
			inputOf("envoy.extensions.matching.common_inputs.ssl.v3.UriSanInput")+", value_match: {prefix: "+
			"'spiffe:'}}}", rbacAction("a", "ALLOW")))), vhost(toA), []string{
			"GET x /",
		},
	},
	{"rbac matcher: nested, without a result",
		rbacMatcher(matchers(entryOf(headerIs("x-a", "{exact: one}"),
			"{matcher: {"+matchers(entryOf(headerIs("x-b", "{exact: two}"), rbacAction("in", "ALLOW")))+"}}"),
			entryOf(headerIs("x-c", "{exact: three}"), rbacAction("after", "ALLOW")))), vhost(toA),
		[]string{"GET x / x-a=one x-b=two", "GET x / x-a=one x-c=three", "GET x / x-a=one", "GET x / x-c=three"}},
	{"rbac matcher: per route",
		rbacMatcher(matchers(entryOf(headerIs("x-a", "{exact: one}"), rbacAction("p", "ALLOW")))),
		vhost(perRoute("/own", "rbac", "rbac.v3.RBACPerRoute",
			", rbac: {matcher: {"+matchers(entryOf(headerIs("x-a", "{exact: two}"), rbacAction("p", "ALLOW")))+
				"}}") + ", " + toA),
		[]string{"GET x /own x-a=one", "GET x /own x-a=two", "GET x /other x-a=two", "GET x /other x-a=one"}},
	{
		"rbac matcher: an expression that does not hold leads " +
			"on", rbacMatcher(matchers(entryOf(`{single_predicate: {`+
			inputOf("xds.type.matcher.v3.HttpAttributesCelMatchInput")+`, custom_match: {name: cel, typed_config: `+
			`{"@type": type.googleapis.com/xds.type.matcher.v3.CelMatcher, expr_match: `+
			`{cel_expr_parsed: `+asJSON(newer(parsed("request.method == 'PUT'")))+`}}}}}`,
			rbacAction("cel", "DENY"))) + ", on_no_match: " + rbacAction("else", "ALLOW")), vhost(toA), []string{
			"GET x /", "PUT x /",
		},
	},
	{
		"rbac matcher: an expression with an error leads " +
			"on", rbacMatcher(matchers(entryOf(`{single_predicate: {`+
			inputOf("xds.type.matcher.v3.HttpAttributesCelMatchInput")+`, custom_match: {name: cel, typed_config: `+
			`{"@type": type.googleapis.com/xds.type.matcher.v3.CelMatcher, expr_match: `+
			`{cel_expr_parsed: `+asJSON(newer(parsed("request.headers['x-none'] == 'y'")))+`}}}}}`,
			rbacAction("cel", "DENY"))) + ", on_no_match: " + rbacAction("else", "ALLOW")), vhost(toA), []string{
			"GET x /",
		},
	},
	{
		"rbac matcher: an expression on the response ends the " +
			"search", rbacMatcher(matchers(entryOf(`{single_predicate: {`+
			inputOf("xds.type.matcher.v3.HttpAttributesCelMatchInput")+`, custom_match: {name: cel, typed_config: `+
			`{"@type": type.googleapis.com/xds.type.matcher.v3.CelMatcher, expr_match: `+
			`{cel_expr_parsed: `+asJSON(newer(parsed("response.code == 200")))+`}}}}}`,
			rbacAction("cel", "DENY"))) + ", on_no_match: " + rbacAction("else", "ALLOW")), vhost(toA), []string{
			"GET x /",
		},
	},
	{
		"rbac matcher: an expression on the response that does not " +
			"decide", rbacMatcher(matchers(entryOf(`{single_predicate: {`+
			inputOf("xds.type.matcher.v3.HttpAttributesCelMatchInput")+`, custom_match: {name: cel, typed_config: `+
			`{"@type": type.googleapis.com/xds.type.matcher.v3.CelMatcher, expr_match: `+
			`{cel_expr_parsed: `+asJSON(newer(parsed("request.method == 'PUT' && response.code == 200")))+`}}}}}`,
			rbacAction("cel", "DENY"))) + ", on_no_match: " + rbacAction("else", "ALLOW")), vhost(toA), []string{
			"GET x /", "PUT x /",
		},
	},
	{
		"rbac matcher: an expression on the " +
			"endpoint",
		rbacMatcher(matchers(entryOf(`{single_predicate: {`+inputOf("xds.type.matcher.v3.HttpAttributesCelMatchInput")+
			`, custom_match: {name: cel, typed_config: {"@type": type.googleapis.com/xds.type.matcher.v3.CelMatcher, `+
			`expr_match: {cel_expr_parsed: `+asJSON(newer(parsed("upstream.address == 'x'")))+`}}}}}`,
			rbacAction("cel", "DENY"))) + ", on_no_match: " + rbacAction("else", "ALLOW")), vhost(toA), []string{
			"GET x /",
		},
	},
	{
		"rbac: checked_condition alone is not evaluated", rbacRules("action: ALLOW, policies: {p: {permissions: " +
			"[{any: true}], " + anyone + ", checked_condition: {expr: " +
			asJSON(parsed(`request.method == 'PUT'`).Expr) + "}}}"), vhost(toA), []string{"GET x /"},
	},
	{
		"rbac: a condition of a policy that denies",
		rbacRules("action: DENY, policies: {p: {permissions: [{any: true}], " + anyone + ", condition: " +
			asJSON(parsed(`request.headers['x-a'] == 'one'`).Expr) + "}}"), vhost(toA), []string{
			"GET x /", "GET x / x-a=one",
		},
	},
}
