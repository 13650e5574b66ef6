package verify

import (
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// TestOneOfTwoEndpoints: a connection goes to any of the endpoints that may be
// picked, and to no other.
func TestOneOfTwoEndpoints(t *testing.T) {
	for seen, want := range map[string]flow.Result{"10.0.0.2:8080": flow.Verified, "10.0.0.3:8080": flow.Verified,
		"10.0.0.4:8080": flow.Mismatch} {
		verdict := Judge(flow.Run{
			Path: flow.Path{Hops: []flow.Hop{{Kind: flow.Connect, Side: flow.Client,
				Expect:  []flow.Fact{{Name: flow.FactUpstreamRemote, Value: "*"}},
				Choices: []flow.Choice{{Name: "10.0.0.2:8080", Share: 0.5}, {Name: "10.0.0.3:8080", Share: 0.5}}}}},
			Observations: []flow.Observation{{Instrument: flow.EnvoyLog, Side: flow.Client, Kind: flow.Connect,
				Facts: []flow.Seen{{Name: flow.FactUpstreamRemote, Value: seen}}}},
			Watches: []flow.Watch{{Instrument: flow.EnvoyLog, Side: flow.Client, Complete: true,
				Sees: []flow.Capability{{Kind: flow.Connect, Fact: flow.FactUpstreamRemote}}}}})
		if verdict.Result != want {
			t.Errorf("%s: %s, want %s", seen, verdict.Result, want)
		}
	}
}
