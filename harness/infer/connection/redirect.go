// Package connection is the first phase of a way through a proxy: where netfilter takes the
// connection, which listener and filter chain take it, its TLS, and what its network filters do.
package connection

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
	"github.com/flowproof/lab/harness/netfilter"
)

// Redirect decides whether netfilter takes the connection to the proxy, and to which listener.
// Without the pod's own rules the answer comes from the interception mode in the node's metadata,
// and says so; a request may name the listener itself.
func Redirect(w *passage.Walk) {
	if w.Req.Direction == flow.Gateway {
		return // dialled directly
	}
	virtual := w.Proxy.CapturingFor(w.Req.Direction, w.Req.Dst.Addr().BitLen())
	if virtual == nil && w.Req.Direction == flow.Inbound && w.Req.To.Port() == 0 && throughWaypoint(w) {
		return
	}
	port := proxy.CapturePort(w.Req.Direction, virtual)
	var v passage.Verdict
	switch {
	case w.Req.To.IsValid() || w.Req.To.Port() != 0:
		v = passage.Verdict{To: w.Req.To, Target: "REDIRECT", Why: "the request says that netfilter takes it there"}
		w.Assumed = true
	case w.Opts.Rules != nil:
		v = verdictOfRules(w.Opts.Rules.Judge(firstPacket(w)), port)
	default:
		v = verdictOfMode(w.Proxy.Mode, w.Req, port)
		w.Assumed = true
	}
	if v.Dropped {
		w.Add(flow.Redirect, v.Source, flow.Hop{Decision: "dropped", Why: v.Why, Rejected: v.Rejected})
		w.Fail(flow.BlackHole, "")
		return
	}
	if v.Target == "" {
		w.Add(flow.Redirect, v.Source, flow.Hop{Decision: "not captured", Why: v.Why, Rejected: v.Rejected,
			Assumptions: v.Assumptions, Expect: []flow.Fact{passage.Absent(flow.FactRedirectPort, "")}})
		w.Req.Direction = flow.Gateway
		return
	}
	if to := v.To.Addr(); v.Target == "DNAT" && !to.IsLoopback() && !proxy.OwnAddress(w.Proxy.Node, to.String()) {
		w.Add(flow.Redirect, v.Source, flow.Hop{Decision: fmt.Sprintf("DNAT %s to %s", w.Req.Dst, v.To), Why: v.Why,
			Rejected: v.Rejected})
		w.Req.Direction, w.Req.Dst, w.Conn.Local = flow.Gateway, v.To, v.To
		return
	}
	arrive(w, v, virtual)
	decision := fmt.Sprintf("%s %s to port %d", v.Target, w.Req.Dst, v.To.Port())
	hop := flow.Hop{Decision: decision, Why: v.Why, Rejected: v.Rejected, Assumptions: v.Assumptions,
		Expect: []flow.Fact{
			passage.Fact(flow.FactOriginalDst, w.Req.Dst.String()),
			passage.Fact(flow.FactRedirectPort, strconv.Itoa(int(v.To.Port()))),
		}}
	if w.Req.Dst.Port() != v.To.Port() {
		// a connection to the port itself is closed at once, and leaves no socket to look at
		hop.Expect = append(hop.Expect, passage.Fact(flow.FactProcess, "envoy"))
	}
	source := v.Source
	if !source.Exists() && w.ArrivedAt != nil {
		source = w.ArrivedAt.At.Value
	}
	w.Add(flow.Redirect, source, hop)
}

// arrive finds the listener whose socket takes a redirected connection.
func arrive(w *passage.Walk, v passage.Verdict, virtual *configdump.Resource) {
	family := w.Req.Dst.Addr().BitLen()
	w.Taken, w.Arrived = v, v.To
	switch {
	case w.Arrived.Addr().IsValid():
	case v.Target == "TPROXY":
		w.Arrived = netip.AddrPortFrom(w.Req.Dst.Addr(), v.To.Port())
	case w.Req.Direction == flow.Outbound:
		loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
		if family == 128 {
			loopback = netip.IPv6Loopback()
		}
		w.Arrived = netip.AddrPortFrom(loopback, v.To.Port())
	}
	w.ArrivedAt = w.Proxy.BoundAt(w.Arrived, family)
	if virtual != nil && (w.ArrivedAt == nil || w.Assumed) {
		if port, ok := proxy.PortOf(virtual); ok && port == v.To.Port() &&
			(w.ArrivedAt == nil || w.Req.To.Port() == 0) {
			w.ArrivedAt = w.Proxy.Listener(virtual)
		}
	}
	inbound := proxy.CapturePort(flow.Inbound, w.Proxy.CapturingFor(flow.Inbound, 32))
	if v.To.Port() == inbound && proxy.CapturePort(w.Req.Direction, virtual) != inbound {
		w.Req.Direction = flow.Inbound // what the pod sends to itself
	}
}

// firstPacket is the first packet of the request's connection.
func firstPacket(w *passage.Walk) netfilter.Packet {
	p := netfilter.Packet{Source: w.Req.Src, Destination: w.Req.Dst, Inbound: w.Req.Direction != flow.Outbound,
		Sender: w.Opts.Sender}
	for _, ip := range w.Proxy.Node.IPs {
		if addr, err := netip.ParseAddr(ip); err == nil {
			p.Own = append(p.Own, addr)
		}
	}
	return p
}

// verdictOfRules says what the pod's own rules do with the connection; port is that of the proxy's
// listener, for rules whose text does not say one.
func verdictOfRules(of netfilter.Verdict, port uint16) passage.Verdict {
	v := passage.Verdict{To: netip.AddrPortFrom(of.To, of.Port), Dropped: of.Dropped, Target: of.Target, Why: of.Why}
	for _, p := range of.Passed {
		v.Rejected = append(v.Rejected, flow.Alternative{Name: p.Rule, Why: p.Why})
	}
	if v.Target != "" && of.Port == 0 {
		v.To, v.Why = netip.AddrPortFrom(of.To, port), v.Why+" (the text does not say its port)"
	}
	return v
}

// verdictOfMode says what Istio's own rules do, from the interception mode alone.
func verdictOfMode(mode configdump.Value, req passage.Request, port uint16) passage.Verdict {
	name := mode.Text()
	if name == "NONE" {
		return passage.Verdict{Source: mode,
			Why: "INTERCEPTION_MODE is NONE: nothing redirects connections to the proxy"}
	}
	if name == "" {
		name = "REDIRECT"
	}
	assumed := []flow.Reason{flow.AssumeIstioRules}
	if req.Direction == flow.Inbound {
		for _, free := range []uint16{15008, 22, 15090, 15021, 15020} {
			if req.Dst.Port() == free {
				return passage.Verdict{Source: mode, Assumptions: assumed,
					Why: fmt.Sprintf("port %d is one that Istio's ISTIO_INBOUND chain returns by default", free)}
			}
		}
	}
	target := "REDIRECT"
	if name == "TPROXY" && req.Direction == flow.Inbound {
		target = "TPROXY"
	}
	why := fmt.Sprintf("INTERCEPTION_MODE is %s; the pod's own iptables rules were not given, so Istio's default "+
		"rules are assumed", name)
	if !mode.Exists() {
		why = "the dump names no interception mode and the pod's iptables rules were not given: Istio's default, " +
			"REDIRECT, is assumed"
	}
	return passage.Verdict{To: netip.AddrPortFrom(netip.Addr{}, port), Target: target, Why: why, Source: mode,
		Assumptions: assumed}
}
