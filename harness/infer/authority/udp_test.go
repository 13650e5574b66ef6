package authority

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
)

// udpListener is a UDP listener with udp_proxy.
func udpListener(name, address string, port int, config string) string {
	return fmt.Sprintf(`{name: %s, address: {socket_address: {protocol: UDP, address: %s, port_value: %d}},
  udp_listener_config: {},
  listener_filters: [{name: envoy.filters.udp_listener.udp_proxy, typed_config: {
    "@type": type.googleapis.com/envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig, stat_prefix: s, %s}}]}`,
		name, address, port, config)
}

// udpRoute is an action of udp_proxy's matcher.
func udpRoute(cluster string) string {
	return `{action: {name: route, ` +
		`typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.udp.udp_proxy.v3.Route, cluster: ` +
		cluster + `}}}`
}

// udpUpstream answers each datagram with its own address.
func udpUpstream(t *testing.T, address string) {
	t.Helper()
	conn, err := net.ListenPacket("udp4", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buffer := make([]byte, 100)
		for {
			_, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo([]byte(address), from) // a client that is gone asks no more
		}
	}()
}

// TestUDP holds which endpoint a datagram reaches against Envoy: a UDP listener and a TCP listener
// may have one address, and udp_proxy routes by its matcher.
func TestUDP(t *testing.T) {
	const address, port = "127.63.0.1", 9531
	bySource := `matcher: {matcher_tree: {input: {name: s, typed_config: {
    "@type": type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.SourceIPInput}},
    exact_match_map: {map: {127.63.2.2: ` +
		udpRoute("two") + `}}}, on_no_match: ` + udpRoute("one") + `}`
	onlyOne := `matcher: {matcher_tree: {input: {name: s, typed_config: {
    "@type": type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.SourceIPInput}},
    exact_match_map: {map: {127.63.2.2: ` +
		udpRoute("two") + `}}}}`
	c := config{
		clusters: []string{staticCluster("one", "127.63.1.1:9532", ""), staticCluster("two", "127.63.1.2:9532", ""),
			staticCluster("tcp", "127.63.1.3:9532", "")},
		listeners: []string{
			udpListener("all", address, port, "matcher: {on_no_match: "+udpRoute("one")+"}"),
			udpListener("source", address, port+1, bySource), udpListener("some", address, port+2, onlyOne),
			fmt.Sprintf("{name: beside, address: {socket_address: {address: %s, port_value: %d}}, filter_chains: [%s]}",
				address, port, tcpChain("", "tcp")),
		},
	}
	udpUpstream(t, "127.63.1.1:9532")
	udpUpstream(t, "127.63.1.2:9532")
	d := c.dump(t)
	start(t, d, Options{KeepEndpoints: true})
	engine := infer.New(d)
	for _, tc := range []struct {
		source string
		port   int
	}{{"127.63.2.1", port}, {"127.63.2.2", port}, {"127.63.2.1", port + 1}, {"127.63.2.2", port + 1},
		{"127.63.2.1", port + 2}, {"127.63.2.2", port + 2}} {
		t.Run(fmt.Sprint(tc.source, " to ", tc.port), func(t *testing.T) {
			decision, err := engine.Decide(flow.Request{Direction: flow.Gateway, Protocol: "udp", Address: address,
				Port: uint32(tc.port), Source: tc.source + ":4000"})
			if err != nil {
				t.Fatal(err)
			}
			inferred := ""
			if decision.Outcome == flow.Forwarded {
				inferred = decision.Endpoints[0].Address
			}
			if real := reached(t, tc.source, fmt.Sprintf("%s:%d", address, tc.port), inferred != ""); inferred != real {
				t.Errorf("inferred %q %s, the datagram reached %q", inferred, decision.Failure, real)
			}
		})
	}
	t.Run("TCP at the same address", func(t *testing.T) {
		decision, err := engine.Decide(flow.Request{Direction: flow.Gateway, Protocol: "tcp",
			Address: address, Port: port})
		if err != nil || decision.Listener != "beside" || decision.Cluster != "tcp" {
			t.Errorf("%v: %s %s", err, decision.Listener, decision.Cluster)
		}
	})
}

// reached sends datagrams from an address and returns which upstream answers; "" where none does.
// One that is expected is waited for, and a datagram that is lost is sent again.
func reached(t *testing.T, source, to string, expected bool) string {
	t.Helper()
	remote, err := net.ResolveUDPAddr("udp4", to)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.ParseIP(source)}, remote)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	tries, wait := 3, 300*time.Millisecond
	if expected {
		tries, wait = 30, time.Second
	}
	buffer := make([]byte, 100)
	for range tries {
		if _, err := conn.Write([]byte("hi")); err != nil {
			continue
		}
		_ = conn.SetReadDeadline(time.Now().Add(wait)) // the socket is open
		if n, err := conn.Read(buffer); err == nil {
			return string(buffer[:n])
		}
	}
	return ""
}
