package stats

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/instrument"
)

// Filter names the counters that are read, as a regular expression for the admin interface:
// connections and handshakes of listeners, what their filters found, answers of connection
// managers, and connections, requests and answers of clusters.
const Filter = `^listener\..*(downstream_cx_total|ssl\.handshake|ssl\.versions\..*|no_filter_chain_match)$` +
	`|^(tls|http)_inspector\.` +
	`|^http\..*downstream_rq_[1-5]xx$|^tcp\..*downstream_cx_total$` +
	`|^cluster\..*(upstream_cx_(total|connect_fail|none_healthy)|upstream_rq_(total|[0-9]{3})|ssl\.handshake)$` +
	`|` + FilterCounters

// Instrument is the counters of the sidecars.
type Instrument struct{}

// Name names the instrument.
func (Instrument) Name() flow.Instrument { return flow.Stats }

// Sees are the facts that counters can prove.
func (Instrument) Sees() []flow.Capability {
	return append(seesFilters(), []flow.Capability{
		{Kind: flow.Listener, Fact: flow.FactConnections}, {Kind: flow.Listener, Fact: flow.FactListening},
		{Kind: flow.Listener, Fact: flow.FactListener},
		{Kind: flow.ListenerFilters, Fact: flow.FactFilter, Value: tlsInspector},
		{Kind: flow.ListenerFilters, Fact: flow.FactFilter, Value: httpInspector},
		{Kind: flow.ListenerFilters, Fact: flow.FactTransport}, {Kind: flow.FilterChain, Fact: flow.FactDetails,
			Value: filterChainNotFound},
		{Kind: flow.DownstreamTLS, Fact: flow.FactHandshakes}, {Kind: flow.DownstreamTLS, Fact: flow.FactTransport},
		{Kind: flow.NetworkFilters, Fact: flow.FactStatPrefix}, {Kind: flow.Cluster, Fact: flow.FactCluster},
		{Kind: flow.UpstreamTLS, Fact: flow.FactTransport}, {Kind: flow.UpstreamTLS, Fact: flow.FactHandshakes},
		{Kind: flow.Connect, Fact: flow.FactUpstreamReused}, {Kind: flow.App, Fact: flow.FactStatus},
		{Kind: flow.App, Fact: flow.FactUpstreamStatus},
	}...)
}

// Takes says whether it would take part on a cluster, and what it needs there.
func (Instrument) Takes(on instrument.Cluster) (part bool, why string) {
	if !on.Forward {
		return instrument.NoRight("create pods/portforward")
	}
	return true, "the counters that the mesh keeps (proxyStatsMatcher)"
}

// Parts are the names of the raw evidence that it keeps.
func (Instrument) Parts() []string {
	return []string{instrument.StatsBefore, instrument.StatsAfter, instrument.RuntimeBefore, instrument.RuntimeAfter}
}

// Before reads the counters of every sidecar, and its runtime values, which tell nothing of a
// request: they are configuration that no dump has, and are kept to be compared.
func (Instrument) Before(ctx context.Context, pods []instrument.Target) error {
	return read(ctx, pods, instrument.StatsBefore, instrument.RuntimeBefore)
}

// After reads them again.
func (Instrument) After(ctx context.Context, pods []instrument.Target, _ instrument.Sent) error {
	return read(ctx, pods, instrument.StatsAfter, instrument.RuntimeAfter)
}

func read(ctx context.Context, pods []instrument.Target, part, runtime string) error {
	return cmp.Or(instrument.Each(pods, func(pod instrument.Target) error {
		return readOne(ctx, pod, part, runtime)
	})...)
}

func readOne(ctx context.Context, pod instrument.Target, part, runtime string) error {
	if !pod.HasSidecar() {
		return nil
	}
	text, err := pod.Stats(ctx, Filter)
	if err != nil {
		return err
	}
	if _, err := Parse(bytes.NewReader(text)); err != nil {
		return fault.Environmentf("read stats of %s: %w", pod.Ref(), err)
	}
	pod.Keep(part, text)
	if text, err = pod.Runtime(ctx); err != nil {
		return err
	}
	pod.Keep(runtime, text)
	return nil
}

// Observe compares the counters of each sidecar. Without those before the request
// nothing can be told.
func (Instrument) Observe(e instrument.Evidence) (seen []flow.Observation, watches []flow.Watch, problem error) {
	for _, pod := range e.Pods() {
		if pod.Part(instrument.StatsBefore) == nil || pod.Part(instrument.StatsAfter) == nil {
			continue
		}
		before, err := Parse(bytes.NewReader(pod.Part(instrument.StatsBefore)))
		after, errAfter := Parse(bytes.NewReader(pod.Part(instrument.StatsAfter)))
		observations, watch := Observe(before, after, Selection{Pod: pod.Name, Side: pod.Side, Time: e.Answered})
		if err = errors.Join(err, errAfter); err != nil {
			problem = errors.Join(problem, fmt.Errorf("%s: %w", pod.Name, err))
			watch = flow.Watch{Instrument: flow.Stats, Pod: pod.Name, Side: pod.Side, Problem: err.Error()}
		}
		seen, watches = append(seen, observations...), append(watches, watch)
	}
	return seen, watches, problem
}
