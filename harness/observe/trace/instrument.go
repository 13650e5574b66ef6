package trace

import (
	"context"
	"errors"
	"net/netip"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/instrument"
	"github.com/flowproof/lab/internal/exit"
)

// An Instrument is BPF programs in the kernel and on the Envoys of the pods. Options say how it watches; which pods it watches
// Before is told.
type Instrument struct {
	Options Options
	// May says why this process cannot use BPF at all; nil: it is not asked.
	May func(context.Context) error
	// Recording is what was recorded, after After; nil where nothing was.
	Recording *Recording

	session *Session
}

// Name names the instrument.
func (*Instrument) Name() flow.Instrument { return flow.Trace }

// Sees are the facts that the probes can show where all of them are attached.
func (*Instrument) Sees() []flow.Capability {
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
	return append(all, flow.Capability{Kind: flow.FilterChain, Fact: flow.FactFilterChain}, flow.Capability{Kind: flow.Cluster, Fact: flow.FactCluster},
		flow.Capability{Kind: flow.NetworkFilters, Fact: flow.FactConnection}, flow.Capability{Kind: flow.NetworkFilters, Fact: flow.FactCodec},
		flow.Capability{Kind: flow.UpstreamTLS, Fact: flow.FactPeerURI}, flow.Capability{Kind: flow.ListenerFilters, Fact: flow.FactFilter, Value: tlsInspector})
}

// Before attaches the probes. Where this process may not, or the pods' processes are elsewhere, it does not take part.
func (i *Instrument) Before(ctx context.Context, pods []instrument.Target) error {
	absent := func(reason error) error {
		for _, pod := range pods {
			pod.Absent(flow.Trace, reason)
		}
		return nil
	}
	if i.May != nil {
		if err := i.May(ctx); err != nil {
			return absent(err)
		}
	}
	for _, pod := range pods {
		if !pod.HasSidecar() {
			continue
		}
		pids, err := pod.Processes(ctx)
		if errors.Is(err, instrument.ErrElsewhere) {
			return absent(err)
		}
		if err != nil {
			return exit.Environmentf("trace %s: %w", pod.Ref(), err)
		}
		address, err := netip.ParseAddr(pod.IP())
		if err != nil {
			return exit.Environmentf("trace %s: %w", pod.Ref(), err)
		}
		i.Options.Pods = append(i.Options.Pods, Pod{Name: pod.Ref(), Side: pod.Side(), IP: address, PIDs: pids})
	}
	var err error
	i.session, err = Start(ctx, i.Options)
	return err
}

// After takes the probes off.
func (i *Instrument) After(context.Context, []instrument.Target, instrument.Sent) error {
	if i.session == nil {
		return nil
	}
	session := i.session
	i.session = nil
	recording, err := session.Stop()
	if err != nil {
		return exit.Incompletef("%w", err)
	}
	i.Recording = recording
	return nil
}

// Close takes the probes off without a recording, where After was not reached.
func (i *Instrument) Close() error {
	if i.session == nil {
		return nil
	}
	defer func() { i.session = nil }()
	return i.session.Close()
}

// Observe tells what the probes saw.
func (*Instrument) Observe(e instrument.Evidence) ([]flow.Observation, []flow.Watch, error) {
	r, _ := e.Trace.(*Recording)
	if r == nil {
		return nil, nil, nil
	}
	seen, watches := r.Observe(Selection{RequestID: e.RequestID})
	return seen, watches, nil
}
