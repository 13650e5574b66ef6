package verify

import (
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// TestEndsEarly says of a request that went all the way that it ended at each of its hops in turn:
// what was seen further on refutes it, also where the hops before it were confirmed.
func TestEndsEarly(t *testing.T) {
	for _, outcome := range []flow.Outcome{flow.Failed, flow.Answered} {
		for i := range len(workshop().Path.Hops) - 1 {
			run := workshop()
			run.Path.Hops, run.Path.Outcome = run.Path.Hops[:i+1], outcome
			v := Judge(run)
			last := v.Hops[i]
			if v.Result != flow.Mismatch || last.State != flow.Refuted ||
				!strings.Contains(last.Reason, "the way must end here, and ") {
				t.Errorf("%s at %s %s: %s, %s: %q", outcome, last.Side, last.Kind, v.Result, last.State, last.Reason)
			}
		}
	}
}

// TestEndsWhereItEnds takes away what was seen after the end: then nothing speaks against it.
func TestEndsWhereItEnds(t *testing.T) {
	chain := hop(flow.Server, flow.FilterChain, fact(flow.FactTransport, "tls"))
	filters := hop(flow.Server, flow.HTTPFilters, fact(flow.FactStatus, "403"))
	for _, c := range []struct {
		name    string
		outcome flow.Outcome
		last    flow.Hop
		seen    flow.Observation
		refuted bool
	}{
		{"nothing after a filter chain that matched nothing", flow.Failed, chain,
			seen(flow.EnvoyLog, flow.Server, flow.FilterChain, flow.FactTransport, "tls"), false},
		{"a connection to the app after it", flow.Failed, chain, seen(flow.Sockets, flow.Server, flow.Connect,
			flow.FactUpstreamRemote, endpoint), true},
		{"the same in another pod", flow.Failed, chain, flow.Observation{Instrument: flow.Sockets, Side: flow.Server,
			Kind:  flow.Connect,
			Where: flow.Where{Pod: "other.mark"},
			Facts: []flow.Seen{{Name: flow.FactUpstreamRemote, Value: endpoint}}}, false},
		{"the route that a filter asked for before it denied", flow.Answered, filters,
			seen(flow.AccessLog, flow.Server, flow.Cluster, flow.FactCluster, "inbound|8080||"), false},
		{"an endpoint after it denied", flow.Answered, filters, seen(flow.AccessLog, flow.Server, flow.Endpoint,
			flow.FactEndpoint, endpoint), true},
		{"no endpoint, said in so many words", flow.Answered, filters, seen(flow.AccessLog, flow.Server, flow.Endpoint,
			flow.FactEndpoint, ""), false},
		{"a status at the client", flow.Answered, filters,
			seen(flow.Curl, "", flow.App, flow.FactStatus, "403"), false},
		{"a way that is known only so far", flow.Forwarded, chain, seen(flow.Sockets, flow.Server, flow.Connect,
			flow.FactUpstreamRemote, endpoint), false},
		{"the server's sidecar after the client's failed", flow.Failed,
			hop(flow.Client, flow.Route, fact(flow.FactFlags, "NR")),
			seen(flow.EnvoyLog, flow.Server, flow.FilterChain, flow.FactFilterChain, "0.0.0.0_8080"), true},
	} {
		run := flow.Run{Path: flow.Path{Outcome: c.outcome, Hops: []flow.Hop{c.last}},
			Observations: []flow.Observation{c.seen}}
		if got := Judge(run).Hops[0].State == flow.Refuted; got != c.refuted {
			t.Errorf("%s: refuted %v, want %v: %s", c.name, got, c.refuted, Judge(run).Hops[0].Reason)
		}
	}
}
