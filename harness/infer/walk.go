package infer

import (
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/connection"
	"github.com/flowproof/lab/harness/infer/hcm"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/upstream"
)

// surface makes the decision that of the HTTP request, where it went inside of the proxy as bytes
// alone: its own listener, route and cluster are what its access log says. Hops tell the rest.
func surface(w *passage.Walk) {
	o := w.Outer
	if o == nil || w.HCM != nil {
		return
	}
	o.Outcome, o.Failure, o.Flag, o.Status, o.Location, o.Hops = w.Out.Outcome, w.Out.Failure, w.Out.Flag, w.Out.Status,
		w.Out.Location, w.Out.Hops
	if o.Outcome == flow.Failed && o.Status == 0 { // the connection ends without a response
		o.Flag, o.Status = "UC", 503
	}
	w.Out = *o
}

// hops are the decisions on the way through one proxy, in order. Decide makes two hops, and
// TCP has none of them.
var hops = [...]struct {
	kind   flow.HopKind
	decide func(*passage.Walk)
}{
	{flow.Redirect, connection.Redirect}, {flow.Listener, connection.FindListener},
	{flow.ListenerFilters, connection.ListenerFilters},
	{flow.FilterChain, connection.MatchChain}, {flow.DownstreamTLS, connection.DownstreamTLS},
	{flow.NetworkFilters, connection.NetworkFilters},
	{flow.HTTPFilters, hcm.Decide}, {flow.Cluster, upstream.FindCluster}, {flow.Endpoint, upstream.PickEndpoint},
	{flow.UpstreamTLS, upstream.TLS}, {flow.Connect, upstream.Connect},
}

// afterListener is the place among hops where the way through a listener begins.
const afterListener = 2

// run takes the request through the proxy, hop by hop, until it is forwarded,
// answered or has failed.
func run(w *passage.Walk) {
	for i := 0; i < len(hops); i++ {
		w.Deciding = hops[i].kind
		if hops[i].decide(w); w.Done {
			break
		}
		if w.Restart { // at an internal listener, which has been taken
			w.Restart, i = false, afterListener-1
		}
	}
	if !w.Done {
		w.Out.Outcome = flow.Forwarded
	}
	surface(w)
}
