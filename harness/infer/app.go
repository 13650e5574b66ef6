package infer

import (
	"slices"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/passage"
)

// atServer are the hops of a decision as those of the server's side, with the app at their end
// where the request comes to it.
func atServer(e *Engine, d flow.Decision) []flow.Hop {
	for i := range d.Hops {
		d.Hops[i].Side = flow.Server
	}
	if d.Outcome == flow.Forwarded {
		return append(d.Hops, app(e, d))
	}
	return d.Hops
}

// app is the end of the way: the application's own socket. Who the process is stands in no dump.
func app(e *Engine, d flow.Decision) flow.Hop {
	hop := flow.Hop{Kind: flow.App, Side: flow.Server, Proxy: e.proxy.Node.Proxy(), Decision: "the application",
		Why: "the last connection ends at a socket that is not the proxy's"}
	if len(d.Endpoints) == 1 {
		hop.Decision = "the application on " + d.Endpoints[0].Address
	}
	if n := len(d.Hops); n > 0 && d.Hops[n-1].Kind == flow.Connect {
		for _, f := range d.Hops[n-1].Expect {
			if f.Name == flow.FactUpstreamLocal {
				hop.Expect = append(hop.Expect, passage.Joined(flow.FactPeer, f.Value, passage.JoinApp))
				hop.Source = d.Hops[n-1].Source
			}
		}
		hop.Expect = append(hop.Expect, arrived(d.Hops[n-1].Expect)...)
	}
	return hop
}

// arrived are the facts of the request that the last proxy sends, which are those of the request
// that its application reads.
func arrived(expect []flow.Fact) []flow.Fact {
	return slices.DeleteFunc(slices.Clone(expect), func(f flow.Fact) bool {
		return !slices.Contains([]string{flow.FactMethod, flow.FactPath, flow.FactAuthority, flow.FactHeader}, f.Name)
	})
}
