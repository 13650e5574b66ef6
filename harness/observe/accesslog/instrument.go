package accesslog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/instrument"
)

// Instrument is the access log of the sidecars.
type Instrument struct{}

// Name names the instrument.
func (Instrument) Name() flow.Instrument { return flow.AccessLog }

// Sees are the facts that a line with every member can tell.
func (Instrument) Sees() []flow.Capability {
	o := observer{Line: Line{values: map[string]string{}}}
	for _, member := range []string{startTime, requestID, protocol, responseCode, responseDetails, responseFlags,
		connectionID, downRemote, downLocal,
		downDirectLocal, downServerName, downTLSVersion, downPeerURI, downTLSFailure, listenerName, filterChainName,
		virtualHostName, routeName,
		upCluster, upHost, upLocal, upRemote, upServerName, upTLSVersion, upPeerURI, upTLSFailure, attemptCount} {
		o.values[member] = ""
	}
	o.values[downRemote] = "192.0.2.1:1"
	o.observe()
	for _, fact := range []string{flow.FactArrival, flow.FactAttemptStatus} {
		o.sees = append(o.sees, flow.Capability{Kind: flow.NetworkFilters, Fact: fact})
	}
	for _, fact := range []string{flow.FactNextCall, flow.FactNextEndpoint, flow.FactNextStatus, flow.FactNextPeer,
		flow.FactNextAttempts} {
		o.sees = append(o.sees, flow.Capability{Kind: flow.App, Fact: fact})
	}
	return o.sees
}

// Takes says whether it would take part on a cluster, and what it needs there.
func (Instrument) Takes(on instrument.Cluster) (part bool, why string) {
	read := strings.Join(Forms(), " or ")
	switch {
	case !on.Logs:
		return instrument.NoRight("get pods/log")
	case Reads(on.AccessLog):
		return true, "the mesh writes " + on.AccessLog +
			" to standard output; what its format has no field for stays unseen"
	case on.AccessLog == "":
		return false, "the mesh declares none at /dev/stdout (meshConfig.accessLogFile, accessLogEncoding: " +
			read + ")"
	}
	return false, fmt.Sprintf("the mesh writes %[1]s, and %[2]s is read (meshConfig.accessLogEncoding: %[2]s); "+
		"`lab explain` reads either", on.AccessLog, read)
}

// Parts are the names of the raw evidence that it keeps.
func (Instrument) Parts() []string {
	return []string{instrument.LogText}
}

// Before opens a window onto the log of every sidecar, which the access log comes with.
func (Instrument) Before(ctx context.Context, pods []instrument.Target) error {
	return instrument.OpenLogs(ctx, pods)
}

// lineTimeout bounds how long a line may be on its way: Envoy flushes files each second under Istio
// (--file-flush-interval-msec), and the line goes through the runtime and the apiserver.
const lineTimeout = 10 * time.Second

// flushes is the time of several flushes.
const flushes = 4 * time.Second

// errNoLine says that a line did not come in time.
var errNoLine = errors.New("Envoy's line about the request has not come within " + lineTimeout.String())

// After waits until the request's line is in the log of every sidecar that it came to. Which these
// are the lines themselves say: the client's names the address that the request was sent on to.
// Where it has none, every server is waited for until one has a line.
func (Instrument) After(ctx context.Context, pods []instrument.Target, sent instrument.Sent) error {
	if !Reads(sent.AccessLog) {
		return nil
	}
	texts := marks(sent.RequestID, sent.Peer)
	var servers []instrument.Target
	var client Sent
	for _, pod := range pods {
		switch {
		case !pod.HasSidecar():
		case pod.Side() == flow.Server:
			servers = append(servers, pod)
		default:
			text, err := await(ctx, pod, texts)
			if err == nil && fromAnother(text, sent.RequestID, sent.Peer) {
				text, err = awaitBehind(ctx, pod, Marks(sent.RequestID))
			}
			if err != nil {
				return err
			}
			client = SentOn(text, sent.RequestID, sent.Peer)
		}
	}
	servers = reached(servers, client, sent.Behind)
	switch {
	case client.Opaque && client.Local != "":
		texts = marks(sent.RequestID, client.Local)
	case client.RequestID != "":
		texts = marks(client.RequestID, sent.Peer)
	}
	return awaitAny(ctx, servers, texts)
}

// reached are the servers to which the client's sidecar may have sent the request on. Of several
// attempts its line names where the last one went. An address that is none of theirs, such as a
// node's, is translated behind the sidecar where Kubernetes knows pods behind it.
func reached(servers []instrument.Target, client Sent, behind []string) []instrument.Target {
	if !client.Known || client.Attempts > 1 {
		return servers
	}
	var named, translated []instrument.Target
	for _, pod := range servers {
		if pod.IP() == client.IP {
			named = append(named, pod)
		} else if client.IP != "" && slices.Contains(behind, pod.Ref()) {
			translated = append(translated, pod)
		}
	}
	if named != nil {
		return named
	}
	return translated
}

// await waits for a line in one log and returns the log. Only the end of the run's own context is
// an error: a line that does not come makes the instrument incomplete.
func await(ctx context.Context, pod instrument.Target, texts []string) ([]byte, error) {
	text, missed, err := waitFor(ctx, pod, lineTimeout, texts)
	if missed != nil {
		pod.Incomplete(flow.AccessLog, missed)
	}
	return text, err
}

// awaitBehind waits for a line behind another one that came, and returns the log. It may not come:
// lines are written in the order in which requests end, those of one interval at once.
func awaitBehind(ctx context.Context, pod instrument.Target, texts []string) ([]byte, error) {
	text, _, err := waitFor(ctx, pod, flushes, texts)
	return text, err
}

// waitFor waits for a line in one log for so long, and returns the log and why the line did not
// come.
func waitFor(ctx context.Context, pod instrument.Target, limit time.Duration, texts []string) (text []byte, missed,
	err error) {
	log, err := pod.Log(ctx)
	if err != nil {
		return nil, nil, err
	}
	waiting, cancel := context.WithTimeoutCause(ctx, limit, errNoLine)
	defer cancel()
	if err := log.WaitFor(waiting, texts...); err != nil {
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		missed = because(waiting, err)
	}
	return log.Text(), missed, nil
}

// because is why a line did not come.
func because(waiting context.Context, err error) error {
	if waiting.Err() != nil && !errors.Is(err, context.Cause(waiting)) {
		return errors.Join(err, context.Cause(waiting))
	}
	return err
}

// awaitAny waits until one of several logs has a line. Where none comes, the instrument is
// incomplete at each of them.
func awaitAny(ctx context.Context, pods []instrument.Target, texts []string) error {
	waiting, cancel := context.WithTimeoutCause(ctx, lineTimeout, errNoLine)
	defer cancel()
	results := make(chan error, len(pods))
	reasons := make([]error, len(pods))
	for i, pod := range pods {
		go func() {
			log, err := pod.Log(ctx)
			if err == nil {
				err = log.WaitFor(waiting, texts...)
			}
			reasons[i] = err
			results <- err
		}()
	}
	came := false
	for range pods {
		if err := <-results; err == nil {
			came = true
			cancel()
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for i, pod := range pods {
		if !came {
			pod.Incomplete(flow.AccessLog, because(waiting, reasons[i]))
		}
	}
	return nil
}

// Observe reads the access log of each sidecar. A mesh that declares none, or one in another form,
// has no such instrument.
func (Instrument) Observe(e instrument.Evidence) (seen []flow.Observation, watches []flow.Watch, problem error) {
	client := SentOn(e.Client.Part(instrument.LogText), e.RequestID, e.Peer)
	for _, pod := range e.Pods() {
		text := pod.Part(instrument.LogText)
		if text == nil || !Reads(e.AccessLog) {
			continue
		}
		why := pod.AccessLogProblem
		if why == "" {
			why = pod.LogProblem
		}
		lines, damaged := Parse(text)
		observations, watch := Observe(lines, damaged, Selection{RequestID: e.RequestID, Peer: pod.Peer, Pod: pod.Name,
			Side: pod.Side, From: e.From, Client: client, Answered: e.Answered, Problem: why})
		seen, watches = append(seen, observations...), append(watches, watch)
	}
	return seen, watches, nil
}
