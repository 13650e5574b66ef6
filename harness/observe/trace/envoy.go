package trace

import (
	"cmp"
	"slices"

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
	if e := clusterOf(down, request, joined); e != nil {
		o.see(side, e, flow.Cluster, flow.FactCluster, e.Text)
	}
	proven := o.recording.inside(down.pod).Statements
	for _, e := range down.statements {
		i := slices.IndexFunc(evidence, func(s statementEvidence) bool { return s.format == e.Text })
		if i >= 0 && slices.Contains(proven, e.Text) {
			o.see(side, e, evidence[i].kind, evidence[i].fact, evidence[i].value)
		}
	}
}

// clusterOf is the cluster that the router chose for the request. Envoy's join says which of several it was; without one,
// the connection may have had only one request.
func clusterOf(down *socket, request *Event, joined *join) *Event {
	if joined != nil && joined.cluster != nil {
		return joined.cluster
	}
	var only *Event
	for _, e := range down.values {
		if e.Name != valueCluster || request == nil {
			continue
		}
		if only != nil {
			return nil
		}
		only = e
	}
	return only
}
