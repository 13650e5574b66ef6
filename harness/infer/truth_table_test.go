package infer

import (
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// TestInboundChains is the workshop's truth table: which chain of virtualInbound takes a
// connection. Expected is what tells one chain of the same name from another: its condition and
// where it leads, never its index.
func TestInboundChains(t *testing.T) {
	const passthrough, own = "InboundPassthroughCluster", "inbound|8080||"
	e := New(recorded(t, "fortio-server"))
	for _, c := range []struct {
		name      string
		port      uint32
		protocol  string
		tls       string
		alpn      []string
		chain     string
		transport string
		cluster   string
		failure   flow.Failure
	}{
		{"declared, mesh", 8080, "http", flow.MTLS, []string{"istio"}, "0.0.0.0_8080", "tls", own, ""},
		{"declared, mesh, peer exchange", 8080, "http", flow.MTLS, []string{"istio-peer-exchange", "istio"},
			"0.0.0.0_8080", "tls", own, ""},
		{"declared, mesh, HTTP", 8080, "http", flow.MTLS, []string{"istio-http/1.1", "istio", "http/1.1"},
			"0.0.0.0_8080", "tls", own, ""},
		{"declared, clear text", 8080, "http", flow.Plaintext, nil, "0.0.0.0_8080", "raw_buffer", own, ""},
		{"declared, foreign TLS", 8080, "http", flow.TLS, []string{"h2", "http/1.1"}, "", "", "", flow.NoFilterChain},
		{"declared, TLS without ALPN", 8080, "http", flow.TLS, nil, "", "", "", flow.NoFilterChain},
		{"declared, mesh without certificate", 8080, "http", flow.TLS, []string{"istio"}, "0.0.0.0_8080", "tls", "",
			flow.MTLSError},
		{"declared, bytes", 8080, "tcp", flow.Plaintext, nil, "0.0.0.0_8080", "raw_buffer", "", flow.ProtocolError},
		{"other, mesh HTTP", 9999, "http", flow.MTLS, []string{"istio-http/1.1"},
			"virtualInbound-catchall-http", "tls", passthrough, ""},
		{"other, mesh TCP", 9999, "tcp", flow.MTLS, []string{"istio-peer-exchange", "istio"},
			"virtualInbound", "tls", passthrough, ""},
		{"other, foreign TLS", 9999, "http", flow.TLS, []string{"h2"}, "virtualInbound", "tls", passthrough, ""},
		{"other, clear HTTP", 9999, "http", flow.Plaintext, nil, "virtualInbound-catchall-http",
			"raw_buffer", passthrough, ""},
		{"other, clear HTTP/2", 9999, "http2", flow.Plaintext, nil, "virtualInbound-catchall-http",
			"raw_buffer", passthrough, ""},
		{"other, bytes", 9999, "tcp", flow.Plaintext, nil, "virtualInbound", "raw_buffer", passthrough, ""},
		{"15006 itself", 15006, "http", flow.Plaintext, nil, "virtualInbound-blackhole", "", "BlackHoleCluster",
			flow.BlackHole},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := e.Decide(flow.Request{Direction: flow.Inbound, Address: "172.21.206.197", Port: c.port,
				Protocol: c.protocol, TLS: c.tls, ALPN: c.alpn, Authority: "x"})
			if err != nil {
				t.Fatal(err)
			}
			if d.FilterChain != c.chain || d.Cluster != c.cluster || d.Failure != c.failure {
				t.Errorf("chain %q cluster %q failure %q; expected %q %q %q", d.FilterChain, d.Cluster,
					d.Failure, c.chain, c.cluster, c.failure)
			}
			if c.transport == "" {
				return
			}
			l, _ := e.proxy.Dump.Lookup(1, "virtualInbound")
			match := l.Value().Get("filter_chains").Element(d.FilterChainIndex).Get("filter_chain_match")
			if got := match.Get("transport_protocol").Text(); got != c.transport {
				t.Errorf("the chain matches transport protocol %q, expected %q", got, c.transport)
			}
		})
	}
}

// TestOutboundDecisions is the workshop's list of outbound decisions: listener, chain and cluster
// for what is dialled.
func TestOutboundDecisions(t *testing.T) {
	e := New(recorded(t, "netshoot"))
	for _, c := range []struct {
		name, address       string
		port                uint32
		protocol, authority string
		listener, cluster   string
		failure             flow.Failure
	}{
		{"Service by short name", "10.96.215.136", 8080, "http", "fortio-server", "0.0.0.0_8080",
			"outbound|8080||fortio-server.mark.svc.cluster.local", ""},
		{"Service with port", "10.96.215.136", 8080, "http", "fortio-server:8080", "0.0.0.0_8080",
			"outbound|8080||fortio-server.mark.svc.cluster.local", ""},
		{"full name of the decoy", "10.96.1.1", 8080, "http", "fortio-server.default.svc.cluster.local", "0.0.0.0_8080",
			"outbound|8080||fortio-server.default.svc.cluster.local", flow.NoHealthyEndpoint},
		{"unknown host", "8.8.8.8", 8080, "http", "example.org", "0.0.0.0_8080", "PassthroughCluster", ""},
		{"bytes on an HTTP port", "8.8.8.8", 8080, "tcp", "", "0.0.0.0_8080", "PassthroughCluster", ""},
		{"listener of exactly this address", "10.96.0.10", 53, "tcp", "", "10.96.0.10_53",
			"outbound|53||kube-dns.kube-system.svc.cluster.local", ""},
		{"no listener", "8.8.8.8", 12345, "tcp", "", "virtualOutbound", "PassthroughCluster", ""},
		{"15001 itself", "10.0.0.1", 15001, "tcp", "", "virtualOutbound", "BlackHoleCluster", flow.BlackHole},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := e.Decide(flow.Request{Address: c.address, Port: c.port, Protocol: c.protocol,
				Authority: c.authority})
			if err != nil {
				t.Fatal(err)
			}
			if d.Listener != c.listener || d.Cluster != c.cluster || d.Failure != c.failure {
				t.Errorf("listener %q cluster %q failure %q; expected %q %q %q", d.Listener, d.Cluster, d.Failure,
					c.listener, c.cluster, c.failure)
			}
		})
	}
}
