package verify

import (
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// TestOthersUsedThePool has a request that was to dial, with what shows that others filled the pool
// after it was emptied.
func TestOthersUsedThePool(t *testing.T) {
	seen := func(kind flow.HopKind, name, value string) flow.Observation {
		return flow.Observation{Instrument: flow.EnvoyLog, Side: flow.Server, Kind: kind,
			Facts: []flow.Seen{{Name: name, Value: value}}}
	}
	remote := seen(flow.Connect, flow.FactUpstreamRemote, "10.0.0.2:8080")
	for name, c := range map[string]struct {
		pools string
		more  []flow.Observation
		want  flow.Result
		said  string
	}{
		"alone": {flow.ColdPools, nil, flow.Verified, ""},
		"reused": {
			flow.ColdPools, []flow.Observation{seen(flow.Connect, flow.FactUpstreamReused, "true")}, flow.Incomplete,
			"log saw at server connect: upstream.reused true",
		},
		"reused, and no table was empty": {"", []flow.Observation{seen(flow.Connect, flow.FactUpstreamReused, "true")},
			flow.Mismatch, ""},
		"not reused": {flow.ColdPools,
			[]flow.Observation{seen(flow.Connect, flow.FactUpstreamReused, "false")}, flow.Verified, ""},
		"a second connection": {
			flow.ColdPools, []flow.Observation{seen(flow.Listener, flow.FactOthers, "a second connection")},
			flow.Incomplete, "others a second connection",
		},
		"another host, alone": {flow.ColdPools,
			[]flow.Observation{seen(flow.Connect, flow.FactUpstreamRemote, "10.0.0.3:8080")}, flow.Mismatch, ""},
	} {
		t.Run(name, func(t *testing.T) {
			run := flow.Run{Pools: c.pools,
				Path: flow.Path{Hops: []flow.Hop{{Kind: flow.Connect, Side: flow.Server, Expect: []flow.Fact{
					{Name: flow.FactUpstreamRemote, Value: "10.0.0.2:8080"},
					{Name: flow.FactUpstreamReused, Value: "true", Absent: true}}}}},
				Observations: append([]flow.Observation{remote}, c.more...),
				Watches: []flow.Watch{{Instrument: flow.EnvoyLog, Side: flow.Server, Complete: true,
					Sees: []flow.Capability{
						{Kind: flow.Connect, Fact: flow.FactUpstreamRemote},
						{Kind: flow.Connect, Fact: flow.FactUpstreamReused}}}}}
			verdict := Judge(run)
			if said := strings.Join(verdict.Problems, "\n"); verdict.Result != c.want ||
				!strings.Contains(said, c.said) || c.said == "" && said != "" {
				t.Errorf("%s, problems %q", verdict.Result, said)
			}
		})
	}
}
