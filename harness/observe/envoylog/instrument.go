package envoylog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/instrument"
)

// Instrument is the debug log of the sidecars.
type Instrument struct{}

// Name names the instrument.
func (Instrument) Name() flow.Instrument { return flow.EnvoyLog }

// Sees are the facts that the debug log can prove.
func (Instrument) Sees() []flow.Capability {
	return append(capabilities(nil),
		flow.Capability{Kind: flow.Redirect, Fact: flow.FactOriginalDst},
		flow.Capability{Kind: flow.Endpoint, Fact: flow.FactEndpoint},
		flow.Capability{Kind: flow.Connect, Fact: flow.FactUpstreamLocal},
		flow.Capability{Kind: flow.Route, Fact: flow.FactCluster},
		flow.Capability{Kind: flow.Route, Fact: flow.FactDetails},
		flow.Capability{Kind: flow.Connect, Fact: flow.FactMethod},
		flow.Capability{Kind: flow.Connect, Fact: flow.FactPath},
		flow.Capability{Kind: flow.Connect, Fact: flow.FactAuthority},
		flow.Capability{Kind: flow.Connect, Fact: flow.FactHeader},
		flow.Capability{Kind: flow.HTTPFilters, Fact: flow.FactHTTPFilters},
		flow.Capability{Kind: flow.Listener, Fact: flow.FactOthers},
		flow.Capability{Kind: flow.Connect, Fact: flow.FactOthers},
		flow.Capability{Kind: flow.Connect, Fact: flow.FactAttempt},
		flow.Capability{Kind: flow.Connect, Fact: flow.FactAttemptEndpoint},
		flow.Capability{Kind: flow.Connect, Fact: flow.FactAttemptConnects},
		flow.Capability{Kind: flow.Connect, Fact: flow.FactAttemptStatus},
		flow.Capability{Kind: flow.Connect, Fact: flow.FactAttemptFailure},
		flow.Capability{Kind: flow.Connect, Fact: flow.FactAttemptAfter},
		flow.Capability{Kind: flow.NetworkFilters, Fact: flow.FactArrival},
		flow.Capability{Kind: flow.NetworkFilters, Fact: flow.FactAttempt},
		flow.Capability{Kind: flow.NetworkFilters, Fact: flow.FactAttemptStatus},
		flow.Capability{Kind: flow.App, Fact: flow.FactNextCall},
		flow.Capability{Kind: flow.App, Fact: flow.FactNextEndpoint},
		flow.Capability{Kind: flow.App, Fact: flow.FactNextStatus},
		flow.Capability{Kind: flow.App, Fact: flow.FactNextPeer},
		flow.Capability{Kind: flow.UpstreamTLS, Fact: flow.FactSocketMatch})
}

// Takes says whether it would take part on a cluster, and what it needs there.
func (Instrument) Takes(on instrument.Cluster) (part bool, why string) {
	if !on.Logs || !on.Forward {
		return instrument.NoRight("get pods/log and create pods/portforward")
	}
	return true, "only with --log-level debug, which raises the sidecars' levels meanwhile"
}

// Parts are the names of the raw evidence that it keeps.
func (Instrument) Parts() []string {
	return []string{instrument.LogText}
}

// Before opens a window onto the log of every sidecar.
func (Instrument) Before(ctx context.Context, pods []instrument.Target) error {
	return instrument.OpenLogs(ctx, pods)
}

// After does nothing: whether a log is whole is found when all have been waited for, as the
// evidence is collected.
func (Instrument) After(context.Context, []instrument.Target, instrument.Sent) error { return nil }

// Observe reads the log of each sidecar whose log level was raised.
func (Instrument) Observe(e instrument.Evidence) (seen []flow.Observation, watches []flow.Watch, problem error) {
	several := false
	for _, pod := range e.Pods() {
		text := pod.Part(instrument.LogText)
		if text == nil || pod.Quiet {
			continue
		}
		lines, err := ReadAll(bytes.NewReader(text))
		if err != nil {
			problem = errors.Join(problem, fmt.Errorf("read log of %s: %w", pod.Name, err))
		}
		sel := selection(e, pod)
		sel.Several = several
		observations, watch := Observe(lines, sel)
		several = several || pod.Side == flow.Client && slices.ContainsFunc(observations, isAttempt)
		if pod.LogProblem != "" {
			watch.Complete, watch.Problem = false, pod.LogProblem
		}
		seen, watches = append(seen, observations...), append(watches, watch)
	}
	return seen, watches, problem
}

// selection says how the request is found in the log of a pod.
func selection(e instrument.Evidence, pod instrument.Pod) Selection {
	server := pod.Side == flow.Server // what must be absent is written down for the server's side alone
	return Selection{RequestID: e.RequestID, Authority: e.Authority, Path: e.Path, Pod: pod.Name, Side: pod.Side,
		Peer: pod.Peer, From: e.From, IP: pod.IP, Workers: pod.Workers, Since: e.Sent, Until: e.Answered,
		Cold: e.Cold && server, Warm: e.Warm && server, AccessLog: e.AccessLog != ""}
}

// isAttempt says whether an observation is of an attempt after the first.
func isAttempt(o flow.Observation) bool {
	return slices.ContainsFunc(o.Facts, func(f flow.Seen) bool { return f.Name == flow.FactAttempt && f.Value != "1" })
}
