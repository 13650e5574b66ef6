package verify

import (
	"slices"

	"github.com/flowproof/lab/harness/flow"
)

// withoutCopies leaves out what a proxy's counters say of its connections upstream, where what they
// counted is a copy of the request: a route has Envoy send one to another cluster and throw its
// answer away. A cluster whose counters a mesh does not keep leaves the copy's alone to rise: the
// connection and the answer that they tell of are the copy's. What they say of another cluster
// stays.
func withoutCopies(run flow.Run) flow.Run {
	for i := range run.Path.Hops {
		hop := &run.Path.Hops[i]
		if hop.Kind != flow.Cluster || !slices.ContainsFunc(hop.Expect, isCopy) {
			continue
		}
		counted := func(o flow.Observation) bool {
			return o.Instrument == flow.Stats && sameProxy(hop, o.Side, o.Where.Pod)
		}
		copys := func(o flow.Observation) bool {
			return counted(o) && slices.ContainsFunc(o.Facts, func(s flow.Seen) bool { return copied(hop, s) })
		}
		if !slices.ContainsFunc(run.Observations, copys) {
			continue
		}
		run.Observations = slices.DeleteFunc(slices.Clone(run.Observations), func(o flow.Observation) bool {
			return copys(o) || counted(o) && upstream(o.Kind) && o.Kind != flow.Cluster
		})
		run.Watches = slices.Clone(run.Watches)
		for k := range run.Watches {
			if w := &run.Watches[k]; w.Instrument == flow.Stats && sameProxy(hop, w.Side, w.Pod) {
				w.Sees = slices.DeleteFunc(slices.Clone(w.Sees), func(c flow.Capability) bool {
					return upstream(c.Kind)
				})
			}
		}
	}
	return run
}

// isCopy says whether a fact names a cluster that a copy of the request goes to.
func isCopy(f flow.Fact) bool { return f.Name == flow.FactCluster && f.May }

// copied says whether a fact that was seen is of a cluster that only a copy goes to.
func copied(hop *flow.Hop, s flow.Seen) bool {
	if s.Name != flow.FactCluster {
		return false
	}
	own := slices.ContainsFunc(hop.Expect, func(f flow.Fact) bool {
		return f.Name == s.Name && !f.May && f.Value == s.Value
	})
	return !own && slices.ContainsFunc(hop.Expect, func(f flow.Fact) bool { return isCopy(f) && f.Value == s.Value })
}

// upstream says whether a hop is of a proxy's way to its endpoint.
func upstream(kind flow.HopKind) bool { return kind == flow.App || kind.Info().End == flow.UpstreamEnd }
