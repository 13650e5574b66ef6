package infer

import (
	"fmt"
	"net/netip"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// connect decides from which address the upstream connection comes.
func (w *walk) connect() {
	if w.goInside() {
		return
	}
	bind := w.cluster.at.Get("upstream_bind_config")
	source := bind.Get("source_address")
	why := "upstream_bind_config gives the source address"
	at := source
	if !bind.Exists() {
		if bootstrap := w.e.bind; bootstrap.Exists() {
			source, at, why = bootstrap.Get("source_address"), bootstrap, "the bootstrap's upstream_bind_config gives the source address"
		} else {
			at, why = w.cluster.at.Value, "no upstream_bind_config: the kernel chooses the source address"
		}
	}
	local := w.localAddress(source)
	remote := first(w.pick.address(), "one of them")
	hop := flow.Hop{Decision: fmt.Sprintf("%s → %s", local, remote), Why: why, Expect: []flow.Fact{fact(flow.FactProcess, "envoy")}}
	join := joinMesh
	if w.side == flow.Server {
		join = joinApp
	}
	hop.Expect = append(hop.Expect, joined(flow.FactUpstreamLocal, local, join))
	switch {
	case len(w.pick.choices) > 1: // the way is followed to one of them, and Envoy may take another
		hop.Choices = w.pick.choices
		hop.Expect = append(hop.Expect, fact(flow.FactUpstreamRemote, "*"))
	case w.pick.address() != "":
		hop.Expect = append(hop.Expect, fact(flow.FactUpstreamRemote, w.pick.address()))
	}
	if w.opts.Cold {
		hop.Why += "; no connection is pooled, so a new one is dialled"
		hop.Expect = append(hop.Expect, absent(flow.FactUpstreamReused, "true"))
	}
	if w.opts.Warm {
		hop.Why += "; the worker has a connection pooled, and takes it"
		hop.Expect = append(hop.Expect, fact(flow.FactUpstreamReused, "true"))
	}
	hop.Expect = append(hop.Expect, w.sent()...)
	w.add(flow.Connect, at, hop)
}

// localAddress returns the source address of an upstream connection with * for the port that the kernel chooses.
func (w *walk) localAddress(source configdump.Value) string {
	if ip, err := netip.ParseAddr(source.Get("address").Text()); err == nil && !ip.IsUnspecified() {
		port := source.Get("port_value").Text()
		if port == "" || port == "0" {
			port = "*"
		}
		return hostPort(ip, port)
	}
	if len(w.e.node.IPs) > 0 {
		if ip, err := netip.ParseAddr(w.e.node.IPs[0]); err == nil {
			return hostPort(ip, "*")
		}
	}
	return "*"
}
