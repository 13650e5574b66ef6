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

// Ports of Istio: of the virtual listeners, where a dump does not say others.
const (
	outboundPort = 15001
	inboundPort  = 15006
	dnsPort      = 15053 // of the agent, where it captures DNS
)

// redirect decides whether netfilter takes the connection to the proxy, and to which listener. Without the pod's own rules the
// answer comes from the interception mode in the node's metadata, and says so; a request may name the listener itself.
func (w *walk) redirect() {
	if w.req.Direction == flow.Gateway {
		return // dialled directly
	}
	virtual := w.capturing()
	if virtual == nil && w.req.Direction == flow.Inbound && w.req.to.Port() == 0 && w.throughWaypoint() {
		return
	}
	var v verdict
	switch {
	case w.req.to.IsValid() || w.req.to.Port() != 0:
		v = verdict{to: w.req.to, target: "REDIRECT", why: "the request says that netfilter takes it there"}
		w.assumed = true
	case w.opts.Rules != nil:
		v = verdictOfRules(w.opts.Rules.Judge(w.firstPacket()), w.req.dst, w.capturePort(virtual))
	default:
		v = verdictOfMode(w.e.mode, w.req, w.capturePort(virtual))
		w.assumed = true
	}
	if v.dropped {
		w.add(flow.Redirect, v.source, flow.Hop{Decision: "dropped", Why: v.why, Rejected: v.rejected})
		w.fail(flow.BlackHole, "")
		return
	}
	if v.target == "" {
		w.add(flow.Redirect, v.source, flow.Hop{Decision: "not captured", Why: v.why, Rejected: v.rejected, Assumptions: v.assumptions,
			Expect: []flow.Fact{absent(flow.FactRedirectPort, "")}})
		w.req.Direction = flow.Gateway
		return
	}
	if to := v.to.Addr(); v.target == "DNAT" && !to.IsLoopback() && !proxyAddress(w.e.node, to.String()) {
		w.add(flow.Redirect, v.source, flow.Hop{Decision: fmt.Sprintf("DNAT %s to %s", w.req.dst, v.to), Why: v.why, Rejected: v.rejected})
		w.req.Direction, w.req.dst, w.conn.local = flow.Gateway, v.to, v.to
		return
	}
	w.arrive(v, virtual)
	decision := fmt.Sprintf("%s %s to port %d", v.target, w.req.dst, v.to.Port())
	hop := flow.Hop{Decision: decision, Why: v.why, Rejected: v.rejected, Assumptions: v.assumptions, Expect: []flow.Fact{
		fact(flow.FactOriginalDst, w.req.dst.String()), fact(flow.FactRedirectPort, strconv.Itoa(int(v.to.Port()))),
	}}
	if w.req.dst.Port() != v.to.Port() { // a connection to the port itself is closed at once, and leaves no socket to look at
		hop.Expect = append(hop.Expect, fact(flow.FactProcess, "envoy"))
	}
	source := v.source
	if !source.Exists() && w.arrivedAt != nil {
		source = w.arrivedAt.at.Value
	}
	w.add(flow.Redirect, source, hop)
}

// arrive finds the listener whose socket takes a redirected connection.
func (w *walk) arrive(v verdict, virtual *configdump.Resource) {
	family := w.req.dst.Addr().BitLen()
	w.taken, w.arrived = v, v.to
	switch {
	case w.arrived.Addr().IsValid():
	case v.target == "TPROXY":
		w.arrived = netip.AddrPortFrom(w.req.dst.Addr(), v.to.Port())
	case w.req.Direction == flow.Outbound:
		loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
		if family == 128 {
			loopback = netip.IPv6Loopback()
		}
		w.arrived = netip.AddrPortFrom(loopback, v.to.Port())
	}
	w.arrivedAt = w.e.boundAt(w.arrived, family)
	if virtual != nil && (w.arrivedAt == nil || w.assumed) {
		if port, ok := portOf(virtual); ok && port == v.to.Port() && (w.arrivedAt == nil || w.req.to.Port() == 0) {
			w.arrivedAt = w.e.listener(virtual)
		}
	}
	inbound := w.e.capturePortOf(flow.Inbound)
	if v.to.Port() == inbound && w.capturePort(virtual) != inbound {
		w.req.Direction = flow.Inbound // what the pod sends to itself
	}
}

// capturing is the listener that takes the connections of the request's direction and family; nil where the dump has none.
func (w *walk) capturing() *configdump.Resource {
	return w.e.capturingFor(w.req.Direction, w.req.dst.Addr().BitLen())
}

func (e *Engine) capturingFor(direction flow.Direction, family int) *configdump.Resource {
	all := e.captures(direction)
	for _, r := range all {
		if ofFamily(r, family) {
			return r
		}
	}
	if len(all) > 0 { // as dumps have it whose listener serves the other family through the kernel
		return all[0]
	}
	return nil
}

// capturePort is the port of the listener that takes redirected connections: Istio's where the dump has none.
func (w *walk) capturePort(virtual *configdump.Resource) uint16 {
	if virtual != nil {
		if port, ok := portOf(virtual); ok {
			return port
		}
	}
	return virtualListeners[w.req.Direction].port
}

func (e *Engine) capturePortOf(direction flow.Direction) uint16 {
	if r := e.capturingFor(direction, 32); r != nil {
		if port, ok := portOf(r); ok {
			return port
		}
	}
	return virtualListeners[direction].port
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

// A verdict is what happens to a connection in netfilter.
type verdict struct {
	to          netip.AddrPort // that it is taken to; an address that is not valid is the pod's own
	dropped     bool
	target      string // REDIRECT, TPROXY or DNAT; "": not captured
	why         string
	source      configdump.Value
	rejected    []flow.Alternative
	assumptions []flow.Reason
}

// verdictOfRules says what the pod's own rules do with a connection to dst; port is that of the proxy's listener, for rules
// whose text does not say one.
func verdictOfRules(of netfilter.Verdict, dst netip.AddrPort, port uint16) verdict {
	v := verdict{to: netip.AddrPortFrom(of.To, of.Port), dropped: of.Dropped, target: of.Target, why: of.Why}
	for _, p := range of.Passed {
		v.rejected = append(v.rejected, flow.Alternative{Name: p.Rule, Why: p.Why})
	}
	if v.target != "" && of.Port == 0 {
		v.to, v.why = netip.AddrPortFrom(of.To, port), v.why+" (the text does not say its port)"
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
	assumed := []flow.Reason{flow.AssumeIstioRules}
	if req.Direction == flow.Inbound {
		for _, free := range []uint16{15008, 22, 15090, 15021, 15020} {
			if req.dst.Port() == free {
				return verdict{source: mode, assumptions: assumed,
					why: fmt.Sprintf("port %d is one that Istio's ISTIO_INBOUND chain returns by default", free)}
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
	return verdict{to: netip.AddrPortFrom(netip.Addr{}, port), target: target, why: why, source: mode, assumptions: assumed}
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
