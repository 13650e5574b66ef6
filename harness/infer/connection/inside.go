package connection

import (
	"fmt"
	"net/netip"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
)

// restoreInside is original_dst on an internal connection: filter state, and else
// metadata, say its ends.
func restoreInside(w *passage.Walk) {
	end := func(state, field string) (netip.AddrPort, bool) {
		text, ok := w.StateText(state)
		if !ok {
			text, ok = w.Meta.Namespace(passage.RestoredFrom)[field].(string)
		}
		to, err := netip.ParseAddrPort(text)
		return to, ok && err == nil
	}
	if to, ok := end(passage.StateLocal, "local"); ok {
		w.Conn.Local, w.Conn.Restored = to, true
	}
	if from, ok := end(passage.StateRemote, "remote"); ok {
		w.Conn.Remote = from
	}
}

// throughWaypoint wraps the request into the CONNECT in which a waypoint takes what
// comes to a Service, on the port of HBONE, and says whether the proxy is one. A user
// asks for the inner request.
func throughWaypoint(w *passage.Walk) bool {
	entry, ok := w.Proxy.Dump.Lookup(configdump.Listener, "connect_terminate")
	if !ok || entry.State > configdump.Active {
		return false
	}
	var at netip.AddrPort
	for _, a := range proxy.AddressesOf(entry) {
		if addr, ok := proxy.SocketAddress(a); ok && !at.IsValid() {
			at = addr
		}
	}
	if !at.IsValid() {
		return false
	}
	dialled := at
	if at.Addr().IsUnspecified() && len(w.Proxy.Node.IPs) > 0 {
		if ip, err := netip.ParseAddr(w.Proxy.Node.IPs[0]); err == nil {
			dialled = netip.AddrPortFrom(ip, at.Port())
		}
	}
	inner := w.Req.Request
	inner.Inner = nil
	outer := flow.Request{ID: inner.ID, Direction: flow.Gateway, Source: inner.Source, Address: dialled.Addr().String(),
		Port:     uint32(dialled.Port()),
		Protocol: passage.HTTP2, TLS: flow.MTLS, ALPN: []string{"h2"}, Method: "CONNECT", Authority: w.Req.Dst.String(),
		Inner: &inner, Random: inner.Random}
	next, err := passage.Normalise(outer)
	if err != nil {
		return false
	}
	w.Add(flow.Redirect, entry.Value(),
		flow.Hop{Decision: fmt.Sprintf("inside of CONNECT %s to %s", w.Req.Dst, dialled),
			Why: "the proxy has no listener for redirected connections and one that terminates CONNECT: a waypoint, " +
				"which is sent HBONE"})
	w.Req = next
	w.Conn = passage.Connection{Local: next.Dst, Remote: next.Src, Direct: next.Direct, Transport: "raw_buffer"}
	return true
}
