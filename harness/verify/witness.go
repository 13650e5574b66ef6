package verify

import (
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// witness lists, for each kind of hop, the instruments that can see it, the cheapest first.
var witness = map[flow.HopKind][]flow.Instrument{
	flow.Resolve:         {flow.Curl},
	flow.Redirect:        {flow.Netfilter, flow.Sockets, flow.EnvoyLog, flow.AccessLog, flow.Trace},
	flow.Listener:        {flow.EnvoyLog, flow.Stats, flow.AccessLog, flow.Trace},
	flow.ListenerFilters: {flow.EnvoyLog, flow.Stats, flow.Trace},
	flow.FilterChain:     {flow.AccessLog, flow.Trace},
	flow.DownstreamTLS:   {flow.Stats, flow.AccessLog, flow.Trace},
	flow.NetworkFilters:  {flow.EnvoyLog, flow.Stats, flow.AccessLog, flow.Trace},
	flow.HTTPFilters:     {flow.EnvoyLog, flow.Trace},
	flow.Route:           {flow.AccessLog, flow.EnvoyLog},
	flow.Cluster:         {flow.EnvoyLog, flow.AccessLog, flow.Trace},
	flow.Endpoint:        {flow.EnvoyLog, flow.Sockets, flow.AccessLog, flow.Trace},
	flow.UpstreamTLS:     {flow.Stats, flow.AccessLog, flow.Trace},
	flow.Connect:         {flow.EnvoyLog, flow.Sockets, flow.AccessLog, flow.Trace},
	flow.App:             {flow.Sockets, flow.Curl, flow.Trace},
}

// witnesses names the instruments that would see a hop and did not run.
func witnesses(kind flow.HopKind, ran []flow.Watch) string {
	var names []string
	for _, instrument := range witness[kind] {
		if !slices.ContainsFunc(ran, func(w flow.Watch) bool { return w.Instrument == instrument }) {
			names = append(names, string(instrument))
		}
	}
	return strings.Join(names, " or ")
}
