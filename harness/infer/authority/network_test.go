package authority

import (
	"context"
	"fmt"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
)

// networkFilter is a network filter without more than its configuration.
func networkFilter(name, kind, config string) string {
	if config != "" {
		config = ", " + config
	}
	return fmt.Sprintf(`{name: %s, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.%s%s}}`,
		name, kind, config)
}

const toDefault = `{name: tcp, ` +
	`typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, ` +
	`stat_prefix: t, cluster: default}}`

// networkRules are chains of network filters, and the connections that show what they do.
var networkRules = []struct {
	name, filters string
	requests      []flow.Request
}{
	{"sni_cluster names the cluster", networkFilter("envoy.filters.network.sni_cluster",
		"sni_cluster.v3.SniCluster", "") + ", " + toDefault,
		[]flow.Request{hello("a"), hello("b"), hello("none"), hello(""), clear("tcp")}},
	{"set_filter_state names the cluster", networkFilter("set", "set_filter_state.v3.Config", `on_new_connection: `+
		`[{object_key: envoy.tcp_proxy.cluster, format_string: {text_format_source: {inline_string: `+
		`"%REQUESTED_SERVER_NAME%"}}}]`) + ", " + toDefault,
		[]flow.Request{hello("a"), hello("none")}},
	{"direct_response answers", networkFilter("direct", "direct_response.v3.Config", "response: {inline_string: hi}"),
		[]flow.Request{clear("tcp"), hello("a")}},
	{
		"weighted clusters of one",
		`{name: tcp, ` +
			`typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, ` +
			`stat_prefix: t, weighted_clusters: {clusters: [{name: a, weight: 1}]}}}`, []flow.Request{
			clear("tcp"),
		},
	},
	{
		"no such cluster",
		`{name: tcp, ` +
			`typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, ` +
			`stat_prefix: t, cluster: nowhere}}`, []flow.Request{
			clear("tcp"), hello("a"),
		},
	},
	{
		"a cluster without endpoints",
		`{name: tcp, ` +
			`typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, ` +
			`stat_prefix: t, cluster: empty}}`, []flow.Request{
			clear("tcp"),
		},
	},
}

// TestNetworkFilters holds the filters in front of a TCP proxy, and others that end a
// chain, against Envoy.
func TestNetworkFilters(t *testing.T) {
	const base = 48000
	c := config{clusters: append(stubbed("a", "b", "default"), "{name: empty, type: STATIC}")}
	var requests []flow.Request
	for i, r := range networkRules {
		c.listeners = append(c.listeners, fmt.Sprintf(`{name: "l_%d", address: {socket_address: {address: 0.0.0.0, `+
			`port_value: %d}}, listener_filters: [%s], filter_chains: [{filters: [%s]}]}`,
			base+i, base+i, tlsInspector, r.filters))
		for _, req := range r.requests {
			req.Direction, req.Address, req.Port = flow.Gateway, "10.0.0.1", uint32(base+i)
			requests = append(requests, req)
		}
	}
	d := c.dump(t)
	for _, text := range judge(t, start(t, d, Options{}), infer.New(d), requests) {
		if text != "" {
			t.Error(text)
		}
	}
}

// TestHandOver holds use_original_dst against Envoy: which listener a restored destination
// leads to, of both families, with wildcards, additional addresses and addresses of IPv6 that
// stand for IPv4 too.
func TestHandOver(t *testing.T) {
	chain := func(cluster string) string { return "filter_chains: [" + tcpChain("", cluster) + "]" }
	at := func(address string, port int, more string) string {
		return fmt.Sprintf("{socket_address: {address: '%s', port_value: %d%s}}", address, port, more)
	}
	listener := func(name, address, more string) string {
		return fmt.Sprintf("{name: %s, address: %s, bind_to_port: false%s, %s}", name, address, more, chain(name))
	}
	names := []string{"virtualOutbound", "exact4", "any4", "exact6", "any6", "both", "more", "exactOfAny"}
	c := config{clusters: stubbed(names...), listeners: []string{
		"{name: virtualOutbound, address: " + at("0.0.0.0", 15001, "") + ", use_original_dst: true, " +
			chain("virtualOutbound") + "}",
		listener("exact4", at("10.0.0.1", 1000, ""), ""), listener("any4", at("0.0.0.0", 2000, ""), ""),
		listener("exactOfAny", at("10.0.0.2", 2000, ""), ""),
		listener("exact6", at("2001:db8::1", 3000, ""), ""), listener("any6", at("::", 4000, ""), ""),
		listener("both", at("::", 5000, ", ipv4_compat: true"), ""),
		listener("more", at("10.0.0.9", 6000, ""), ", additional_addresses: [{address: "+at("10.0.0.10", 6001, "")+
			"}, {address: "+at("0.0.0.0", 6002, "")+"}, {address: "+at("2001:db8::9", 6003, "")+"}]"),
	}}
	var requests []flow.Request
	for _, address := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.9", "10.0.0.10", "127.0.0.1", "2001:db8::1",
		"2001:db8::9", "::1"} {
		for _, port := range []uint32{1000, 2000, 3000, 4000, 5000, 6000, 6001, 6002, 6003, 7000, 15001} {
			requests = append(requests, flow.Request{Direction: flow.Outbound, Address: address, Port: port,
				Protocol: "tcp"})
		}
	}
	d := c.dump(t)
	for _, text := range judge(t, start(t, d, Options{}), infer.New(d), requests) {
		if text != "" {
			t.Error(text)
		}
	}
}

// TestAutoHost holds auto_host_rewrite against Envoy: the host becomes the name of the
// endpoint that is picked.
func TestAutoHost(t *testing.T) {
	const base = 48100
	endpoint := func(n int, more string) string {
		return fmt.Sprintf("{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.5.0.%d, port_value: "+
			"8080}}%s}}]}", n, more)
	}
	cluster := func(name, kind, endpoints string) string {
		return fmt.Sprintf("{name: %s, type: %s, load_assignment: {cluster_name: %s, endpoints: [%s]}}", name, kind,
			name, endpoints)
	}
	auto := func(cluster string) string {
		return vhost("{match: {prefix: /}, route: {cluster: " + cluster + ", auto_host_rewrite: true}}")
	}
	c := config{clusters: []string{
		cluster("named", "STATIC", endpoint(1, ", hostname: endpoint.name")),
		cluster("nameless", "STATIC", endpoint(2, "")),
		cluster("dns", "STRICT_DNS", endpoint(3, "")),
		cluster("same", "STATIC", endpoint(4, ", hostname: one")+", "+endpoint(5, ", hostname: one")),
	}}
	for i, name := range []string{"named", "nameless", "dns", "same"} {
		c.listeners = append(c.listeners, httpListener(base+i, "", auto(name)))
	}
	d := c.dump(t)
	e, engine := start(t, d, Options{KeepEndpoints: true}), infer.New(d)
	for i := range c.listeners {
		req := shorthand("GET x /", base+i)
		results, err := e.Ask(context.Background(), []flow.Request{req})
		if err != nil {
			t.Fatal(err)
		}
		decision, err := engine.Decide(req)
		if err != nil {
			t.Fatal(err)
		}
		if all := Differences(req, decision, results[0]); len(all) > 0 {
			t.Errorf("%s: %v\n  Envoy logged %+v %s", c.clusters[i], all, results[0].Entries, results[0].Problem)
		}
	}
}
