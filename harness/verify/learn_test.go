package verify

import (
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// openRun is a run whose route a script may choose: to cluster a, or to cluster b. saw is the
// cluster that the log saw.
func openRun(saw string, others bool) flow.Run {
	way := func(cluster string) []flow.Hop {
		expect := func(name, value string) []flow.Fact { return []flow.Fact{{Name: name, Value: value}} }
		return []flow.Hop{
			{Kind: flow.Listener, Side: flow.Client, Decision: "l", Certainty: flow.Certain,
				Expect: expect(flow.FactListener, "l")},
			{Kind: flow.Cluster, Side: flow.Client, Decision: cluster, Certainty: flow.Depends,
				Open: []string{"filter lua"}, Expect: expect(flow.FactCluster, cluster)},
			{Kind: flow.App, Side: flow.Client, Decision: "the application", Certainty: flow.Certain,
				Expect: expect(flow.FactProcess, "app")},
		}
	}
	see := func(kind flow.HopKind, name, value string) flow.Observation {
		return flow.Observation{Instrument: flow.EnvoyLog, Side: flow.Client, Kind: kind,
			Facts: []flow.Seen{{Name: name, Value: value}}}
	}
	can := func(kind flow.HopKind, name string) flow.Capability { return flow.Capability{Kind: kind, Fact: name} }
	return flow.Run{
		Path: flow.Path{Outcome: flow.Forwarded, Certainty: flow.Depends, Others: others, Hops: way("a"),
			Depends: []flow.Dependency{{Hop: flow.Cluster, On: "filter lua", What: flow.WhatRoute,
				Why: "a script may set it"}},
			Variants: []flow.Variant{{Outcome: flow.Forwarded, Hops: way("b")}}},
		Observations: []flow.Observation{see(flow.Listener, flow.FactListener, "l"),
			see(flow.Cluster, flow.FactCluster, saw), see(flow.App, flow.FactProcess, "app")},
		Watches: []flow.Watch{{Instrument: flow.EnvoyLog, Side: flow.Client, Complete: true,
			Sees: []flow.Capability{can(flow.Listener, flow.FactListener), can(flow.Cluster, flow.FactCluster),
				can(flow.App, flow.FactProcess)}}},
	}
}

// TestLearned is the table of verdicts on a way that inference leaves open: it is never verified.
func TestLearned(t *testing.T) {
	without := func(run flow.Run, kind flow.HopKind) flow.Run {
		var kept []flow.Observation
		for _, o := range run.Observations {
			if o.Kind != kind {
				kept = append(kept, o)
			}
		}
		run.Observations = kept
		return run
	}
	lost := openRun("a", false)
	lost.Watches[0].Lost = 1
	listener := openRun("b", false)
	listener.Observations[0].Facts[0].Value = "other"
	for _, c := range []struct {
		name               string
		run                flow.Run
		result             flow.Result
		confirmed, learned int
		taken              int
	}{
		{"what was guessed", openRun("a", false), flow.Consistent, 2, 1, 0},
		{"the other that is possible", openRun("b", false), flow.Consistent, 2, 1, 1},
		{"none that is possible", openRun("c", false), flow.Mismatch, 2, 0, 0},
		{"none that can be named, and there may be others", openRun("c", true), flow.Incomplete, 2, 0, 0},
		{"the open hop was not seen", without(openRun("a", false), flow.Cluster), flow.Incomplete, 2, 0, 0},
		{"a certain hop was not seen", without(openRun("b", false), flow.App), flow.Incomplete, 1, 1, 1},
		{"an event was lost", lost, flow.Incomplete, 2, 1, 0},
		{"a certain hop is refuted", listener, flow.Mismatch, 1, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := Judge(c.run)
			if v.Result != c.result || v.Confirmed != c.confirmed || v.Learned != c.learned || v.Taken != c.taken {
				t.Errorf("%s, way %d: %s; expected %s, %d confirmed, %d learned, way %d\n%+v", v.Result, v.Taken,
					Summary(v), c.result, c.confirmed, c.learned, c.taken, v.Hops)
			}
		})
	}
}
