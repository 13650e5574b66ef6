package authority

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
)

var (
	randomRequests = flag.Int("requests", 600, "how many random requests the differential run sends to Envoy")
	randomSeed     = flag.Uint64("seed", 1,
		"seed of the differential run; another one makes other configurations and requests")
)

// TestRandom sends random requests through random configurations and holds every answer of
// Envoy against inference. Words are drawn from small sets, so that conditions meet, overlap
// and shadow each other.
func TestRandom(t *testing.T) {
	envoyOrSkip(t)
	const perRound = 600
	for round, left := uint64(0), *randomRequests; left > 0; round, left = round+1, left-perRound {
		t.Run(fmt.Sprintf("round_%d", round), func(t *testing.T) {
			g := &generator{rand.New(rand.NewPCG(*randomSeed, round))}
			c, ports := g.config()
			var requests []flow.Request
			for range min(left, perRound) {
				requests = append(requests, g.request(ports))
			}
			d := c.dump(t)
			for _, text := range judge(t, start(t, d, Options{}), infer.New(d), requests) {
				if text != "" {
					t.Error(text)
				}
			}
		})
	}
}

// A generator draws configurations and requests.
type generator struct{ *rand.Rand }

func pick[T any](g *generator, all ...T) T { return all[g.IntN(len(all))] }

// maybe returns text in about one of n draws.
func (g *generator) maybe(n int, text func() string) string {
	if g.IntN(n) == 0 {
		return text()
	}
	return ""
}

// several joins up to n texts.
func (g *generator) several(n int, text func() string) string {
	var all []string
	for range 1 + g.IntN(n) {
		all = append(all, text())
	}
	return strings.Join(all, ", ")
}

var (
	hosts = []string{"a.example.com", "b.example.com", "x-b.example.com", "example.com", "a.example.org", "a.svc",
		"A.Example.com", "a.example.com:80", "a.example.com:8080", "deep.a.example.com", "a.example.com.",
		"a.example.com.:80", "[::1]:80", "a.example.com:443"}
	domains = []string{"a.example.com", "*.example.com", "*-b.example.com", "a.example.*", "a.*",
		"example.com", "a.svc", "a.example.com:80", "*.com", "deep.*", "b.example.com"}
	paths = []string{"/", "/a", "/a/b", "/a/b/c", "/A", "/ab", "/x1", "/x22y", "/a?q=1", "/a/b?q=2&r", "/a//b",
		"/a/./b", "/a/../b", "/a%2Fb", "/%61/b", "/a/b/", "/a;b", "/api/v1/users/7", "/a#f", "/a?q=1#z"}
	headers = []string{"x-a", "x-b", "x-c", "user-agent", "x_u"}
	known   = []string{"x-forwarded-for", "x-forwarded-proto", "x-forwarded-port", "x-envoy-internal",
		"x-envoy-external-address", "x-request-id", "x-envoy-retry-on", ":scheme", ":method", ":path",
		":authority", "host"}
	values   = []string{"1", "5", "10", "abc", "ABC", "abcdef", "v-abc", "-3", "x1"}
	methods  = []string{"GET", "GET", "GET", "POST", "PUT", "OPTIONS", "HEAD"}
	clusters = []string{"a", "b", "c", "d", "e", "f"}
)

// config draws listeners of both kinds and returns their ports.
func (g *generator) config() (config, []int) {
	c := config{clusters: stubbed(clusters...)}
	var ports []int
	for i := range 12 {
		port := 20000 + i
		ports = append(ports, port)
		if i%4 == 3 {
			c.listeners = append(c.listeners, g.chains(port))
		} else {
			c.listeners = append(c.listeners, httpListener(port, g.manager(), g.table()))
		}
	}
	return c, ports
}

func (g *generator) manager() string {
	options := []string{g.maybe(2, func() string {
		return "normalize_path: true"
	}), g.maybe(3, func() string { return "merge_slashes: true" }),
		pick(g, "", "", "strip_any_host_port: true", "strip_matching_host_port: true"),
		g.maybe(4, func() string { return "use_remote_address: true" }),
		pick(g, "", "", "", "path_with_escaped_slashes_action: UNESCAPE_AND_FORWARD",
			"path_with_escaped_slashes_action: REJECT_REQUEST",
			"path_with_escaped_slashes_action: UNESCAPE_AND_REDIRECT"),
		pick(g, "", "", "http_protocol_options: {accept_http_10: true}"), pick(g, "", "", "xff_num_trusted_hops: 1",
			"xff_num_trusted_hops: 2"),
		pick(g, "", "", "internal_address_config: {unix_sockets: true}",
			"internal_address_config: {cidr_ranges: [{address_prefix: 192.0.2.0, prefix_len: 24}]}"),
		pick(g, "", "", "", "skip_xff_append: true"), pick(g, "", "", "", "strip_trailing_host_dot: true"),
		pick(g, "", "", "", "scheme_header_transformation: {scheme_to_overwrite: https}",
			"scheme_header_transformation: {match_upstream: true}"),
		pick(g, "", "", "", "append_x_forwarded_port: true"), pick(g, "", "", "", "generate_request_id: false"),
		pick(g, "", "", "", "add_user_agent: true"),
		pick(g, "", "", "", "common_http_protocol_options: {headers_with_underscores_action: DROP_HEADER}",
			"common_http_protocol_options: {headers_with_underscores_action: REJECT_REQUEST}")}
	var kept []string
	for _, o := range options {
		if o != "" {
			kept = append(kept, o)
		}
	}
	switch g.IntN(8) {
	case 0:
		kept = append(kept, rbacMatcher(g.matcher(2)+g.maybe(3, func() string {
			return ", on_no_match: " + rbacAction("else", pick(g, "ALLOW", "DENY", "LOG"))
		})))
	case 1, 2:
		kept = append(kept, rbacRules(pick(g, "action: ALLOW", "action: DENY")+", policies: {"+g.policies()+"}"))
	}
	if g.IntN(6) == 0 {
		kept = append(kept, "local_reply_config: {mappers: [{filter: "+pick(g,
			"{status_code_filter: {comparison: {op: GE, value: {default_value: 500, runtime_key: k}}}}",
			"{status_code_filter: {comparison: {op: EQ, value: {default_value: 404, runtime_key: k}}}}",
			"{header_filter: {header: "+g.header()+"}}")+", status_code: "+pick(g, "418", "501")+"}]}")
	}
	if g.IntN(8) == 0 {
		kept = append(kept, early+"{append: {header: {key: "+pick(g, headers...)+", value: "+pick(g, "abc",
			"'%REQ(x-b)%'", "'%REQ(x-a?x-c)%'", "'5'")+"}, append_action: "+
			pick(g, "ADD_IF_ABSENT", "OVERWRITE_IF_EXISTS", "OVERWRITE_IF_EXISTS_OR_ADD")+"}}, {remove: "+
			pick(g, headers...)+"}]}}]")
	}
	return strings.Join(kept, ", ")
}

func (g *generator) policies() string {
	var all []string
	for i := range 1 + g.IntN(3) {
		condition := g.maybe(3, func() string { return ", condition: " + asJSON(parsed(g.expression(2)).Expr) })
		all = append(all, fmt.Sprintf("p%d: {permissions: [%s], principals: [%s]%s}", i, g.several(2, func() string {
			return g.permission(2)
		}), g.several(2, func() string { return g.principal(2) }), condition))
	}
	return strings.Join(all, ", ")
}

// table draws a route configuration in which every domain stands once.
func (g *generator) table() string {
	order := g.Perm(len(domains))
	var all []string
	for i := 0; i < len(order) && i < 6; {
		n := 1 + g.IntN(3)
		var own []string
		for ; n > 0 && i < len(order); n, i = n-1, i+1 {
			own = append(own, "'"+domains[order[i]]+"'")
		}
		all = append(all, g.virtualHost(len(all), strings.Join(own, ", ")))
	}
	if g.IntN(2) == 0 {
		all = append(all, g.virtualHost(len(all), "'*'"))
	}
	ignore := g.maybe(3, func() string { return "ignore_port_in_host_matching: true, " })
	return ignore + "virtual_hosts: [" + strings.Join(all, ", ") + "]"
}

func (g *generator) virtualHost(i int, domains string) string {
	tls := pick(g, "", "", "", "", "require_tls: ALL, ", "require_tls: EXTERNAL_ONLY, ")
	return fmt.Sprintf("{name: v%d, domains: [%s], %sroutes: [%s]}", i, domains, tls, g.several(6, g.route))
}

func (g *generator) route() string {
	match := []string{g.path()}
	if g.IntN(3) == 0 {
		match = append(match, "headers: ["+g.several(2, g.header)+"]")
	}
	if g.IntN(5) == 0 {
		match = append(match, "query_parameters: [{name: "+pick(g, "q", "r")+", "+pick(g, "present_match: true",
			"string_match: {exact: '1'}", "string_match: {prefix: '2'}", "present_match: false")+"}]")
	}
	if g.IntN(8) == 0 && !strings.Contains(match[0], "path_match_policy") {
		match = append(match, "case_sensitive: false")
	}
	if g.IntN(10) == 0 {
		match = append(match, "grpc: {}")
	}
	if g.IntN(10) == 0 {
		match = append(match, "runtime_fraction: {"+pick(g, "", "runtime_key: test.none, ", "runtime_key: test.all, ",
			"runtime_key: test.over, ")+"default_value: {numerator: "+pick(g, "0", "100")+"}}")
	}
	regex := strings.Contains(match[0], "safe_regex") || strings.Contains(match[0], "path_match_policy")
	return "{match: {" + strings.Join(match, ", ") + "}, " + g.action(regex) + "}"
}

func (g *generator) path() string {
	switch g.IntN(8) {
	case 0, 1, 2:
		return "prefix: " + pick(g, "/", "/a", "/a/", "/A", "/x", "/api")
	case 3, 4:
		return "path: " + pick(g, "/a", "/a/b", "/", "/A", "/a%2Fb")
	case 5:
		return "path_separated_prefix: " + pick(g, "/a", "/a/b", "/x1", "/api/v1")
	case 6:
		if g.IntN(4) == 0 {
			return `path_match_policy: {name: t, ` +
				`typed_config: {"@type": ` +
				`type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig, ` +
				`path_template: '` + pick(g, "/a/{x}", "/api/**", "/{x=*}/b", "/*") + `'}}`
		}
		return "safe_regex: {regex: '" + pick(g, "/x[0-9]+", "/a.*", "/a/?b?", "/(a|x1)", "/[a-z]+", ".*b") + "'}"
	}
	return "prefix: /"
}

func (g *generator) header() string {
	kind := pick(g, "exact_match: "+quoted(pick(g, values...)), "present_match: true", "present_match: false",
		"range_match: {start: -5, end: 10}",
		"prefix_match: ab", "suffix_match: bc", "contains_match: bc", "safe_regex_match: {regex: '[a-z0-9]+'}",
		"string_match: "+g.stringMatcher(values...))
	invert := g.maybe(4, func() string { return ", invert_match: true" })
	empty := g.maybe(6, func() string { return ", treat_missing_header_as_empty: true" })
	name := pick(g, headers...)
	if g.IntN(5) == 0 {
		name = quoted(pick(g, known...))
	}
	return "{name: " + name + ", " + kind + invert + empty + "}"
}

func (g *generator) stringMatcher(words ...string) string {
	word := quoted(pick(g, words...))
	fold := g.maybe(3, func() string { return ", ignore_case: true" })
	switch g.IntN(5) {
	case 0:
		return "{exact: " + word + fold + "}"
	case 1:
		return "{prefix: " + word + fold + "}"
	case 2:
		return "{suffix: " + word + fold + "}"
	case 3:
		return "{contains: " + word + fold + "}"
	}
	return "{safe_regex: {regex: '" + pick(g, "[a-z]+", "/a.*", ".*[0-9]") + "'}}"
}

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func (g *generator) action(regex bool) string {
	switch g.IntN(12) {
	case 0:
		prefix := "prefix_rewrite: /p"
		if regex {
			prefix = "path_redirect: '/q?r'" // there is no prefix to rewrite
		}
		return "redirect: {" + pick(g, "https_redirect: true", "host_redirect: other.host",
			"path_redirect: /moved", prefix, "port_redirect: 8443", "scheme_redirect: ftp",
			"https_redirect: true, host_redirect: other.host, strip_query: true", "regex_rewrite: {pattern: {regex: "+
				"'/a'}, substitution: /z}") + pick(g, "", ", response_code: FOUND",
			", response_code: PERMANENT_REDIRECT") + "}"
	case 1:
		return "direct_response: {status: " + pick(g, "200", "404", "503") + "}"
	case 2:
		return "route: {cluster: missing" + pick(g, "", ", cluster_not_found_response_code: NOT_FOUND") + "}"
	case 3:
		return "route: {cluster_header: x-a}"
	case 4:
		return "route: {weighted_clusters: {" + pick(g, "", "header_name: x-c, ") + "clusters: [{name: a, weight: " +
			pick(g, "0", "50", "100") + "}, {name: b, weight: 1}]}}"
	case 5:
		if !regex {
			return "route: {cluster: " + pick(g, clusters...) + ", prefix_rewrite: " + pick(g, "/", "/new",
				"/new/") + "}"
		}
	case 6:
		return "route: {cluster: " + pick(g, clusters...) + `, regex_rewrite: {pattern: {regex: '` + pick(g, "a",
			"^/(\\w)", "/[0-9x]+") + `'}, substitution: '` + pick(g, "z", `/\1\1`, `\0y`) + `'}}`
	case 7:
		return "route: {cluster: " + pick(g, clusters...) + ", " + pick(g, "host_rewrite: '%REQ(x-a)%.format'",
			"path_rewrite: '/f/%REQ(x-b?x-c):2%'", "host_rewrite_literal: new.host", "host_rewrite_header: x-a",
			"host_rewrite_path_regex: {pattern: {regex: '^/(.+)$'}, substitution: '\\1.host'}") + "}"
	}
	return "route: {cluster: " + pick(g, clusters...) + "}"
}

// chains draws a TCP listener whose chains overlap; matches that are the same are left out, as
// Envoy refuses them.
func (g *generator) chains(port int) string {
	seen := map[string]bool{}
	all := ""
	for range 8 {
		m := g.chainMatch(port)
		if seen[m] {
			continue
		}
		seen[m] = true
		all += tcpChain("name: n"+fmt.Sprint(len(seen))+", filter_chain_match: "+m, pick(g, clusters...)) + ", "
	}
	fallback := g.maybe(2, func() string { return ", default_filter_chain: " + tcpChain("", pick(g, clusters...)) })
	filters := pick(g, tlsInspector, tlsInspector+", "+httpInspector,
		httpInspector+", "+tlsInspector, httpInspector, "")
	return fmt.Sprintf(`{name: "l_%d", address: {socket_address: {address: 0.0.0.0, port_value: %d}}, `+
		`listener_filters: [%s], filter_chains: [%s]%s}`,
		port, port, filters, all, fallback)
}

// chainMatch draws at most one value a field, so that no two matches overlap in a way
// that Envoy refuses.
func (g *generator) chainMatch(port int) string {
	var all []string
	add := func(n int, field string, values ...string) {
		if g.IntN(n) == 0 {
			all = append(all, field+": "+pick(g, values...))
		}
	}
	add(3, "destination_port", fmt.Sprint(port), "1")
	add(3, "prefix_ranges", "[{address_prefix: 10.0.0.0, prefix_len: 8}]",
		"[{address_prefix: 10.1.0.0, prefix_len: 16}]", "[{address_prefix: 10.1.2.3, prefix_len: 32}]")
	add(3, "server_names", "[a.example.com]", "['*.example.com']", "['*.com']")
	add(3, "transport_protocol", "tls", "raw_buffer")
	add(3, "application_protocols", "[h2]", "[http/1.1]", "[h2c]", "[istio]")
	add(6, "direct_source_prefix_ranges", "[{address_prefix: 127.8.0.0, prefix_len: 16}]",
		"[{address_prefix: 127.8.0.0, prefix_len: 24}]")
	add(5, "source_prefix_ranges", "[{address_prefix: 192.0.2.0, prefix_len: 24}]",
		"[{address_prefix: 192.0.2.7, prefix_len: 32}]")
	add(6, "source_type", "EXTERNAL", "SAME_IP_OR_LOOPBACK")
	add(6, "source_ports", "[1000]", "[2000]")
	return "{" + strings.Join(all, ", ") + "}"
}

func (g *generator) request(ports []int) flow.Request {
	port := pick(g, ports...)
	r := flow.Request{Direction: flow.Gateway, Address: pick(g, "10.0.0.1", "10.1.0.1", "10.1.2.3", "11.0.0.1"),
		Port:      uint32(port),
		Source:    pick(g, "192.0.2.1:1000", "192.0.2.7:2000", "198.51.100.1:1000", "127.0.0.1:3000", "10.0.0.1:2000"),
		Authority: pick(g, hosts...), Method: pick(g, methods...), Path: pick(g, paths...), Headers: flow.Headers{}}
	r.Protocol = pick(g, "http", "http", "http", "http2", "http1.0", "grpc", "tcp")
	r.DirectSource = fmt.Sprintf("127.%d.%d.%d:1", 8+g.IntN(2), g.IntN(3), 1+g.IntN(200))
	if (port-20000)%4 == 3 {
		if g.IntN(2) == 0 {
			r.TLS, r.SNI = flow.TLS, pick(g, "", "a.example.com", "b.example.com", "x.org", "a.b.example.com")
			r.ALPN = pick(g, nil, []string{"h2"}, []string{"http/1.1", "h2"}, []string{"istio"},
				[]string{"x", "istio", "h2"})
		}
	} else if r.Protocol == "tcp" && g.IntN(3) > 0 {
		r.Protocol = "http"
	}
	for range g.IntN(3) {
		r.Headers[pick(g, headers...)] = []string{pick(g, values...)}
	}
	if g.IntN(6) == 0 {
		r.Headers["x-forwarded-proto"] = []string{pick(g, "http", "https", "HTTPS", "ftp")}
	}
	if g.IntN(4) == 0 {
		r.Headers["x-forwarded-for"] = []string{pick(g, "192.0.2.1", "198.51.100.1", "198.51.100.1,192.0.2.9",
			"192.0.2.9, 198.51.100.1", "10.1.1.1", "nonsense", "192.0.2.5,nonsense")}
	}
	if g.IntN(8) == 0 {
		r.Headers[pick(g, known[2:7]...)] = []string{pick(g, "true", "5xx", "8080")}
	}
	return r
}
