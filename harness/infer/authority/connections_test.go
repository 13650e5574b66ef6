package authority

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
)

// A connectionRule is a listener with what stands behind it, and requests with the address that
// Envoy dials for each.
type connectionRule struct {
	name     string
	listener string // fields of the listener that is dialled
	requests []flow.Request
}

func get(path string, headers ...string) flow.Request {
	r := flow.Request{Authority: "a", Path: path, Headers: flow.Headers{}}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Headers.Add(headers[i], headers[i+1])
	}
	return r
}

func hosted(host string) flow.Request { return flow.Request{Authority: host} }

// state is a set_filter_state filter that names an object by a format.
func state(kind, when, key, format string) string {
	return fmt.Sprintf(`{name: state,
  typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.%s.set_filter_state.v3.Config, %s: [
  {object_key: %s, format_string: {text_format_source: {inline_string: %q}}, shared_with_upstream: ONCE}]}}`, kind,
		when, key, format)
}

const router = `{name: envoy.filters.http.router, ` +
	`typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}`

// host1 to host5 are endpoints of which each has a stub.
const host1, host2, host3, host4 = "127.61.0.1:9461", "127.61.0.2:9461", "127.61.0.3:9461", "127.61.0.4:9461"

func staticCluster(name, address, more string) string {
	host, port, _ := strings.Cut(address, ":")
	return fmt.Sprintf(`{name: %s, type: STATIC, load_assignment: {cluster_name: %s, endpoints: [{lb_endpoints: `+
		`[{endpoint: {address: {socket_address: {address: %s, port_value: %s}}}}]}]}%s}`,
		name, name, host, port, more)
}

// insideCluster leads to an internal listener; passing hands filter state and metadata on.
func insideCluster(name, listener, metadata string, passing bool) string {
	socket := ""
	if passing {
		socket = `, transport_socket: {name: i,
			typed_config: {
		    "@type": type.googleapis.com/envoy.extensions.transport_sockets.` +
			`internal_upstream.v3.InternalUpstreamTransport,
  passthrough_metadata: [{kind: {host: {}}, name: envoy.filters.listener.original_dst}], transport_socket: {name: r,
    typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}}}`
	}
	if metadata != "" {
		metadata = ", metadata: {filter_metadata: {envoy.filters.listener.original_dst: {local: " + metadata + "}}}"
	}
	return fmt.Sprintf(`{name: %s, type: STATIC, load_assignment: {cluster_name: %s, endpoints: [{lb_endpoints: `+
		`[{endpoint: {address: {envoy_internal_address: {server_listener_name: %s}}}%s}]}]}%s}`,
		name, name, listener, metadata, socket)
}

const (
	originalDst = `{name: o, ` +
		`typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst}}`
	tcpConnect = `upgrade_configs: [{upgrade_type: CONNECT, connect_config: {}}]`
)

var connectionClusters = []string{
	staticCluster("one", host1, ""), staticCluster("two", host2, ""), staticCluster("three", host3, ""),
	staticCluster("four", host4, ""),
	`{name: byheader, type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED, ` +
		`original_dst_lb_config: {use_http_header: true}}`,
	`{name: byownheader, type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED, ` +
		`original_dst_lb_config: {use_http_header: true, http_header_name: x-to, upstream_port_override: 9461}}`,
	`{name: dynamic, lb_policy: CLUSTER_PROVIDED, cluster_type: {name: d, ` +
		`typed_config: {"@type": ` +
		`type.googleapis.com/envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig, ` +
		`dns_cache_config: {name: c, dns_lookup_family: V4_ONLY}}}}`,
	insideCluster("inside", "by-port", "", true), insideCluster("blind", "by-port", "", false),
	insideCluster("marked", "by-port", host2, true), insideCluster("nowhere", "missing", "", true),
	insideCluster("again", "http-inside", "", true),
}

// insideListeners are listeners of the proxy itself.
var insideListeners = []string{
	`{name: by-port, internal_listener: {}, listener_filters: [` + originalDst + `], filter_chains: [` +
		strings.Join([]string{tcpChain("name: p1, filter_chain_match: {destination_port: 1001}", "one"),
			tcpChain("name: ip, filter_chain_match: {prefix_ranges: [{address_prefix: 127.61.0.2, prefix_len: 32}]}",
				"two"), tcpChain("name: rest", "three")}, ", ") + `]}`,
	`{name: http-inside, internal_listener: {}, filter_chains: [` +
		httpChain("", "", `virtual_hosts: [{name: v, domains: ["*"], routes: [{match: {prefix: /x, headers: [{name: `+
			`x-added, string_match: {exact: "1"}}]}, route: {cluster: one}}, {match: {prefix: /}, route: {cluster: `+
			`four}}]}]`) + `]}`,
}

func toCluster(hcm, route string) string {
	return "filter_chains: [" + httpChain("", hcm,
		`virtual_hosts: [{name: v, domains: ["*"], routes: [`+route+`]}]`) + "]"
}

var connectionRules = []connectionRule{
	{"ORIGINAL_DST by header", toCluster("", `{match: {prefix: /added}, route: {cluster: byheader}, `+
		`request_headers_to_add: [{header: {key: x-envoy-original-dst-host, value: "`+host2+`"}}]},
  {match: {prefix: /own}, route: {cluster: byownheader}}, {match: {prefix: /}, route: {cluster: byheader}}`),
		[]flow.Request{get("/", "x-envoy-original-dst-host", host1), get("/added"),
			get("/added", "x-envoy-original-dst-host", host1), get("/own", "x-to", "127.61.0.3:1"),
			get("/"), get("/", "x-envoy-original-dst-host", "name:80")}},
	{"dynamic_forward_proxy", toCluster("", `{match: {prefix: /rewritten}, route: {cluster: dynamic, `+
		`host_rewrite_literal: "`+host2+`"}}, {match: {prefix: /}, route: {cluster: dynamic}}`),
		[]flow.Request{hosted(host1), {Authority: host1, Path: "/rewritten"}}},
	{"filter state chooses the chain inside", toCluster("http_filters: ["+state("http", "on_request_headers",
		"envoy.filters.listener.original_dst.local_ip", "%REQ(x-to)%")+", "+router+"]",
		`{match: {prefix: /}, route: {cluster: inside}}`),
		[]flow.Request{get("/", "x-to", "10.0.0.1:1001"), get("/", "x-to", "127.61.0.2:5"),
			get("/", "x-to", "10.0.0.1:5"), get("/")}},
	{"without internal_upstream nothing is handed on", toCluster("http_filters: ["+state("http", "on_request_headers",
		"envoy.filters.listener.original_dst.local_ip", "%REQ(x-to)%")+", "+router+"]",
		`{match: {prefix: /}, route: {cluster: blind}}`),
		[]flow.Request{get("/", "x-to", "10.0.0.1:1001")}},
	{"metadata of the endpoint restores the destination",
		toCluster("", `{match: {prefix: /}, route: {cluster: marked}}`), []flow.Request{get("/")}},
	{"an internal listener that is missing", toCluster("", `{match: {prefix: /}, route: {cluster: nowhere}}`),
		[]flow.Request{get("/")}},
	{"HTTP inside of the proxy is routed again",
		toCluster("", `{match: {prefix: /}, route: {cluster: again, prefix_rewrite: /x}, request_headers_to_add: `+
			`[{header: {key: x-added, value: "1"}}]}`),
		[]flow.Request{get("/a")}},
	{"bytes inside of the proxy", "filter_chains: [" + tcpChain("", "marked") + "]", []flow.Request{clear("tcp")}},
	{"malformed requests", toCluster("", `{match: {prefix: /}, route: {cluster: one}}`), []flow.Request{
		get("/"), {Path: "/"}, {Authority: "a b", Path: "/"}, {Authority: "a/b", Path: "/"},
		{Authority: "a", Method: "FOO"}, {Authority: "a", Method: "CONNECT", Path: "a"},
		manyHeaders(98), manyHeaders(99), manyHeaders(120)}},
	{"max_headers_count", toCluster("common_http_protocol_options: {max_headers_count: 5}",
		`{match: {prefix: /}, route: {cluster: one}}`), []flow.Request{manyHeaders(3), manyHeaders(4)}},
}

// manyHeaders is a request with so many headers beside those that the client sends by itself:
// host and connection.
func manyHeaders(n int) flow.Request {
	r := get("/")
	for i := range n {
		r.Headers.Add(fmt.Sprintf("x-%03d", i), "1")
	}
	return r
}

// TestConnections holds hosts that requests name, listeners inside of the proxy and malformed
// requests against Envoy: where a request arrives in the end, or how it is refused.
func TestConnections(t *testing.T) {
	const base = 52000
	c := config{clusters: connectionClusters, listeners: insideListeners}
	var requests []flow.Request
	var owner []string
	for i, r := range connectionRules {
		c.listeners = append(c.listeners,
			fmt.Sprintf(`{name: "l_%d", address: {socket_address: {address: 0.0.0.0, port_value: %d}}, %s}`, base+i,
				base+i, r.listener))
		for _, req := range r.requests {
			req.Direction, req.Address, req.Port, req.Source = flow.Gateway, "10.0.0.1", uint32(base+i),
				"192.0.2.1:40000"
			requests, owner = append(requests, req), append(owner, r.name)
		}
	}
	d := c.dump(t)
	e, engine := start(t, d, Options{KeepEndpoints: true}), infer.New(d)
	results, err := e.Ask(context.Background(), requests)
	if err != nil {
		t.Fatal(err)
	}
	for i, req := range requests {
		sent := req
		if req.Protocol != "tcp" { // the client sends it by itself
			sent.Headers = req.Headers.Clone()
			sent.Headers.Add("connection", "close")
		}
		decision, err := engine.Decide(sent)
		if err != nil {
			t.Fatal(err)
		}
		inferred := fmt.Sprint("status ", decision.Status)
		if decision.Outcome == flow.Forwarded {
			inferred = decision.Endpoints[0].Address
			for _, h := range decision.Hops {
				if h.Kind == flow.Endpoint {
					inferred = h.Decision
				}
			}
		}
		real := fmt.Sprint("status ", results[i].Status)
		if results[i].Seen != nil {
			real = results[i].Seen.Local
		}
		if inferred != real {
			t.Errorf("%s: %s %q %s %v: inferred %s (%s), Envoy %s: %+v %s", owner[i], req.Method,
				req.Authority, req.Path, len(req.Headers), inferred,
				decision.Hops[len(decision.Hops)-1].Why, real, results[i].Entries, results[i].Problem)
		}
	}
}
