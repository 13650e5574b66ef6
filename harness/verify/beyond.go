package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// along is the order of hops on the way through one proxy.
var along = []flow.HopKind{flow.Resolve, flow.Redirect, flow.Listener, flow.ListenerFilters, flow.FilterChain, flow.DownstreamTLS, flow.NetworkFilters,
	flow.HTTPFilters, flow.Route, flow.Cluster, flow.Endpoint, flow.UpstreamTLS, flow.Connect, flow.App}

// arrivals are the facts that are seen at a kind of hop only when the request came there. Facts that an instrument also
// tells of nothing, such as a status or the absence of TLS, are not among them.
var arrivals = map[flow.HopKind][]string{
	flow.FilterChain:    {flow.FactFilterChain},
	flow.NetworkFilters: {flow.FactNetworkFilter, flow.FactStatPrefix},
	flow.HTTPFilters:    {flow.FactHTTPFilter},
	flow.Route:          {flow.FactRouteConfig, flow.FactVirtualHost, flow.FactRoute},
	flow.Cluster:        {flow.FactCluster},
	flow.Endpoint:       {flow.FactEndpoint},
	flow.Connect:        {flow.FactUpstreamLocal, flow.FactUpstreamRemote},
	flow.App:            {flow.FactPeer},
}

// chosenBefore are kinds that Envoy may have decided before the filter that ended the way answered: a filter may ask for
// the route, and the access log then names route and cluster of a request that never got there.
var chosenBefore = map[flow.HopKind][]flow.HopKind{flow.HTTPFilters: {flow.Route, flow.Cluster}}

// beyond sets a way that was inferred to end at its last hop against what was seen further on: each such thing refutes that
// hop, because the request did not end there.
func (j *judge) beyond() (evidence []flow.Evidence, refuted []string) {
	path := j.run.Path
	if len(path.Hops) == 0 || path.Outcome == flow.Forwarded || path.Outcome == "" {
		return nil, nil
	}
	last := path.Hops[len(path.Hops)-1]
	for i, o := range j.run.Observations {
		if !further(last, o) {
			continue
		}
		for _, s := range o.Facts {
			if !slices.Contains(arrivals[o.Kind], s.Name) || s.Value == "" {
				continue
			}
			evidence = append(evidence, flow.Evidence{Instrument: o.Instrument, Fact: s.Name, Expected: "nothing: the way ends before", Seen: s.Value, Observation: i})
			said := fmt.Sprintf("the way must end here, and %s saw the %s's %s: %s %s", o.Instrument, o.Side, o.Kind, s.Name, s.Value)
			if !slices.Contains(refuted, said) {
				refuted = append(refuted, said)
			}
		}
	}
	return evidence, refuted
}

// further reports whether an observation was made on the way after its last hop.
func further(last flow.Hop, o flow.Observation) bool {
	if last.Side == flow.Client && o.Side == flow.Server {
		return true
	}
	return sameProxy(&last, o.Side, o.Where.Pod) && slices.Index(along, o.Kind) > slices.Index(along, last.Kind) &&
		!slices.Contains(chosenBefore[last.Kind], o.Kind)
}

// joinReasons joins reasons into one; a long list says how many more there are.
func joinReasons(reasons []string) string {
	const most = 4
	if len(reasons) > most {
		reasons = append(slices.Clone(reasons[:most]), fmt.Sprintf("and %d more", len(reasons)-most))
	}
	return strings.Join(reasons, "; ")
}
