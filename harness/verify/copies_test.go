package verify

import (
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// TestCopies leaves out what counters say of a copy's cluster, and of no other.
func TestCopies(t *testing.T) {
	saw := func(instrument flow.Instrument, kind flow.HopKind, fact, value string) flow.Observation {
		return flow.Observation{Instrument: instrument, Side: flow.Client, Where: flow.Where{Pod: "a.ns"}, Kind: kind,
			Facts: []flow.Seen{{Name: fact, Value: value}}}
	}
	path := flow.Path{Outcome: flow.Forwarded, Hops: []flow.Hop{{Kind: flow.Cluster, Side: flow.Client, Proxy: "a.ns",
		Expect: []flow.Fact{{Name: flow.FactCluster, Value: "b"}, {Name: flow.FactCluster, Value: "copy", May: true}}}}}
	watch := flow.Watch{Instrument: flow.Stats, Side: flow.Client, Pod: "a.ns", Complete: true, Sees: []flow.Capability{
		{Kind: flow.Cluster, Fact: flow.FactCluster}, {Kind: flow.Listener, Fact: flow.FactListener}}}
	for _, tt := range []struct {
		name       string
		counted    string
		kept, sees int
	}{
		{"the copy's cluster", "copy", 2, 1},
		{"the request's own", "b", 4, 2},
		{"a third one", "c", 4, 2},
	} {
		run := flow.Run{Path: path, Watches: []flow.Watch{watch}, Observations: []flow.Observation{
			saw(flow.AccessLog, flow.Cluster, flow.FactCluster, "b"),
			saw(flow.Stats, flow.Cluster, flow.FactCluster, tt.counted),
			saw(flow.Stats, flow.Connect, flow.FactUpstreamReused, "true"),
			saw(flow.Stats, flow.Listener, flow.FactListener, "l"),
		}}
		got := withoutCopies(run)
		if len(got.Observations) != tt.kept || len(got.Watches[0].Sees) != tt.sees {
			t.Errorf("%s: %d observations and %d sights are left, want %d and %d", tt.name, len(got.Observations),
				len(got.Watches[0].Sees), tt.kept, tt.sees)
		}
		if len(run.Observations) != 4 || len(run.Watches[0].Sees) != 2 {
			t.Errorf("%s: the run itself was changed", tt.name)
		}
	}
	refuted := func(counted ...string) bool {
		run := flow.Run{Path: path, Watches: []flow.Watch{watch}, Observations: []flow.Observation{
			saw(flow.AccessLog, flow.Cluster, flow.FactCluster, "b")}}
		for _, cluster := range counted {
			run.Observations = append(run.Observations, saw(flow.Stats, flow.Cluster, flow.FactCluster, cluster))
		}
		return Judge(run).Refuted > 0
	}
	if refuted("copy") || !refuted("c") || !refuted("copy", "c") {
		t.Error("a copy's cluster is refuted, or a third one is not")
	}
}
