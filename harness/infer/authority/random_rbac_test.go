package authority

import (
	"fmt"
	"strings"
)

// expression draws a CEL expression.
func (g *generator) expression(depth int) string {
	if depth > 0 && g.IntN(2) == 0 {
		return pick(g, "("+g.expression(depth-1)+" && "+g.expression(depth-1)+")",
			"("+g.expression(depth-1)+" || "+g.expression(depth-1)+")", "!("+g.expression(depth-1)+")",
			"("+g.expression(depth-1)+" ? "+g.expression(depth-1)+" : "+g.expression(depth-1)+")")
	}
	return pick(g, "request.method == "+quoted(pick(g, methods...)), fmt.Sprintf("request.headers['%s'] == '%s'",
		pick(g, headers...), pick(g, values...)),
		fmt.Sprintf("'%s' in request.headers", pick(g, headers...)), "request.url_path.startsWith('/a')",
		"request.path.endsWith('b')", "request.query != ''",
		"request.host == "+quoted(pick(g, hosts...)), "source.address.startsWith('192.')", "source.port > 1500",
		"destination.port % 2 == 0", "request.scheme == 'https'",
		"request.protocol == 'HTTP/2'", "request.url_path.matches('[0-9]')", "connection.mtls",
		"request.useragent.contains('b')", "size(request.path) > 4",
		fmt.Sprintf("int(request.headers['%s']) > 4", pick(g, headers...)), "request.referer == ''",
		"response.code == 200")
}

// matcher draws a matcher in the place of RBAC's rules.
func (g *generator) matcher(depth int) string {
	action := func() string {
		if depth > 0 && g.IntN(4) == 0 {
			return "{matcher: {" + g.matcher(depth-1) + "}}"
		}
		return rbacAction("a", pick(g, "ALLOW", "ALLOW", "DENY", "LOG"))
	}
	if g.IntN(4) == 0 {
		input := strings.Replace(inputOf("envoy.type.matcher.v3.HttpRequestHeaderMatchInput"), "}}",
			", header_name: '"+pick(g, ":path", ":method", "x-a", "x-b")+"'}}", 1)
		return "matcher_tree: {" + input + ", " + pick(g, "exact_match_map", "prefix_match_map") + ": {map: {GET: " +
			action() + ", /a: " + action() + ", abc: " + action() + ", ab: " + action() + ", '1': " + action() + "}}}"
	}
	var entries []string
	for range 1 + g.IntN(3) {
		entries = append(entries, entryOf(g.predicate(2), action()))
	}
	return matchers(entries...)
}

func (g *generator) predicate(depth int) string {
	if depth > 0 && g.IntN(2) == 0 {
		deeper := func() string { return g.predicate(depth - 1) }
		return pick(g, "{not_matcher: "+deeper()+"}", "{and_matcher: {predicate: ["+deeper()+", "+deeper()+"]}}",
			"{or_matcher: {predicate: ["+deeper()+", "+deeper()+"]}}")
	}
	if g.IntN(3) == 0 {
		return `{single_predicate: {` + inputOf("xds.type.matcher.v3.HttpAttributesCelMatchInput") +
			`, custom_match: {name: cel, typed_config: {
			"@type": type.googleapis.com/xds.type.matcher.v3.CelMatcher, expr_match: {cel_expr_parsed: ` +
			asJSON(newer(parsed(g.expression(1)))) + `}}}}}`
	}
	return headerIs(pick(g, headers...), strings.Replace(g.stringMatcher(values...), "safe_regex: {",
		"safe_regex: {google_re2: {}, ", 1))
}

func (g *generator) permission(depth int) string {
	kind := g.IntN(8)
	if depth == 0 {
		kind %= 5
	}
	deeper := func() string { return g.permission(depth - 1) }
	switch kind {
	case 0:
		return "{header: " + g.header() + "}"
	case 1:
		return "{url_path: {path: " + g.stringMatcher("/a", "/a/b", "/", "/x1") + "}}"
	case 2:
		return fmt.Sprintf("{destination_port: %d}", 20000+g.IntN(12))
	case 3:
		return fmt.Sprintf("{destination_port_range: {start: 20000, end: %d}}", 20001+g.IntN(12))
	case 4:
		return "{header: {name: ':method', string_match: {exact: " + pick(g, methods...) + "}}}"
	case 5:
		return "{and_rules: {rules: [" + g.several(2, deeper) + "]}}"
	case 6:
		return "{or_rules: {rules: [" + g.several(2, deeper) + "]}}"
	}
	return "{not_rule: " + deeper() + "}"
}

func (g *generator) principal(depth int) string {
	kind := g.IntN(7)
	if depth == 0 {
		kind %= 4
	}
	deeper := func() string { return g.principal(depth - 1) }
	switch kind {
	case 0:
		return "{any: true}"
	case 1:
		return "{header: " + g.header() + "}"
	case 2:
		return "{" + pick(g, "remote_ip", "remote_ip", "source_ip", "direct_remote_ip") + ": {address_prefix: " +
			pick(g, "192.0.2.0, prefix_len: 24", "198.51.100.1, prefix_len: 32", "127.0.0.0, prefix_len: 8",
				"10.0.0.0, prefix_len: 8") + "}}"
	case 3:
		return "{authenticated: {}}"
	case 4:
		return "{and_ids: {ids: [" + g.several(2, deeper) + "]}}"
	case 5:
		return "{or_ids: {ids: [" + g.several(2, deeper) + "]}}"
	}
	return "{not_id: " + deeper() + "}"
}
