package infer

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// A listener is envoy.config.listener.v3.Listener as far as the way depends on it.
type listener struct {
	at       configdump.Message
	name     string
	handOver bool // use_original_dst
	filters  []listenerFilter
	chains   []*filterChain
	fallback *filterChain     // default_filter_chain, or nil
	matcher  configdump.Value // filter_chain_matcher
}

// listener returns the decoded form of a listener.
func (e *Engine) listener(r *configdump.Resource) *listener {
	return once(e, e.listeners, r, func() *listener {
		v := r.Value().Message()
		l := &listener{at: v, name: r.Name, handOver: v.Get("use_original_dst").Bool(), matcher: v.Get("filter_chain_matcher")}
		if l.name == "" && len(r.Addresses) > 0 {
			l.name = addressText(r.Addresses[0])
		}
		for _, f := range v.Get("listener_filters").Elements() {
			l.filters = append(l.filters, newListenerFilter(f))
		}
		if l.handOver { // it adds the filter (ListenerImpl::buildOriginalDstListenerFilter)
			l.filters = append(l.filters, listenerFilter{at: v.Get("use_original_dst"), name: originalDst, kind: originalDst})
		}
		for i, c := range v.Get("filter_chains").Elements() {
			l.chains = append(l.chains, newFilterChain(c, i))
		}
		if c := v.Get("default_filter_chain"); c.Exists() {
			l.fallback = newFilterChain(c, defaultChain)
		}
		return l
	})
}

func isFalse(v configdump.Value) bool { return v.Exists() && !v.Bool() }

// findListener decides which listener takes the connection: the one that netfilter takes it to, the one that this hands over
// to, or, for a connection that nothing redirected, the one that is bound there.
func (w *walk) findListener() {
	if w.req.Direction == flow.Gateway {
		w.boundListener()
		return
	}
	l := w.arrivedAt
	if l == nil {
		w.otherProcess()
		return
	}
	port := w.arrived.Port()
	if w.conn.restored = l.restores() || w.taken.target == "TPROXY"; !w.conn.restored && w.arrived.Addr().IsValid() {
		w.conn.local = w.arrived // the listener sees its own socket's address
	}
	if !l.handOver || w.req.dst.Port() == port && w.req.dst.Addr().IsLoopback() {
		w.take(l, fmt.Sprintf("it is bound to port %d, where netfilter sends the connection", port), nil)
		return
	}
	w.handOver(l)
}

// handOver looks for the listener of the original destination: see exactAndWildcard.
func (w *walk) handOver(virtual *listener) {
	exact, wildcard := exactAndWildcard(w.req.dst)
	table := w.e.table(w.req.transport()).all
	missing := func(key netip.AddrPort) flow.Alternative {
		return flow.Alternative{Name: "listener for " + key.String(), Why: "there is none in the dump"}
	}
	stays := flow.Alternative{Name: virtual.name, Source: virtual.at.Pointer(),
		Why: "use_original_dst hands the connection over before its own filter chains are looked at"}
	if r := table[exact]; r != nil && w.e.listener(r) != virtual {
		w.via = virtual
		w.take(w.e.listener(r), virtual.name+" has use_original_dst and hands over to the listener of exactly "+exact.String(), []flow.Alternative{stays})
		return
	}
	if r := table[wildcard]; r != nil && w.e.listener(r) != virtual {
		w.via = virtual
		w.take(w.e.listener(r), virtual.name+" has use_original_dst and hands over to the listener of "+wildcard.String(),
			[]flow.Alternative{missing(exact), stays})
		return
	}
	w.take(virtual, "no listener is for "+exact.String()+" or "+wildcard.String()+", so the connection stays where it arrived",
		[]flow.Alternative{missing(exact), missing(wildcard)})
}

// otherProcess is a connection that netfilter takes to where the proxy has no listener: another process of the pod takes it,
// such as the agent that answers DNS, or the dump is not of the pod.
func (w *walk) otherProcess() {
	if w.assumed {
		w.add(flow.Listener, w.e.dump.Root(), flow.Hop{Decision: "no listener", Why: fmt.Sprintf(
			"the dump has no listener on port %d that the redirected connection could arrive at", w.arrived.Port())})
		w.fail(flow.NoListener, "")
		return
	}
	why := fmt.Sprintf("the proxy has no listener on port %d, so another process of the pod takes the connection", w.arrived.Port())
	if w.arrived.Port() == dnsPort {
		why = fmt.Sprintf("port %d is the sidecar agent's, which answers DNS itself", dnsPort)
	}
	w.add(flow.Listener, w.e.dump.Root(), flow.Hop{Decision: "none", Why: why})
	w.out.Endpoints = []flow.Host{{Address: w.arrived.String(), Weight: 1, Healthy: true}}
	w.out.Outcome, w.done = flow.Forwarded, true
}

// boundListener finds the listener whose socket the client dials.
func (w *walk) boundListener() {
	exact, wildcard := exactAndWildcard(w.req.dst)
	protocol := w.req.transport()
	for _, key := range []netip.AddrPort{exact, wildcard} {
		if r := w.e.table(protocol).bound[key]; r != nil {
			why := "it is bound to " + key.String()
			if protocol == udp {
				why += " for UDP"
			}
			w.take(w.e.listener(r), why, w.namesakesOf(key, protocol))
			return
		}
	}
	hop := flow.Hop{Decision: "no listener", Why: fmt.Sprintf("the proxy binds neither %s nor %s", exact, wildcard)}
	if protocol == udp {
		hop.Why += " for UDP"
	}
	hop.Rejected = append(w.namesakesOf(exact, protocol), w.namesakesOf(wildcard, protocol)...)
	if len(w.out.Hops) > 0 { // netfilter did not take it
		hop.Decision, hop.Why = "none", "the connection goes past the proxy, straight to "+exact.String()
		w.add(flow.Listener, w.e.dump.Root(), hop)
		w.out.Endpoints = []flow.Host{{Address: exact.String(), Weight: 1, Healthy: true}}
		w.out.Outcome, w.done = flow.Forwarded, true
		return
	}
	w.add(flow.Listener, w.e.dump.Root(), hop)
	w.fail(flow.NoListener, "")
}

// namesakesOf is the listener of the other transport protocol at an address, which does not take the connection.
func (w *walk) namesakesOf(key netip.AddrPort, protocol string) []flow.Alternative {
	other := map[string]string{overTCP: udp, udp: overTCP}[protocol]
	r := w.e.table(other).bound[key]
	if r == nil {
		return nil
	}
	return []flow.Alternative{{Name: r.Name, Source: r.Value().Pointer(), Why: "it is bound to " + key.String() + " for " + strings.ToUpper(other)}}
}

// take makes l the connection's listener.
func (w *walk) take(l *listener, why string, rejected []flow.Alternative) {
	w.listener, w.out.Listener = l, l.name
	hop := flow.Hop{Decision: l.name, Why: why, Rejected: rejected, Expect: []flow.Fact{fact(flow.FactListener, l.name)}}
	if w.side == flow.Server && w.req.Direction == flow.Inbound {
		hop.Expect = append(hop.Expect, w.peerFact(), fact(flow.FactListening, w.listening()))
	} else if port := w.req.dst.Port(); w.req.Direction == flow.Gateway && (port == outboundPort || port == inboundPort) {
		hop.Expect = append(hop.Expect, fact(flow.FactListening, w.listening())) // a virtual listener that is dialled itself
	}
	w.add(flow.Listener, l.at.Value, hop)
}

// peerFact is the remote end of the downstream connection; its port is one that nobody knows beforehand.
func (w *walk) peerFact() flow.Fact {
	peer := "*"
	if w.req.src.IsValid() {
		peer = w.req.src.String()
		if w.req.src.Port() == 0 {
			peer = hostPort(w.req.src.Addr(), "*")
		}
	}
	return joined(flow.FactPeer, peer, joinMesh)
}

// listening is the address that the listener's own socket is bound to.
func (w *walk) listening() string { return addressText(w.listener.at.Get("address")) }

// hostPort joins an address and a port or pattern, with brackets around IPv6.
func hostPort(ip netip.Addr, port string) string {
	if ip.Is6() {
		return "[" + ip.String() + "]:" + port
	}
	return ip.String() + ":" + port
}
