package trace

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/flowproof/lab/bpf/envoy"
	"github.com/flowproof/lab/harness/flow"
)

// inside tells what the probes on a sidecar's Envoy saw about the request's downstream connection.
// joined is Envoy's own join of the request.
func (o *observer) inside(side flow.Side, down *socket, joined *join) {
	if down == nil {
		return
	}
	for _, e := range down.values {
		switch e.Name {
		case envoy.ProbeFilterChain:
			o.see(side, e, flow.FilterChain, flow.FactFilterChain, cmp.Or(e.Text, flow.Unnamed))
		case envoy.ProbeSNI:
			o.see(side, e, flow.ListenerFilters, flow.FactFilter, tlsInspector, flow.FactTransport, "tls",
				flow.FactSNI, e.Text)
		}
	}
	if joined != nil && joined.at.Ends.Connection != 0 {
		o.see(side, joined.at, flow.NetworkFilters, flow.FactConnection,
			strconv.FormatUint(joined.at.Ends.Connection, 10))
	}
	e, cluster := o.chain.clusterOf(side)
	o.see(side, e, flow.Cluster, flow.FactCluster, cluster)
	proven := o.recording.inside(down.pod).Statements
	for _, e := range down.statements {
		i := slices.IndexFunc(evidence, func(s statementEvidence) bool { return s.format == e.Text })
		if i >= 0 && slices.Contains(proven, e.Text) {
			o.see(side, e, evidence[i].kind, evidence[i].fact, evidence[i].value)
		}
	}
	o.filters(side, down)
}

// clusterOf is the cluster that the router chose for the request, and what told it. With Envoy's
// join it comes from the request itself; of one that was given no connection, it may be the only
// one that was chosen for its downstream connection meanwhile. The client's sidecar chooses it
// after it has read the request, the server's before it writes it.
func (c *chain) clusterOf(side flow.Side) (at *Event, cluster string) {
	down, request, joined := c.downstream, c.clientRequest, c.clientJoin
	if side == flow.Server {
		down, request, joined = c.serverDown, c.serverRequest, c.serverJoin
	}
	switch {
	case joined != nil && legible(joined.at.Ends.Cluster):
		return joined.at, joined.at.Ends.Cluster
	case down == nil || request == nil:
		return nil, ""
	}
	for _, e := range down.values {
		switch {
		case e.Name != envoy.ProbeCluster, !legible(e.Text), side == flow.Server && e.Time.After(request.Time),
			side == flow.Client && (e.Time.Before(request.Time) || c.answer() != nil && e.Time.After(c.answer().Time)):
		case at != nil:
			return nil, ""
		default:
			at, cluster = e, e.Text
		}
	}
	return at, cluster
}

// legible says whether a text is a name. The way to a cluster's name is tried with each kind of
// route entry; in recordings of earlier versions it was not, and what they read of a route with
// weights can be anything.
func legible(name string) bool {
	return name != "" && utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsPrint(r)
	})
}
