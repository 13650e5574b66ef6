package connection

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
)

// FindListener decides which listener takes the connection: the one that netfilter takes it
// to, the one that this hands over to, or, for a connection that nothing redirected, the
// one that is bound there.
func FindListener(w *passage.Walk) {
	if w.Req.Direction == flow.Gateway {
		boundListener(w)
		return
	}
	l := w.ArrivedAt
	if l == nil {
		otherProcess(w)
		return
	}
	port := w.Arrived.Port()
	if w.Conn.Restored = l.Restores() || w.Taken.Target == "TPROXY"; !w.Conn.Restored && w.Arrived.Addr().IsValid() {
		w.Conn.Local = w.Arrived // the listener sees its own socket's address
	}
	if !l.HandOver || w.Req.Dst.Port() == port && w.Req.Dst.Addr().IsLoopback() {
		Take(w, l, fmt.Sprintf("it is bound to port %d, where netfilter sends the connection", port), nil)
		return
	}
	handOver(w, l)
}

// handOver looks for the listener of the original destination: see ExactAndWildcard.
func handOver(w *passage.Walk, virtual *proxy.Listener) {
	exact, wildcard := proxy.ExactAndWildcard(w.Req.Dst)
	table := w.Proxy.Table(w.Req.Transport()).All
	missing := func(key netip.AddrPort) flow.Alternative {
		return flow.Alternative{Name: "listener for " + key.String(), Why: "there is none in the dump"}
	}
	stays := flow.Alternative{Name: virtual.Name, Source: virtual.At.Pointer(),
		Why: "use_original_dst hands the connection over before its own filter chains are looked at"}
	if r := table[exact]; r != nil && w.Proxy.Listener(r) != virtual {
		w.Via = virtual
		Take(w, w.Proxy.Listener(r), virtual.Name+" has use_original_dst and hands over to the listener of exactly "+
			exact.String(), []flow.Alternative{stays})
		return
	}
	if r := table[wildcard]; r != nil && w.Proxy.Listener(r) != virtual {
		w.Via = virtual
		Take(w, w.Proxy.Listener(r), virtual.Name+" has use_original_dst and hands over to the listener of "+
			wildcard.String(),
			[]flow.Alternative{missing(exact), stays})
		return
	}
	Take(w, virtual, "no listener is for "+exact.String()+" or "+wildcard.String()+
		", so the connection stays where it arrived",
		[]flow.Alternative{missing(exact), missing(wildcard)})
}

// otherProcess is a connection that netfilter takes to where the proxy has no listener: another
// process of the pod takes it, such as the agent that answers DNS, or the dump is not of the pod.
func otherProcess(w *passage.Walk) {
	if w.Assumed {
		w.Add(flow.Listener, w.Proxy.Dump.Root(), flow.Hop{Decision: "no listener", Why: fmt.Sprintf(
			"the dump has no listener on port %d that the redirected connection could arrive at", w.Arrived.Port())})
		w.Fail(flow.NoListener, "")
		return
	}
	why := fmt.Sprintf("the proxy has no listener on port %d, so another process of the pod takes the connection",
		w.Arrived.Port())
	if w.Arrived.Port() == proxy.DNSPort {
		why = fmt.Sprintf("port %d is the sidecar agent's, which answers DNS itself", proxy.DNSPort)
	}
	w.Add(flow.Listener, w.Proxy.Dump.Root(), flow.Hop{Decision: "none", Why: why})
	w.Out.Endpoints = []flow.Host{{Address: w.Arrived.String(), Weight: 1, Healthy: true}}
	w.Out.Outcome, w.Done = flow.Forwarded, true
}

// boundListener finds the listener whose socket the client dials.
func boundListener(w *passage.Walk) {
	exact, wildcard := proxy.ExactAndWildcard(w.Req.Dst)
	protocol := w.Req.Transport()
	for _, key := range []netip.AddrPort{exact, wildcard} {
		if r := w.Proxy.Table(protocol).Bound[key]; r != nil {
			why := "it is bound to " + key.String()
			if protocol == proxy.UDP {
				why += " for UDP"
			}
			Take(w, w.Proxy.Listener(r), why, namesakesOf(w, key, protocol))
			return
		}
	}
	hop := flow.Hop{Decision: "no listener", Why: fmt.Sprintf("the proxy binds neither %s nor %s", exact, wildcard)}
	if protocol == proxy.UDP {
		hop.Why += " for UDP"
	}
	hop.Rejected = append(namesakesOf(w, exact, protocol), namesakesOf(w, wildcard, protocol)...)
	if len(w.Out.Hops) > 0 { // netfilter did not take it
		hop.Decision, hop.Why = "none", "the connection goes past the proxy, straight to "+exact.String()
		w.Add(flow.Listener, w.Proxy.Dump.Root(), hop)
		w.Out.Endpoints = []flow.Host{{Address: exact.String(), Weight: 1, Healthy: true}}
		w.Out.Outcome, w.Done = flow.Forwarded, true
		return
	}
	w.Add(flow.Listener, w.Proxy.Dump.Root(), hop)
	w.Fail(flow.NoListener, "")
}

// namesakesOf is the listener of the other transport protocol at an address, which does not
// take the connection.
func namesakesOf(w *passage.Walk, key netip.AddrPort, protocol string) []flow.Alternative {
	other := map[string]string{proxy.OverTCP: proxy.UDP, proxy.UDP: proxy.OverTCP}[protocol]
	r := w.Proxy.Table(other).Bound[key]
	if r == nil {
		return nil
	}
	return []flow.Alternative{
		{
			Name: r.Name, Source: r.Value().Pointer(),
			Why: "it is bound to " + key.String() + " for " + strings.ToUpper(other),
		},
	}
}

// Take makes l the connection's listener.
func Take(w *passage.Walk, l *proxy.Listener, why string, rejected []flow.Alternative) {
	w.Listener, w.Out.Listener = l, l.Name
	hop := flow.Hop{
		Decision: l.Name, Why: why, Rejected: rejected, Expect: []flow.Fact{passage.Fact(flow.FactListener, l.Name)},
	}
	if w.Side == flow.Server && w.Req.Direction == flow.Inbound {
		hop.Expect = append(hop.Expect, peerFact(w), passage.Fact(flow.FactListening, listening(w)))
	} else if port := w.Req.Dst.Port(); w.Req.Direction == flow.Gateway && (port == proxy.OutboundPort ||
		port == proxy.InboundPort) {
		// a virtual listener that is dialled itself
		hop.Expect = append(hop.Expect, passage.Fact(flow.FactListening, listening(w)))
	}
	w.Add(flow.Listener, l.At.Value, hop)
}

// peerFact is the remote end of the downstream connection; its port is not known beforehand.
func peerFact(w *passage.Walk) flow.Fact {
	peer := "*"
	if w.Req.Src.IsValid() {
		peer = w.Req.Src.String()
		if w.Req.Src.Port() == 0 {
			peer = net.JoinHostPort(w.Req.Src.Addr().String(), "*")
		}
	}
	return passage.Joined(flow.FactPeer, peer, passage.JoinMesh)
}

// listening is the address that the listener's own socket is bound to.
func listening(w *passage.Walk) string { return proxy.AddressText(w.Listener.At.Get("address")) }
