package trace

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/flowproof/lab/harness/flow"
)

// inside tells what the probes on a sidecar's Envoy saw about the request's downstream connection. request is when the
// sidecar read or wrote the request, where the kernel saw it in clear text; joined is Envoy's own join of the request.
func (o *observer) inside(side flow.Side, down *socket, request *Event, joined *join) {
	if down == nil {
		return
	}
	for _, e := range down.values {
		switch e.Name {
		case valueFilterChain:
			o.see(side, e, flow.FilterChain, flow.FactFilterChain, cmp.Or(e.Text, flow.Unnamed))
		case valueSNI:
			o.see(side, e, flow.ListenerFilters, flow.FactFilter, tlsInspector, flow.FactTransport, "tls", flow.FactSNI, e.Text)
		}
	}
	if joined != nil && joined.at.Ends.Connection != 0 {
		o.see(side, joined.at, flow.NetworkFilters, flow.FactConnection, strconv.FormatUint(joined.at.Ends.Connection, 10))
	}
	e, cluster := clusterOf(down, request, joined)
	o.see(side, e, flow.Cluster, flow.FactCluster, cluster)
	proven := o.recording.inside(down.pod).Statements
	for _, e := range down.statements {
		i := slices.IndexFunc(evidence, func(s statementEvidence) bool { return s.format == e.Text })
		if i >= 0 && slices.Contains(proven, e.Text) {
			o.see(side, e, evidence[i].kind, evidence[i].fact, evidence[i].value)
		}
	}
}

// clusterOf is the cluster that the router chose for the request, and what told it. With Envoy's join it comes from the request itself;
// one that was given no connection may be the only one of its downstream connection.
func clusterOf(down *socket, request *Event, joined *join) (at *Event, cluster string) {
	if joined != nil && joined.at.Ends.Cluster != "" {
		return joined.at, joined.at.Ends.Cluster
	}
	var only *Event
	for _, e := range down.values {
		if e.Name != valueCluster || request == nil {
			continue
		}
		if only != nil {
			return nil, ""
		}
		only = e
	}
	if only == nil {
		return nil, ""
	}
	return only, only.Text
}
