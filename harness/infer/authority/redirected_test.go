package authority

import (
	"fmt"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
)

// TestRedirected holds where a redirected connection arrives against Envoy and the kernel:
// of listeners for one port each family has its own, and any listener may take connections
// that were redirected.
func TestRedirected(t *testing.T) {
	const two, both, own, inside = 19601, 19602, 19603, 19604 // ports
	at := func(address string, port int, more string) string {
		return fmt.Sprintf("{socket_address: {address: '%s', port_value: %d%s}}", address, port, more)
	}
	listener := func(name, address, more string) string {
		return fmt.Sprintf("{name: %s, address: %s%s, filter_chains: [%s]}", name, address, more, tcpChain("", name))
	}
	const takes, unbound = ", use_original_dst: true", ", bind_to_port: false"
	names := []string{"out4", "out6", "out", "local", "specific", "in4", "in6", "service4", "service6", "any4"}
	c := config{clusters: stubbed(names...), listeners: []string{
		listener("out4", at("0.0.0.0", two, ""), takes), listener("out6", at("::", two, ""), takes),
		listener("out", at("::", both, ", ipv4_compat: true"), takes),
		listener("local", at("127.0.0.1", own, ""), takes),
		listener("specific", at("127.66.0.1", two, ""), ""), listener("in4", at("0.0.0.0", inside, ""), ""),
		listener("in6", at("::", inside, ""), ""), listener("service4", at("10.0.0.1", 80, ""), unbound),
		listener("service6", at("2001:db8::1", 80, ""), unbound), listener("any4", at("0.0.0.0", 81, ""), unbound),
	}}
	var requests []flow.Request
	for _, address := range []string{"10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2"} {
		for _, port := range []uint32{80, 81, 82} {
			for _, to := range []int{two, both, own, inside} {
				if to == own && len(address) > 8 {
					continue // nothing listens there
				}
				requests = append(requests, flow.Request{Direction: flow.Outbound, Address: address, Port: port,
					Protocol: "tcp", Redirect: fmt.Sprint(to)})
			}
		}
	}
	for _, to := range []string{fmt.Sprint("127.66.0.1:", two), fmt.Sprint("127.66.0.2:", two),
		fmt.Sprint("127.0.0.1:", own), fmt.Sprint("[::1]:", both), fmt.Sprint("127.0.0.9:", both)} {
		for _, address := range []string{"10.0.0.1", "10.0.0.3"} {
			requests = append(requests, flow.Request{Direction: flow.Outbound, Address: address, Port: 80,
				Protocol: "tcp", Redirect: to})
		}
	}
	d := c.dump(t)
	for _, text := range judge(t, start(t, d, Options{Bound: true}), infer.New(d), requests) {
		if text != "" {
			t.Error(text)
		}
	}
}
