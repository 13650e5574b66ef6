package authority

import (
	"fmt"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
)

// A chainRule is a listener with chains that each lead to a cluster of their own, and the
// connections that show them.
type chainRule struct {
	name     string
	filters  string   // listener filters: tls, http, or both
	chains   []string // filter_chain_match of each; the clusters are c0, c1, …
	more     string   // further fields of the listener
	requests []flow.Request
}

const (
	tlsInspector = `{name: envoy.filters.listener.tls_inspector, typed_config: {
		"@type": type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector}}`
	httpInspector = `{name: envoy.filters.listener.http_inspector, typed_config: {
		"@type": type.googleapis.com/envoy.extensions.filters.listener.http_inspector.v3.HttpInspector}}`
)

// chainConfig is a configuration with a listener for each rule, with the requests of all and the
// index of the rule that each belongs to.
func chainConfig(base int, rules []chainRule) (c config, requests []flow.Request, owner []int) {
	c = config{clusters: stubbed("c0", "c1", "c2", "c3", "c4", "c5", "default")}
	for i, r := range rules {
		chains := ""
		for j, match := range r.chains {
			more := "name: n" + fmt.Sprint(j)
			if match != "" {
				more += ", filter_chain_match: " + match
			}
			chains += tcpChain(more, fmt.Sprint("c", j)) + ", "
		}
		c.listeners = append(c.listeners, fmt.Sprintf(`{name: "l_%d", address: {socket_address: {address: '::', `+
			`ipv4_compat: true, port_value: %d}}, listener_filters: [%s], filter_chains: [%s]%s}`,
			base+i, base+i, r.filters, chains, r.more))
		for _, req := range r.requests {
			req.Direction = flow.Gateway
			if req.Address == "" {
				req.Address = "10.0.0.1"
			}
			req.Port = uint32(base + i)
			requests, owner = append(requests, req), append(owner, i)
		}
	}
	return c, requests, owner
}

// TestChains holds the choice of a filter chain against Envoy.
func TestChains(t *testing.T) {
	c, requests, owner := chainConfig(30000, chainRules)
	d := c.dump(t)
	texts := judge(t, start(t, d, Options{}), infer.New(d), requests)
	for i, r := range chainRules {
		t.Run(r.name, func(t *testing.T) {
			for j, text := range texts {
				if owner[j] == i && text != "" {
					t.Error(text)
				}
			}
		})
	}
}

// target is a request with a target that need not be a path.
func target(method, path string) flow.Request {
	return flow.Request{Authority: "x", Method: method, Path: path}
}

func clear(protocol string) flow.Request { return flow.Request{Protocol: protocol, Authority: "x"} }

func hello(sni string, alpn ...string) flow.Request {
	return flow.Request{TLS: flow.TLS, SNI: sni, ALPN: alpn, Authority: "x"}
}

func from(source, dst string) flow.Request {
	return flow.Request{Source: source, Address: dst, Protocol: "tcp"}
}

// through is a connection of a proxy at direct that says it is for source.
func through(direct, source string) flow.Request {
	return flow.Request{DirectSource: direct, Source: source, Address: "10.0.0.1", Protocol: "tcp"}
}

var chainRules = []chainRule{
	{"transport protocol", tlsInspector, []string{"{transport_protocol: tls}", "{transport_protocol: raw_buffer}"}, "",
		[]flow.Request{clear("http"), clear("tcp"), hello("a.b")}},
	{"no inspector", "", []string{"{transport_protocol: tls}", "{transport_protocol: raw_buffer}"}, "",
		[]flow.Request{clear("http"), hello("a.b", "h2")}},
	{"server names", tlsInspector, []string{"{server_names: [a.example.com]}", "{server_names: ['*.example.com']}",
		"{server_names: ['*.com', b.org]}", ""}, "",
		[]flow.Request{hello("a.example.com"), hello("b.example.com"), hello("x.y.example.com"), hello("example.com"),
			hello("b.org"), hello("c.b.org"), hello(""), hello("A.EXAMPLE.com"), clear("http"), hello("com")}},
	{"server names without fallback", tlsInspector, []string{"{server_names: [a.example.com]}",
		"{server_names: ['*.example.com']}"}, "", []flow.Request{hello("c.d"), hello(""), clear("tcp")}},
	{"server name commits", tlsInspector, []string{"{server_names: [a.example.com], application_protocols: [h2]}",
		"{server_names: ['*.example.com']}"}, "",
		[]flow.Request{hello("a.example.com", "h2"), hello("a.example.com", "http/1.1"), hello("b.example.com")}},
	{"application protocols in the client's order", tlsInspector, []string{"{application_protocols: [h2]}",
		"{application_protocols: [http/1.1, istio]}", ""}, "",
		[]flow.Request{hello("", "h2", "http/1.1"), hello("", "http/1.1", "h2"), hello("", "x", "istio", "h2"),
			hello("", "x"), hello("")}},
	{"http_inspector", tlsInspector + ", " + httpInspector, []string{"{application_protocols: [http/1.0]}",
		"{application_protocols: [http/1.1]}", "{application_protocols: [h2c]}", "{transport_protocol: raw_buffer}",
		"{transport_protocol: tls}"}, "",
		[]flow.Request{clear("http"), clear("http1.0"), clear("http2"), clear("grpc"), clear("tcp"), hello("x", "h2")}},
	{"http_inspector and request targets", httpInspector,
		[]string{"{application_protocols: [http/1.1]}", "{application_protocols: [http/1.0]}",
			"{transport_protocol: raw_buffer}"}, "",
		[]flow.Request{target("GET", "p"), target("OPTIONS", "*"), target("GET", "http://a.b/"),
			target("CONNECT", "a:80"),
			target("GET", "/a b"), target("GET", "?q"), target("FOO", "/"), target("get", "/"),
			target("GET", "/"+strings.Repeat("a", 9000))}},
	{"http_inspector first", httpInspector + ", " + tlsInspector, []string{"{application_protocols: [http/1.1]}",
		"{application_protocols: [h2c]}", "{transport_protocol: tls}", ""}, "",
		[]flow.Request{clear("http"), clear("http2"), clear("tcp"), hello("x", "http/1.1"), hello("x")}},
	{
		"http_inspector alone on TLS", httpInspector, []string{"{application_protocols: [http/1.1]}",
			"{transport_protocol: tls}", "{transport_protocol: raw_buffer}"}, "",
		[]flow.Request{hello("x", "http/1.1"), clear("http")},
	},
	{"destination prefixes", "", []string{"{prefix_ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}]}",
		"{prefix_ranges: [{address_prefix: 10.1.0.0, prefix_len: 16}]}",
		"{prefix_ranges: [{address_prefix: 10.1.2.3, prefix_len: 32}, {address_prefix: 11.0.0.0, prefix_len: 8}]}",
		"{prefix_ranges: [{address_prefix: '2001:db8::', prefix_len: 32}]}"}, "",
		[]flow.Request{from("", "10.2.3.4"), from("", "10.1.2.4"), from("", "10.1.2.3"), from("", "11.1.1.1"),
			from("", "12.1.1.1"), from("", "2001:db8::5"), from("", "2001:db9::5")}},
	{"destination prefix and none", "", []string{"{prefix_ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}]}", ""},
		"", []flow.Request{from("", "10.2.3.4"), from("", "12.1.1.1"), from("", "2001:db8::5")}},
	{"destination prefix commits", tlsInspector,
		[]string{"{prefix_ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}], transport_protocol: tls}",
			"{transport_protocol: raw_buffer}"}, "",
		[]flow.Request{from("", "10.2.3.4"), from("", "12.1.1.1"), hello("x")}},
	{"source prefixes", "", []string{"{source_prefix_ranges: [{address_prefix: 192.0.2.0, prefix_len: 24}]}",
		"{source_prefix_ranges: [{address_prefix: 192.0.2.7, prefix_len: 32}]}", ""}, "",
		[]flow.Request{from("192.0.2.1:1000", "10.0.0.1"), from("192.0.2.7:1000", "10.0.0.1"),
			from("192.0.3.1:1000", "10.0.0.1")}},
	{"source ports", "", []string{"{source_ports: [1000, 1001]}",
		"{source_prefix_ranges: [{address_prefix: 192.0.2.0, prefix_len: 24}], source_ports: [1000]}", ""}, "",
		[]flow.Request{from("192.0.3.1:1000", "10.0.0.1"), from("192.0.3.1:1002", "10.0.0.1"),
			from("192.0.2.1:1000", "10.0.0.1"), from("192.0.2.1:1001", "10.0.0.1")}},
	{"direct source prefixes are the socket's peer's", "",
		[]string{"{direct_source_prefix_ranges: [{address_prefix: 127.8.0.0, prefix_len: 16}]}",
			"{direct_source_prefix_ranges: [{address_prefix: 127.8.1.0, prefix_len: 24}]}",
			"{source_prefix_ranges: [{address_prefix: 192.0.2.0, prefix_len: 24}]}", ""}, "",
		[]flow.Request{through("127.8.0.1:1", "192.0.2.1:1"), through("127.8.1.1:1", "192.0.2.1:1"),
			through("127.9.0.1:1", "192.0.2.1:1"), through("127.9.0.2:1", "192.0.3.1:1"),
			through("127.9.0.3:1", "127.8.0.1:1")}},
	{"a direct source prefix commits", "",
		[]string{"{direct_source_prefix_ranges: [{address_prefix: 127.8.0.0, prefix_len: 16}], source_type: " +
			"SAME_IP_OR_LOOPBACK}",
			"{direct_source_prefix_ranges: [{address_prefix: 127.8.1.0, prefix_len: 24}], source_prefix_ranges: " +
				"[{address_prefix: 192.0.2.0, prefix_len: 24}]}",
			"{source_prefix_ranges: [{address_prefix: 192.0.3.0, prefix_len: 24}]}"}, "",
		[]flow.Request{through("127.8.0.4:1", "127.0.0.1:1"), through("127.8.0.5:1", "192.0.2.1:1"),
			through("127.8.1.6:1", "127.0.0.1:1"), through("127.8.1.7:1", "192.0.2.1:1"),
			through("127.8.1.8:1", "192.0.3.1:1"), through("127.9.0.9:1", "192.0.3.1:1")}},
	{"a source prefix and a direct one", "", []string{"{direct_source_prefix_ranges: [{address_prefix: 127.8.0.0, " +
		"prefix_len: 16}], source_prefix_ranges: [{address_prefix: 192.0.2.0, prefix_len: 24}]}",
		"{direct_source_prefix_ranges: [{address_prefix: 127.8.0.0, prefix_len: 16}], source_prefix_ranges: " +
			"[{address_prefix: 192.0.2.7, prefix_len: 32}], source_ports: [7]}", "{source_ports: [7]}"}, "",
		[]flow.Request{through("127.8.2.1:1", "192.0.2.1:7"), through("127.8.2.2:1", "192.0.2.7:7"),
			through("127.8.2.3:1", "192.0.2.7:8"), through("127.9.2.4:1", "192.0.2.7:7"),
			through("127.8.2.5:1", "192.0.3.7:7")}},
	{"direct source by filter_chain_matcher", "", []string{"", ""}, `,
		filter_chain_matcher: {matcher_tree: {input: {name: ip, typed_config: {
		"@type": type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.DirectSourceIPInput}},
		  exact_match_map: {map: {
		127.8.3.1: {action: {name: n0, typed_config: {"@type": type.googleapis.com/google.protobuf.StringValue,
		  value: n0}}}}}}, on_no_match: {action: {name: n1,
		    typed_config: {"@type": type.googleapis.com/google.protobuf.StringValue, value: n1}}}}`,
		[]flow.Request{through("127.8.3.1:1", "192.0.2.1:1"), through("127.8.3.2:1", "127.8.3.1:1")}},
	{"source type", "", []string{"{source_type: SAME_IP_OR_LOOPBACK}", "{source_type: EXTERNAL}"}, "",
		[]flow.Request{from("192.0.3.1:1000", "10.0.0.1"), from("10.0.0.1:1000", "10.0.0.1"),
			from("127.0.0.1:1000", "10.0.0.1"), from("127.0.0.9:1000", "10.0.0.1")}},
	{"only 127.0.0.1 of 127.0.0.0/8 is loopback", "", []string{"{source_type: SAME_IP_OR_LOOPBACK}", ""}, "",
		[]flow.Request{from("127.0.0.1:1", "10.0.0.1"), from("127.0.0.2:1", "10.0.0.1"),
			from("127.255.0.1:1", "10.0.0.1")}},
	{"source type and any", "", []string{"{source_type: SAME_IP_OR_LOOPBACK, source_ports: [7]}", ""}, "",
		[]flow.Request{from("10.0.0.1:7", "10.0.0.1"), from("10.0.0.1:8", "10.0.0.1"),
			from("192.0.3.1:1", "10.0.0.1")}},
	{"default chain", tlsInspector, []string{"{server_names: [a.b]}"},
		", default_filter_chain: " + tcpChain("", "default"), []flow.Request{hello("a.b"), hello("c.d"), clear("tcp")}},
	{"destination port commits", tlsInspector, []string{
		"{destination_port: 30018, transport_protocol: tls, application_protocols: [istio]}",
		"{destination_port: 30018, transport_protocol: raw_buffer}", "{transport_protocol: tls}", "",
	}, "",
		[]flow.Request{hello("x", "istio"), hello("x", "h2"), clear("tcp")}},
	{"destination port of others", tlsInspector, []string{"{destination_port: 1}", ""}, "",
		[]flow.Request{clear("tcp"), hello("x")}},
	{"filter_chain_matcher", tlsInspector, []string{"", "", ""}, `,
		filter_chain_matcher: {matcher_tree: {input: {name: port, typed_config: {
		"@type": type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.TransportProtocolInput}},
		  exact_match_map: {map: {
		tls: {matcher: {matcher_tree: {input: {name: sni,
		  typed_config: {
		    "@type": type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.ServerNameInput}},
			custom_match: {name: s, typed_config: {"@type": type.googleapis.com/xds.type.matcher.v3.ServerNameMatcher,
			  domain_matchers: [
			{domains: [a.b], on_match: {action: {name: n0,
			  typed_config: {"@type": type.googleapis.com/google.protobuf.StringValue, value: n0}}}},
			{domains: ['*.b'], on_match: {action: {name: n1,
			  typed_config: {"@type": type.googleapis.com/google.protobuf.StringValue, value: n1}}}}]}}}}},
		raw_buffer: {action: {name: n2, typed_config: {"@type": type.googleapis.com/google.protobuf.StringValue,
		  value: n2}}}}}}}`,
		[]flow.Request{hello("a.b"), hello("c.b"), hello("d.e"), clear("tcp")}},
	{"filter_chain_matcher by address", "", []string{"", "", ""}, `,
		filter_chain_matcher: {matcher_tree: {input: {name: ip, typed_config: {
		"@type": type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.DestinationIPInput}},
		  custom_match: {name: ip, typed_config: {
		"@type": type.googleapis.com/xds.type.matcher.v3.IPMatcher, range_matchers: [
		{ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}],
		  on_match: {action: {name: n0, typed_config: {"@type": type.googleapis.com/google.protobuf.StringValue,
		    value: n0}}}},
		{ranges: [{address_prefix: 10.1.0.0, prefix_len: 16}],
		  on_match: {matcher: {matcher_tree: {input: {name: p, typed_config: {
			"@type": type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.SourceIPInput}},
			  exact_match_map: {map: {192.0.2.9: {action: {name: n1,
			    typed_config: {"@type": type.googleapis.com/google.protobuf.StringValue, value: n1}}}}}}}}}]}}},
		on_no_match: {action: {name: n2, typed_config: {"@type": type.googleapis.com/google.protobuf.StringValue,
		  value: n2}}}}`,
		[]flow.Request{from("", "10.2.3.4"), from("192.0.2.9:1", "10.1.2.4"), from("192.0.2.8:1", "10.1.2.4"),
			from("", "12.0.0.1")}},
}
