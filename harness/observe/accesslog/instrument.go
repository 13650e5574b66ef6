package accesslog

import (
	"context"
	"errors"
	"net/netip"
	"slices"
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
	return o.sees
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
	known, next := false, ""
	for _, pod := range pods {
		switch {
		case !pod.HasSidecar():
		case pod.Side() == flow.Server:
			servers = append(servers, pod)
		default:
			text, err := await(ctx, pod, texts)
			if err != nil {
				return err
			}
			next, known = Upstream(text, sent.RequestID, sent.Peer)
		}
	}
	if known {
		servers = slices.DeleteFunc(servers, func(pod instrument.Target) bool { return pod.IP() != next })
	}
	return awaitAny(ctx, servers, texts)
}

// await waits for a line in one log and returns the log. Only the end of the run's own context is
// an error: a line that does not come makes the instrument incomplete.
func await(ctx context.Context, pod instrument.Target, texts []string) ([]byte, error) {
	log, err := pod.Log(ctx)
	if err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeoutCause(ctx, lineTimeout, errNoLine)
	defer cancel()
	if err := log.WaitFor(waiting, texts...); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		pod.Incomplete(flow.AccessLog, because(waiting, err))
	}
	return log.Text(), nil
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

// Upstream is the address, without its port, that the line of a request says it was sent on to; ""
// where it was not sent on. known is false where no line of the request says either.
func Upstream(log []byte, id, peer string) (ip string, known bool) {
	lines, _ := Parse(log)
	for _, line := range find(lines, Selection{RequestID: id, Peer: peer, Side: flow.Client}) {
		host, has := line.Get(upHost)
		if !has {
			continue
		}
		if end, err := netip.ParseAddrPort(host); err == nil {
			return end.Addr().String(), true
		}
		if host == "" {
			known = true
		}
	}
	return "", known
}

// Observe reads the access log of each sidecar. A mesh that declares none, or one in another form,
// has no such instrument.
func (Instrument) Observe(e instrument.Evidence) (seen []flow.Observation, watches []flow.Watch, problem error) {
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
			Side: pod.Side, Answered: e.Answered, Problem: why})
		seen, watches = append(seen, observations...), append(watches, watch)
	}
	return seen, watches, nil
}
