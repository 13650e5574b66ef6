package upstream

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/passage"
)

// Connect decides from which address the upstream connection comes.
func Connect(w *passage.Walk) {
	if goInside(w) {
		return
	}
	bind := w.Cluster.At.Get("upstream_bind_config")
	source := bind.Get("source_address")
	why := "upstream_bind_config gives the source address"
	at := source
	if !bind.Exists() {
		if bootstrap := w.Proxy.Bind; bootstrap.Exists() {
			source, at, why = bootstrap.Get("source_address"), bootstrap,
				"the bootstrap's upstream_bind_config gives the source address"
		} else {
			at, why = w.Cluster.At.Value, "no upstream_bind_config: the kernel chooses the source address"
		}
	}
	local := localAddress(w, source)
	remote := cmp.Or(w.Pick.Address(), "one of them")
	hop := flow.Hop{Decision: fmt.Sprintf("%s → %s", local, remote), Why: why,
		Expect: []flow.Fact{passage.Fact(flow.FactProcess, "envoy")}}
	join := passage.JoinMesh
	if w.Side == flow.Server {
		join = passage.JoinApp
	}
	hop.Expect = append(hop.Expect, passage.Joined(flow.FactUpstreamLocal, local, join))
	switch {
	case len(w.Pick.Choices) > 1: // the way is followed to one of them, and Envoy may take another
		hop.Choices = w.Pick.Choices
		hop.Expect = append(hop.Expect, passage.Fact(flow.FactUpstreamRemote, "*"))
	case w.Pick.Address() != "":
		hop.Expect = append(hop.Expect, passage.Fact(flow.FactUpstreamRemote, seenAs(w.Pick.Address())))
	}
	if w.Opts.Cold {
		hop.Why += "; no connection is pooled, so a new one is dialled"
		hop.Expect = append(hop.Expect, passage.Absent(flow.FactUpstreamReused, "true"))
	}
	if w.Opts.Warm {
		hop.Why += "; the worker has a connection pooled, and takes it"
		hop.Expect = append(hop.Expect, passage.Fact(flow.FactUpstreamReused, "true"))
	}
	hop.Expect = append(hop.Expect, sent(w)...)
	w.Add(flow.Connect, at, hop)
}

// localAddress returns the source address of an upstream connection with * for the port that
// the kernel chooses.
func localAddress(w *passage.Walk, source configdump.Value) string {
	if ip, err := netip.ParseAddr(source.Get("address").Text()); err == nil && !ip.IsUnspecified() {
		port := source.Get("port_value").Text()
		if port == "" || port == "0" {
			port = "*"
		}
		return net.JoinHostPort(ip.String(), port)
	}
	if len(w.Proxy.Node.IPs) > 0 {
		if ip, err := netip.ParseAddr(w.Proxy.Node.IPs[0]); err == nil {
			return net.JoinHostPort(ip.String(), "*")
		}
	}
	return "*"
}
