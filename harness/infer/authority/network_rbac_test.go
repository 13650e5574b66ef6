package authority

import (
	"fmt"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
)

// TestNetworkRBAC holds the RBAC network filter against Envoy, before a TCP proxy and before a
// connection manager.
func TestNetworkRBAC(t *testing.T) {
	policies := []string{
		"action: ALLOW, policies: {p: {permissions: [{destination_ip: {address_prefix: 10.0.0.0, prefix_len: 8}}], " +
			"principals: [{remote_ip: {address_prefix: 192.0.2.0, prefix_len: 24}}]}}",
		"action: DENY, policies: {p: {permissions: [{not_rule: {destination_ip: {address_prefix: 10.1.0.0, " +
			"prefix_len: 16}}}], principals: [{any: true}]}}",
		"action: ALLOW, policies: {p: {permissions: [{requested_server_name: {exact: a.b}}], principals: [{any: " +
			"true}]}}",
	}
	c := config{clusters: stubbed("a")}
	var requests []flow.Request
	for i, p := range policies {
		filter := `{name: rbac, ` +
			`typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC, ` +
			`stat_prefix: r, rules: {` + p + `}}}`
		port := 47000 + i
		c.listeners = append(c.listeners, fmt.Sprintf(`{name: "l_%d",
			address: {socket_address: {address: 0.0.0.0, port_value: %d}}, listener_filters: [%s],
			  filter_chains: [{filters: [%s,
			{name: tcp, typed_config: {
    "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy,
    stat_prefix: t, cluster: a}}]}]}`, port, port, tlsInspector, filter))
		for _, address := range []string{"10.0.0.1", "10.1.0.1", "11.0.0.1"} {
			for _, source := range []string{"192.0.2.1:1", "198.51.100.1:1"} {
				requests = append(requests, flow.Request{Direction: flow.Gateway, Address: address, Port: uint32(port),
					Source: source, Protocol: "tcp"},
					flow.Request{Direction: flow.Gateway, Address: address, Port: uint32(port), Source: source,
						Authority: "x", TLS: flow.TLS, SNI: "a.b"})
			}
		}
	}
	d := c.dump(t)
	for _, text := range judge(t, start(t, d, Options{}), infer.New(d), requests) {
		if text != "" {
			t.Error(text)
		}
	}
}
