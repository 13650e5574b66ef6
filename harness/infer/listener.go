package infer

import (
	"fmt"
	"net/netip"

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

// An addressTable finds listeners by the address they are for, as Envoy's connection handler does.
type addressTable struct {
	all   map[netip.AddrPort]*configdump.Resource // every listener, bound or not
	bound map[netip.AddrPort]*configdump.Resource // those that bind a socket
}

// table returns the addresses of all listeners that are in use.
func (e *Engine) table() *addressTable {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.addresses != nil {
		return e.addresses
	}
	t := &addressTable{all: map[netip.AddrPort]*configdump.Resource{}, bound: map[netip.AddrPort]*configdump.Resource{}}
	for _, r := range e.dump.Resources(configdump.Listener) {
		if r.State > configdump.Active {
			continue
		}
		t.insert(r)
	}
	e.addresses = t
	return t
}

// insert enters a listener under its addresses. bind_to_port stood in deprecated_v1 until Envoy 1.20.
func (t *addressTable) insert(r *configdump.Resource) {
	v := r.Value()
	bound := !isFalse(v.Get("bind_to_port")) && !isFalse(v.Get("deprecated_v1", "bind_to_port"))
	for _, a := range r.Addresses {
		if !a.IsArray() {
			t.put(a, r, bound)
		}
		for _, more := range a.Elements() { // additional_addresses
			t.put(more.Get("address"), r, bound)
		}
	}
}

func (t *addressTable) put(address configdump.Value, r *configdump.Resource, bound bool) {
	addr, ok := socketAddress(address)
	if !ok {
		return
	}
	keys := []netip.AddrPort{addr}
	if addr.Addr() == netip.IPv6Unspecified() && address.Get("socket_address", "ipv4_compat").Bool() {
		keys = append(keys, netip.AddrPortFrom(netip.IPv4Unspecified(), addr.Port()))
	}
	for _, k := range keys {
		if t.all[k] == nil {
			t.all[k] = r
		}
		if bound && t.bound[k] == nil {
			t.bound[k] = r
		}
	}
}

func isFalse(v configdump.Value) bool { return v.Exists() && !v.Bool() }

// exactAndWildcard returns the keys under which a destination is looked up, in order: its own ip:port, then all
// addresses of its port. (ConnectionHandlerImpl::getBalancedHandlerByAddress)
func exactAndWildcard(dst netip.AddrPort) (exact, wildcard netip.AddrPort) {
	any := netip.IPv4Unspecified()
	if dst.Addr().Is6() {
		any = netip.IPv6Unspecified()
	}
	return dst, netip.AddrPortFrom(any, dst.Port())
}

// findListener decides which listener takes the connection: the virtual one, the one that it hands over to, or, for a
// connection that nothing redirected, the one that is bound there.
func (w *walk) findListener() {
	if w.req.Direction == flow.Gateway {
		w.boundListener()
		return
	}
	if w.elsewhere != 0 {
		w.otherListener()
		return
	}
	port, virtual := w.virtualListener(w.req.Direction)
	if virtual == nil {
		w.add(flow.Listener, w.e.dump.Root(), flow.Hop{Decision: "no listener", Why: fmt.Sprintf(
			"the dump has no listener on port %d that the redirected connection could arrive at", port)})
		w.fail(flow.NoListener, "")
		return
	}
	l := w.e.listener(virtual)
	if !l.handOver || w.req.dst.Port() == port && w.req.dst.Addr().IsLoopback() {
		w.take(l, fmt.Sprintf("it is bound to port %d, where netfilter sends the connection", port), nil)
		return
	}
	w.handOver(l, virtual)
}

// handOver looks for the listener of the original destination: see exactAndWildcard.
func (w *walk) handOver(virtual *listener, own *configdump.Resource) {
	exact, wildcard := exactAndWildcard(w.req.dst)
	table := w.e.table().all
	missing := func(key netip.AddrPort) flow.Alternative {
		return flow.Alternative{Name: "listener for " + key.String(), Why: "there is none in the dump"}
	}
	stays := flow.Alternative{Name: virtual.name, Source: virtual.at.Pointer(),
		Why: "use_original_dst hands the connection over before its own filter chains are looked at"}
	if r := table[exact]; r != nil && r != own {
		w.via = virtual
		w.take(w.e.listener(r), virtual.name+" has use_original_dst and hands over to the listener of exactly "+exact.String(), []flow.Alternative{stays})
		return
	}
	if r := table[wildcard]; r != nil && r != own {
		w.via = virtual
		w.take(w.e.listener(r), virtual.name+" has use_original_dst and hands over to the listener of "+wildcard.String(),
			[]flow.Alternative{missing(exact), stays})
		return
	}
	w.take(virtual, "no listener is for "+exact.String()+" or "+wildcard.String()+", so the connection stays where it arrived",
		[]flow.Alternative{missing(exact), missing(wildcard)})
}

// otherListener is a connection that netfilter takes to a port of no virtual listener. One that is bound there may be the
// proxy's; otherwise another process of the pod takes it, such as the agent that answers DNS.
func (w *walk) otherListener() {
	at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), w.elsewhere)
	if w.req.dst.Addr().Is6() {
		at = netip.AddrPortFrom(netip.IPv6Loopback(), w.elsewhere)
	}
	exact, wildcard := exactAndWildcard(at)
	for _, key := range []netip.AddrPort{exact, wildcard} {
		if r := w.e.table().bound[key]; r != nil {
			w.take(w.e.listener(r), "it is bound to "+key.String()+", where netfilter sends the connection", nil)
			return
		}
	}
	why := fmt.Sprintf("the proxy has no listener on port %d, so another process of the pod takes the connection", w.elsewhere)
	if w.elsewhere == dnsPort {
		why = fmt.Sprintf("port %d is the sidecar agent's, which answers DNS itself", w.elsewhere)
	}
	w.add(flow.Listener, w.e.dump.Root(), flow.Hop{Decision: "none", Why: why})
	w.out.Endpoints = []flow.Host{{Address: at.String(), Weight: 1, Healthy: true}}
	w.out.Outcome, w.done = flow.Forwarded, true
}

// boundListener finds the listener whose socket the client dials.
func (w *walk) boundListener() {
	exact, wildcard := exactAndWildcard(w.req.dst)
	for _, key := range []netip.AddrPort{exact, wildcard} {
		if r := w.e.table().bound[key]; r != nil {
			w.take(w.e.listener(r), "it is bound to "+key.String(), nil)
			return
		}
	}
	hop := flow.Hop{Decision: "no listener", Why: fmt.Sprintf("the proxy binds neither %s nor %s", exact, wildcard)}
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
