package curl

import (
	"context"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/instrument"
)

// Instrument is what the client itself was told. Its evidence comes with the answer, so it
// does not look at a pod.
type Instrument struct{}

// Name names the instrument.
func (Instrument) Name() flow.Instrument { return flow.Curl }

// Sees are the facts that curl can tell.
func (Instrument) Sees() []flow.Capability {
	return []flow.Capability{{Kind: flow.Resolve, Fact: flow.FactResolved},
		{Kind: flow.Redirect, Fact: flow.FactOriginalDst}, {Kind: flow.App, Fact: flow.FactStatus},
		{Kind: flow.App, Fact: flow.FactElapsed}, {Kind: flow.App, Fact: flow.FactBytes},
		{Kind: flow.App, Fact: flow.FactFailure},
		{Kind: flow.Redirect, Fact: flow.FactPeer}} // in the order in which bundles have kept them
}

// Takes says whether it would take part on a cluster, and what it needs there.
func (Instrument) Takes(on instrument.Cluster) (part bool, why string) {
	if !on.Exec {
		return instrument.NoRight("create pods/exec")
	}
	return true, "the client's container needs curl"
}

// Parts are none: what curl printed is kept with the request.
func (Instrument) Parts() []string { return nil }

// Before does nothing.
func (Instrument) Before(context.Context, []instrument.Target) error { return nil }

// After does nothing.
func (Instrument) After(context.Context, []instrument.Target, instrument.Sent) error { return nil }

// Observe reads what curl printed.
func (Instrument) Observe(e instrument.Evidence) ([]flow.Observation, []flow.Watch, error) {
	if e.Curl == nil {
		return nil, nil, nil
	}
	result, err := Parse(e.Curl)
	seen, watch := Observe(result, e.Client.Name, e.Answered)
	return seen, []flow.Watch{watch}, err
}
