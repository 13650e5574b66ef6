package infer

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/netfilter"
)

// The ports of Istio's virtual listeners, where a dump does not say others.
const (
	outboundPort = 15001
	inboundPort  = 15006
	dnsPort      = 15053 // of the agent, where it captures DNS
)

// redirect decides whether netfilter takes the connection to the proxy. Without the pod's own rules the answer comes
// from the interception mode in the node's metadata, and says so.
func (w *walk) redirect() {
	if w.req.Direction == flow.Gateway {
		return // dialled directly
	}
	port, virtual := w.virtualListener(w.req.Direction)
	v := verdictOfMode(w.e.mode, w.req, port)
	if w.opts.Rules != nil {
		v = verdictOfRules(w.opts.Rules.Judge(w.firstPacket()), w.req.dst, port)
	}
	if v.dropped {
		w.add(flow.Redirect, v.source, flow.Hop{Decision: "dropped", Why: v.why, Rejected: v.rejected})
		w.fail(flow.BlackHole, "")
		return
	}
	if v.port == 0 {
		w.add(flow.Redirect, v.source, flow.Hop{Decision: "not captured", Why: v.why, Rejected: v.rejected,
			Expect: []flow.Fact{absent(flow.FactRedirectPort, "")}})
		w.req.Direction = flow.Gateway
		return
	}
	w.conn.restored = true
	if inbound := w.virtualPort(flow.Inbound); v.port == inbound {
		w.req.Direction = flow.Inbound // also for what the pod sends to itself
	} else if v.port != port {
		w.elsewhere = v.port
	}
	decision := fmt.Sprintf("%s %s to port %d", v.target, w.req.dst, v.port)
	hop := flow.Hop{Decision: decision, Assumptions: v.assumed, Why: v.why, Rejected: v.rejected, Expect: []flow.Fact{
		fact(flow.FactOriginalDst, w.req.dst.String()), fact(flow.FactRedirectPort, strconv.Itoa(int(v.port))),
	}}
	if w.req.dst.Port() != v.port { // a connection to the port itself is closed at once, and leaves no socket to look at
		hop.Expect = append(hop.Expect, fact(flow.FactProcess, "envoy"))
	}
	source := v.source
	if !source.Exists() && virtual != nil {
		source = virtual.Value()
	}
	w.add(flow.Redirect, source, hop)
}

// A verdict is what happens to a connection in netfilter.
type verdict struct {
	port     uint16 // that it is redirected to; 0: not captured
	dropped  bool
	target   string // REDIRECT or TPROXY
	why      string
	assumed  []flow.Reason
	source   configdump.Value
	rejected []flow.Alternative
}

// firstPacket is the first packet of the request's connection.
func (w *walk) firstPacket() netfilter.Packet {
	p := netfilter.Packet{Source: w.req.src, Destination: w.req.dst, Inbound: w.req.Direction != flow.Outbound, Sender: w.opts.Sender}
	for _, ip := range w.e.node.IPs {
		if addr, err := netip.ParseAddr(ip); err == nil {
			p.Own = append(p.Own, addr)
		}
	}
	return p
}

// verdictOfRules says what the pod's own rules do with a connection to dst; port is that of the proxy's listener, for rules
// whose text does not say one.
func verdictOfRules(of netfilter.Verdict, dst netip.AddrPort, port uint16) verdict {
	v := verdict{port: of.Port, dropped: of.Dropped, target: of.Target, why: of.Why}
	for _, p := range of.Passed {
		v.rejected = append(v.rejected, flow.Alternative{Name: p.Rule, Why: p.Why})
	}
	if v.target != "" && v.port == 0 {
		v.port, v.why = port, v.why+" (the text does not say its port)"
	}
	return v
}

// verdictOfMode says what Istio's own rules do, from the interception mode alone.
func verdictOfMode(mode configdump.Value, req request, port uint16) verdict {
	name := mode.Text()
	if name == "NONE" {
		return verdict{source: mode, why: "INTERCEPTION_MODE is NONE: nothing redirects connections to the proxy"}
	}
	if name == "" {
		name = "REDIRECT"
	}
	if req.Direction == flow.Inbound {
		for _, free := range []uint16{15008, 22, 15090, 15021, 15020} {
			if req.dst.Port() == free {
				return verdict{source: mode, why: fmt.Sprintf("port %d is one that Istio's ISTIO_INBOUND chain returns by default", free)}
			}
		}
	}
	target := "REDIRECT"
	if name == "TPROXY" && req.Direction == flow.Inbound {
		target = "TPROXY"
	}
	why := fmt.Sprintf("INTERCEPTION_MODE is %s; the pod's own iptables rules were not given, so Istio's default rules are assumed", name)
	if !mode.Exists() {
		why = "the dump names no interception mode and the pod's iptables rules were not given: Istio's default, REDIRECT, is assumed"
	}
	return verdict{port: port, target: target, why: why, assumed: []flow.Reason{flow.AssumeIstioRules}, source: mode}
}

// virtualListener returns the virtual listener of the request's direction and its port, by name and, where a dump uses
// other names, by the direction and by what it does: hand over, or be the inbound one.
func (w *walk) virtualListener(direction flow.Direction) (uint16, *configdump.Resource) {
	name, port := "virtualOutbound", uint16(outboundPort)
	if direction == flow.Inbound {
		name, port = "virtualInbound", inboundPort
	}
	r, ok := w.e.dump.Lookup(configdump.Listener, name)
	if !ok {
		r = w.listenerOfPort(port)
	}
	if r == nil {
		return port, nil
	}
	for _, a := range r.Addresses {
		if addr, ok := socketAddress(a); ok {
			return addr.Port(), r
		}
	}
	return port, r
}

func (w *walk) virtualPort(direction flow.Direction) uint16 {
	port, _ := w.virtualListener(direction)
	return port
}

// listenerOfPort returns the listener bound to all addresses of a port, or nil.
func (w *walk) listenerOfPort(port uint16) *configdump.Resource {
	for _, any := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		if r := w.e.table().bound[netip.AddrPortFrom(any, port)]; r != nil {
			return r
		}
	}
	return nil
}

// proxyAddress says whether the address is one of the pod's own.
func proxyAddress(node configdump.Node, ip string) bool {
	for _, own := range node.IPs {
		if strings.EqualFold(own, ip) {
			return true
		}
	}
	return false
}
