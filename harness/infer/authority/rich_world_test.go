package authority

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// The rich world: clusters of every kind that a route may lead to.
const richPort = 9471

func at(last int) string { return fmt.Sprintf("127.62.0.%d:%d", last, richPort) }

// richClusters are six plain ones and those whose host the request has a part in.
func (g *rich) clusters() []string {
	var all []string
	for i, name := range clusters {
		all = append(all, staticCluster(name, at(i+1), ""))
	}
	subset := func(name, fallback string) string {
		endpoint := func(last int, metadata string) string {
			return fmt.Sprintf("{endpoint: {address: {socket_address: {address: 127.62.0.%d, port_value: %d}}}, "+
				"metadata: {filter_metadata: {envoy.lb: {%s}}}}", last, richPort, metadata)
		}
		return fmt.Sprintf("{name: %s, type: STATIC, lb_subset_config: {fallback_policy: %s%s, subset_selectors: "+
			"[{keys: [k]}, {keys: [k, v]}]}, load_assignment: {cluster_name: %s, endpoints: [{lb_endpoints: [%s]}]}}",
			name, fallback, map[bool]string{true: ", default_subset: {k: '5'}"}[fallback == "DEFAULT_SUBSET"], name,
			strings.Join([]string{endpoint(11, "k: '1'"), endpoint(12, "k: abc, v: '5'"),
				endpoint(13, "k: '5', v: abc"), endpoint(14, "k: abc, v: '1'"), endpoint(15, "v: '1'")}, ", "))
	}
	resolver := fmt.Sprintf(`typed_dns_resolver_config: {name: envoy.network.dns_resolver.cares, typed_config: `+
		`{"@type": type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig, `+
		`resolvers: [{socket_address: {address: 127.0.0.1, port_value: %s}}]}}`, g.dns)
	return append(all, subset("sub", "NO_FALLBACK"), subset("subany", "ANY_ENDPOINT"),
		subset("subdef", "DEFAULT_SUBSET"), staticCluster("authz", "127.62.1.1:9471", ""),
		"{name: empty, type: STATIC}",
		staticCluster("dns1", "127.62.2.1:9471", ""), staticCluster("dns2", "127.62.2.2:9471", ""),
		staticCluster("dns3", "127.62.2.3:9471", ""),
		`{name: byheader, type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED, original_dst_lb_config: {use_http_header: `+
			`true, http_header_name: x-to}}`,
		`{name: bymetadata, type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED, original_dst_lb_config: {metadata_key: `+
			`{key: ns, path: [{key: to}]}, upstream_port_override: 9471}}`,
		`{name: dynamic, lb_policy: CLUSTER_PROVIDED, cluster_type: {name: d, typed_config: {"@type": `+
			`type.googleapis.com/envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig, dns_cache_config: `+
			`{name: c, dns_lookup_family: V4_ONLY, `+resolver+`}}}}`,
		insideCluster("inside", "by-port", "", true), insideCluster("blind", "by-port", "", false),
		insideCluster("marked", "by-port", at(2), true), insideCluster("again", "http-inside", "", true))
}

// inner are the listeners of the proxy itself.
func (g *rich) inner() []string {
	return []string{
		`{name: by-port, internal_listener: {}, listener_filters: [` + originalDst + `], filter_chains: [` +
			strings.Join([]string{tcpChain("name: p1, filter_chain_match: {destination_port: 1001}", "a"),
				tcpChain("name: ip, filter_chain_match: {prefix_ranges: [{address_prefix: 127.62.0.2, prefix_len: "+
					"32}]}", "b"), tcpChain("name: rest", "c")}, ", ") + `]}`,
		`{name: http-inside, internal_listener: {}, filter_chains: [` + httpChain("", "", `virtual_hosts: [{name: v, `+
			`domains: ["*"], routes: [{match: {prefix: /, headers: [`+g.header()+`]}, route: {cluster: d}}, {match: `+
			`{prefix: /a}, route: {cluster: e}}, {match: {prefix: /}, route: {cluster: f}}]}]`) + `]}`,
	}
}

// richManager is the fields of a connection manager.
func (g *rich) richManager() (text string, names map[string]bool) {
	list, names := g.filterList(g.IntN(5))
	all := []string{"http_filters: " + list}
	var upgrades []string
	if g.IntN(2) == 0 {
		own := g.maybe(4, func() string { l, _ := g.filterList(1); return ", filters: " + l })
		upgrades = append(upgrades, "{upgrade_type: websocket"+pick(g.generator, "", "", ", enabled: false")+own+"}")
	}
	if g.IntN(3) == 0 {
		upgrades = append(upgrades, "{upgrade_type: CONNECT"+pick(g.generator, "", ", enabled: false")+"}")
	}
	if len(upgrades) > 0 {
		all = append(all, "upgrade_configs: ["+strings.Join(upgrades, ", ")+"]")
	}
	if g.IntN(4) == 0 {
		all = append(all, pick(g.generator, "use_remote_address: true", "strip_any_host_port: true",
			"normalize_path: true", "xff_num_trusted_hops: 1"))
	}
	return strings.Join(all, ", "), names
}

// richTable is a route configuration.
func (g *rich) richTable(names map[string]bool) string {
	host := func(i int, domains string) string {
		var routes []string
		for range 2 + g.IntN(4) {
			routes = append(routes, g.richRoute(names))
		}
		return fmt.Sprintf("{name: v%d, domains: [%s]%s, routes: [%s]}", i, domains, g.perRoute(4, names),
			strings.Join(routes, ", "))
	}
	all := []string{host(0, "'*'")}
	if g.IntN(2) == 0 {
		all = append(all, host(1, "a.example.com"))
	}
	return "virtual_hosts: [" + strings.Join(all, ", ") + "]" + g.perRoute(5, names)
}

func (g *rich) richRoute(names map[string]bool) string {
	match := "prefix: " + pick(g.generator, "/", "/", "/", "/a", "/x")
	if g.IntN(10) == 0 {
		match = "connect_matcher: {}"
	}
	switch g.IntN(9) {
	case 0, 1, 2:
		match += ", headers: [" + g.header() + "]"
	case 3, 4:
		match += fmt.Sprintf(", dynamic_metadata: [{filter: %s, path: [{key: %s}], value: {%s}%s}]",
			pick(g.generator, "ns", "envoy.lb"), g.key(),
			pick(g.generator, "present_match: true", "string_match: {exact: '1'}", "string_match: {prefix: a}",
				"double_match: {exact: 5}"), pick(g.generator, "", "", ", invert: true"))
	case 5:
		match += ", filter_state: [{key: k, string_match: " + g.stringMatcher("abc", "1") + "}]"
	case 6:
		match += ", runtime_fraction: {default_value: {numerator: " + pick(g.generator, "0", "30", "50", "100") + "}}"
	case 7:
		match += ", query_parameters: [{name: q, " + pick(g.generator, "present_match: true",
			"string_match: {exact: '1'}") + "}]"
	}
	added := g.maybe(6, func() string {
		return ", request_headers_to_add: [{header: {key: " + pick(g.generator, "x-a", "x-to", "x-b") + ", value: '" +
			pick(g.generator, at(3), "abc", "%REQ(x-b)%") + "'}" + pick(g.generator, "",
			", append_action: OVERWRITE_IF_EXISTS_OR_ADD") + "}]"
	})
	return "{match: {" + match + "}, " + g.richAction() + added + g.perRoute(3, names) + "}"
}

// subsetMatch is a metadata_match, or nothing.
func (g *rich) subsetMatch() string {
	return g.maybe(2, func() string {
		return ", metadata_match: {filter_metadata: {envoy.lb: {" + pick(g.generator, "k: '1'", "k: abc", "k: none",
			"k: abc, v: '5'", "v: '1'") + "}}}"
	})
}

func (g *rich) richAction() string {
	upgrades := g.maybe(5, func() string {
		return ", upgrade_configs: [" + pick(g.generator, "{upgrade_type: websocket}",
			"{upgrade_type: websocket, enabled: false}", "{upgrade_type: CONNECT}",
			"{upgrade_type: CONNECT, connect_config: {}}") + "]"
	})
	switch g.IntN(16) {
	case 0, 1, 2, 3:
		return "route: {cluster: " + pick(g.generator, "sub", "subany", "subdef") + g.subsetMatch() + "}"
	case 4:
		return "route: {weighted_clusters: {clusters: [{name: a, weight: " + pick(g.generator, "0", "50", "100") +
			"}, {name: sub, weight: 50" + g.subsetMatch() + "}]}}"
	case 5:
		return "route: {cluster: byheader}"
	case 6:
		return "route: {cluster: bymetadata}"
	case 7:
		return "route: {cluster: dynamic" + pick(g.generator, "", "", ", host_rewrite_literal: '"+at(4)+"'",
			", host_rewrite_literal: 'up1.test:9471'") + "}"
	case 8:
		return "route: {cluster: " + pick(g.generator, "inside", "blind", "marked") + upgrades + "}"
	case 9:
		return "route: {cluster: again, prefix_rewrite: " + pick(g.generator, "/a", "/x") + "}"
	case 10:
		return "direct_response: {status: " + pick(g.generator, "204", "404") + "}"
	case 11:
		return "redirect: {https_redirect: true}"
	case 12:
		return "route: {cluster_header: x-a}"
	case 13:
		return "route: {cluster: empty}"
	}
	return "route: {cluster: " + pick(g.generator, clusters...) + upgrades + "}"
}

// tied draws a listener whose chains tell clients apart by ranges, of which some
// stand for everybody.
func (g *rich) tied(port int) string {
	seen, all := map[string]bool{}, ""
	for i := range 6 {
		var match []string
		add := func(n int, field string, values ...string) {
			if g.IntN(n) == 0 {
				match = append(match, field+": "+pick(g.generator, values...))
			}
		}
		add(2, "source_prefix_ranges", "[{address_prefix: 0.0.0.0, prefix_len: 0}]",
			"[{address_prefix: '::', prefix_len: 0}]", "[{address_prefix: 192.0.2.0, prefix_len: 24}]",
			"[{address_prefix: '2001:db8::', prefix_len: 32}]")
		add(3, "prefix_ranges", "[{address_prefix: 0.0.0.0, prefix_len: 0}]", "[{address_prefix: '::', prefix_len: 0}]",
			"[{address_prefix: 10.0.0.0, prefix_len: 8}]", "[{address_prefix: '2001:db8:1::', prefix_len: 48}]")
		add(4, "direct_source_prefix_ranges", "[{address_prefix: 0.0.0.0, prefix_len: 0}]",
			"[{address_prefix: 127.0.0.0, prefix_len: 8}]")
		add(3, "transport_protocol", "tls", "raw_buffer")
		add(4, "server_names", "[a.example.com]", "['*.example.com']")
		text := "{" + strings.Join(match, ", ") + "}"
		if seen[text] {
			continue
		}
		seen[text] = true
		all += g.networkChain(fmt.Sprintf("name: n%d, filter_chain_match: %s", i, text), clusters[i]) + ", "
	}
	fallback := g.maybe(2, func() string { return ", default_filter_chain: " + g.networkChain("", "sub") })
	return fmt.Sprintf(`{name: "l_%d", address: {socket_address: {address: '::', ipv4_compat: true, port_value: `+
		`%d}}, listener_filters: [%s], filter_chains: [%s]%s}`, port, port,
		pick(g.generator, tlsInspector, tlsInspector, ""), all, fallback)
}

// networkChain is a chain of network filters that ends in a TCP proxy.
func (g *rich) networkChain(more, cluster string) string {
	before := ""
	switch g.IntN(7) {
	case 0:
		before = networkFilter("envoy.filters.network.sni_cluster", "sni_cluster.v3.SniCluster", "") + ", "
	case 1:
		before = networkFilter("rbac", "rbac.v3.RBAC", "stat_prefix: r, rules: {"+pick(g.generator, "action: ALLOW",
			"action: DENY")+", policies: {p: {permissions: [{any: true}], principals: [{remote_ip: {address_prefix: "+
			"192.0.2.0, prefix_len: 24}}]}}}") + ", "
	case 2:
		before = networkFilter("set", "set_filter_state.v3.Config", `on_new_connection: [{object_key: `+
			`envoy.tcp_proxy.cluster, format_string: {text_format_source: {inline_string: `+pick(g.generator, "d",
			"'%REQUESTED_SERVER_NAME%'")+`}}}]`) + ", "
	}
	proxy := pick(g.generator, "cluster: "+cluster, "cluster: "+cluster, "cluster: marked",
		"cluster: sub, metadata_match: {filter_metadata: {envoy.lb: {k: '1'}}}",
		"weighted_clusters: {clusters: [{name: e, weight: 1}, {name: f, weight: 3}]}")
	return fmt.Sprintf(`{filters: [%s%s], %s}`, before, networkFilter("tcp", "tcp_proxy.v3.TcpProxy",
		"stat_prefix: t, "+proxy), first(more, "name: rest"))
}

// redirected are the listeners of a pod whose connections are redirected: for one family or for
// both, with listeners of several addresses beside each other, and one for UDP where a TCP
// connection goes too.
func (g *rich) redirected() []string {
	chain := func(cluster string) string { return "filter_chains: [" + tcpChain("", cluster) + "]" }
	address := func(ip string, port int, more string) string {
		return fmt.Sprintf("{socket_address: {address: '%s', port_value: %d%s}}", ip, port, more)
	}
	all := []string{"{name: virtualOutbound, address: " + address(pick(g.generator, "0.0.0.0", "::"), 15001,
		pick(g.generator, "", ", ipv4_compat: true")) + ", use_original_dst: true, " + chain("a") + "}"}
	all[0] = strings.Replace(all[0], "'0.0.0.0', port_value: 15001, ipv4_compat: true",
		"'0.0.0.0', port_value: 15001", 1)
	seen := map[string]bool{}
	for i := range 8 {
		ip := pick(g.generator, "10.0.0.1", "0.0.0.0", "0.0.0.0", "2001:db8::1", "::", "::", "127.77.0.1")
		port := pick(g.generator, 1000, 2000, 3000)
		compat := ""
		if ip == "::" {
			compat = pick(g.generator, "", ", ipv4_compat: true")
		}
		key := fmt.Sprint(ip, port, compat)
		if seen[key] || seen[fmt.Sprint("0.0.0.0", port)] && compat != "" ||
			ip == "0.0.0.0" && seen[fmt.Sprint("::", port, ", ipv4_compat: true")] ||
			ip == "::" && (seen[fmt.Sprint("::", port)] || seen[fmt.Sprint("::", port, ", ipv4_compat: true")]) {
			continue
		}
		seen[key] = true
		all = append(all, fmt.Sprintf("{name: h%d, address: %s, bind_to_port: false, %s}", i, address(ip, port, compat),
			chain(clusters[i%len(clusters)])))
	}
	for port := range map[int]bool{pick(g.generator, 1000, 2000, 3000): true} {
		all = append(all, fmt.Sprintf(`{name: udp, address: {socket_address: {protocol: UDP, address: 127.77.0.1,
			port_value: %d}}, udp_listener_config: {}, listener_filters: [{name: envoy.filters.udp_listener.udp_proxy,
  typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig, stat_prefix: u,
    matcher: {on_no_match: {action: {name: route,
      typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.udp.udp_proxy.v3.Route,
        cluster: f}}}}}}]}`, port))
	}
	return all
}

// proxied is the listener filter that reads the header by which the client says its destination.
const proxied = `{name: envoy.filters.listener.proxy_protocol, ` +
	`typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol}}`

// richConfig draws a whole configuration and returns the ports of its gateways.
func (g *rich) richConfig() (config, []int) {
	c := config{clusters: g.clusters(), listeners: append(g.inner(), g.redirected()...)}
	var ports []int
	for i := range 16 {
		port := 21000 + i
		ports = append(ports, port)
		if i%4 == 3 {
			c.listeners = append(c.listeners, g.tied(port))
			continue
		}
		manager, names := g.richManager()
		c.listeners = append(c.listeners, strings.Replace(httpListener(port, manager, g.richTable(names)),
			"filter_chains:", "listener_filters: ["+proxied+"], filter_chains:", 1))
	}
	return c, ports
}

// richRequest draws a request to one of the ports, or one that is redirected.
func (g *rich) richRequest(ports []int) flow.Request {
	r := flow.Request{Direction: flow.Gateway, Address: pick(g.generator, "127.62.0.3", "127.62.0.4"),
		Port: uint32(pick(g.generator, ports...)), Headers: flow.Headers{},
		Source:       pick(g.generator, "192.0.2.1:1000", "192.0.2.7:2000", "198.51.100.1:1000", "10.0.0.1:2000"),
		DirectSource: fmt.Sprintf("127.%d.%d.%d:1", 8+g.IntN(2), g.IntN(250), 1+g.IntN(250))}
	if g.IntN(12) == 0 {
		r.Direction, r.Protocol = flow.Outbound, "tcp"
		r.Address, r.Port = pick(g.generator, "10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2", "127.77.0.1"),
			pick[uint32](g.generator, 1000, 2000, 3000, 4000)
		return r
	}
	if (r.Port-21000)%4 == 3 {
		r.Protocol = "tcp"
		if g.IntN(3) == 0 {
			r.Address, r.Source = pick(g.generator, "2001:db8:1::1", "2001:db8::1"),
				pick(g.generator, "[2001:db8::9]:1000", "[2001:db9::9]:1000")
		}
		if g.IntN(2) == 0 {
			r.TLS, r.SNI = flow.TLS, pick(g.generator, "", "a.example.com", "b.example.com", "d", "nowhere")
		}
		return r
	}
	r.Protocol, r.Method, r.Path = pick(g.generator, "http", "http", "http", "http2", "grpc"),
		pick(g.generator, methods...), pick(g.generator, "/", "/", "/a", "/a/b", "/x1", "/a?q=1", "/?q=abc", "/x?r=2")
	r.Authority = pick(g.generator, "a.example.com", "a.example.com:80", "other", at(5), "up1.test:9471",
		"up2.test:9471")
	for range g.IntN(4) {
		r.Headers[pick(g.generator, "x-a", "x-b", "x-c", "x-a")] = []string{
			pick(g.generator, "1", "5", "abc", "b", "ABC"),
		}
	}
	g.special(&r)
	return r
}

// special adds what some filters and routes ask for.
func (g *rich) special(r *flow.Request) {
	set := func(n int, name string, values ...string) {
		if g.IntN(n) == 0 {
			r.Headers[name] = []string{pick(g.generator, values...)}
		}
	}
	set(3, "x-to", at(1), at(6), "127.62.0.2:5", "127.62.0.2", "nonsense")
	set(5, "origin", "http://ok", "http://no", "http://a.example.com", "https://x.ok")
	set(8, "authorization", "Basic dXNlcjE6dGVzdDE=", "Bearer "+hsToken, "Bearer "+hsForged)
	set(8, "cookie", "c=abc", "c=1; d=2")
	set(12, "cdn-loop", "me", "me,me", "other")
	if r.Method == "OPTIONS" {
		set(2, "access-control-request-method", "GET", "POST")
	}
	if r.Protocol == "http" && g.IntN(12) == 0 {
		r.Headers["upgrade"], r.Headers["connection"] = []string{pick(g.generator, "websocket", "WebSocket", "other")},
			[]string{"upgrade"}
	}
	if r.Protocol == "http" && g.IntN(30) == 0 {
		r.Method, r.Path = "CONNECT", pick(g.generator, "a.example.com:80", at(5))
		r.Authority = r.Path
	}
}
