package trace

import (
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/instrument"
)

// An Instrument tells what was recorded. It does not look by itself: capture.Instrument
// does, which is one too.
type Instrument struct{}

// Name names the instrument.
func (Instrument) Name() flow.Instrument { return flow.Trace }

// Sees are the facts that the probes can show where all of them are attached.
func (Instrument) Sees() []flow.Capability {
	var all []flow.Capability
	for _, s := range sights {
		for _, fact := range s.facts {
			all = append(all, flow.Capability{Kind: s.kind, Fact: fact, Value: s.value})
		}
	}
	for _, s := range evidence {
		all = append(all, flow.Capability{Kind: s.kind, Fact: s.fact, Value: s.value})
	}
	for _, fact := range []string{flow.FactMethod, flow.FactPath, flow.FactAuthority, flow.FactHeader} {
		all = append(all, flow.Capability{Kind: flow.App, Fact: fact})
	}
	all = append(all, flow.Capability{Kind: flow.HTTPFilters, Fact: flow.FactHTTPFilters})
	return append(all, flow.Capability{Kind: flow.FilterChain, Fact: flow.FactFilterChain},
		flow.Capability{Kind: flow.Cluster, Fact: flow.FactCluster},
		flow.Capability{Kind: flow.NetworkFilters, Fact: flow.FactConnection},
		flow.Capability{Kind: flow.NetworkFilters, Fact: flow.FactCodec},
		flow.Capability{Kind: flow.UpstreamTLS, Fact: flow.FactPeerURI}, flow.Capability{Kind: flow.ListenerFilters,
			Fact: flow.FactFilter, Value: tlsInspector})
}

// Takes says whether it would take part on a cluster, and what it needs there.
func (Instrument) Takes(on instrument.Cluster) (part bool, why string) {
	if fits, why := instrument.HostOnly(on); !fits {
		return false, why
	}
	if !on.BPF {
		return false, "the kernel takes no BPF programs"
	}
	return true, "the kernel takes BPF programs"
}

// Parts are none of one pod alone: a Recording is of all of them.
func (Instrument) Parts() []string { return nil }

// Observe tells what the probes saw.
func (Instrument) Observe(e instrument.Evidence) ([]flow.Observation, []flow.Watch, error) {
	r, _ := e.Trace.(*Recording)
	if r == nil {
		return nil, nil, nil
	}
	seen, watches := r.Observe(Selection{RequestID: e.RequestID})
	return seen, watches, nil
}
