package run

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/observe/accesslog"
	"github.com/flowproof/lab/harness/observe/instrument"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/harness/observe/trace/capture"
)

// Observe collects what the instruments recorded, and tells what they saw. Where several pods may
// take the request, the way is then inferred to the one that did. Both sidecars are dumped once
// more, and what is on the way is compared with what inference read. Nothing that was inferred says
// which pod, port or instrument is read.
func (s *Session) Observe(ctx context.Context) error {
	recording, err := s.record(ctx)
	if err != nil {
		return err
	}
	whole := recording
	whole.Others = slices.Clone(recording.Others)
	recording.Redact() // from here on it may be kept
	seen, watches, err := recording.ObserveRedacted()
	if err != nil {
		return fault.Incompletef("observe: %w", err)
	}
	if err := s.inferTaken(ctx, seen); err != nil {
		return err
	}
	if err := s.holdConfiguration(ctx); err != nil {
		return err
	}
	s.holdBeside(whole)
	s.Recording, s.Flow.Observations, s.Flow.Watches = recording, seen, watches
	return nil
}

// record collects the raw evidence of the run.
func (s *Session) record(ctx context.Context) (observe.Recording, error) {
	call := s.Flow.Call
	target, err := call.Parsed()
	if err != nil {
		return observe.Recording{}, fault.Usagef("read URL %q: %w", call.URL, err)
	}
	path, _, _ := strings.Cut(call.Target(), "?")
	r := observe.Recording{RequestID: call.RequestID, Authority: target.Host, Path: path, Sent: s.sent.since,
		Answered: s.sent.until, Curl: s.sent.curl, Cold: s.cold, Warm: s.warm}
	if host, given := call.Headers["host"]; given && len(host) > 0 {
		r.Authority = host[0]
	}
	if r.AccessLog, err = s.Lab.Mesh.AccessLog(ctx); err != nil {
		s.Absent(flow.AccessLog, "", fmt.Errorf("which form its lines have is not known: %w", err))
	}
	behind, err := s.Behind(ctx, call)
	if err != nil {
		s.note("it is not known which pods are behind the URL, so every port is looked at: %v", err)
	}
	r.Port, r.Translated = behind.Port, behind.NodePort
	if err := s.finish(ctx, r.AccessLog, behind.Pods); err != nil {
		return r, err
	}
	if err := s.recordPods(ctx, &r, behind.Pods); err != nil {
		return r, err
	}
	if err := s.lowerLevels(ctx); err != nil {
		return r, err
	}
	r.Trace, err = s.EndTrace(ctx)
	return r, err
}

// finish ends the looks of LookToo, and waits for what comes late: the request's lines in the
// access logs of the pods whose logs are followed, and among them those that Kubernetes says are
// behind the URL.
func (s *Session) finish(ctx context.Context, form string, behind []string) error {
	var followed []instrument.Target
	for _, ref := range sortedKeys(s.pods) {
		if w := s.pods[ref]; w.window != nil {
			followed = append(followed, w)
		}
	}
	sent := instrument.Sent{RequestID: s.Flow.Call.RequestID, Peer: s.sent.local, AccessLog: form, Behind: behind}
	if s.control.URL != "" {
		sent = instrument.Sent{RequestID: s.control.RequestID, AccessLog: form, Behind: behind}
	}
	if err := s.endLookToo(ctx, sent); err != nil {
		return err
	}
	if err := (accesslog.Instrument{}).After(ctx, followed, sent); err != nil || !accesslog.Reads(form) {
		return err
	}
	return s.awaitBeside(ctx, sent.RequestID)
}

// recordPods collects what was recorded of each pod: the client's, and of all others as servers,
// those behind the URL first.
func (s *Session) recordPods(ctx context.Context, r *observe.Recording, behind []string) error {
	call := s.Flow.Call
	if call.Outside {
		r.Client = observe.Pod{Name: call.From, IP: s.outsiders[call.From].Address()}
	} else if _, err := s.watch(ctx, Caller(call)); err != nil {
		return err
	}
	refs := sortedKeys(s.pods)
	slices.SortStableFunc(refs, func(a, b string) int { return rank(behind, a) - rank(behind, b) })
	pods, err := atOnce(refs, func(ref string) (observe.Pod, error) { return s.pods[ref].record(ctx) })
	if err != nil {
		return err
	}
	for i, ref := range refs {
		pod := pods[i]
		switch {
		case !call.Outside && ref == Caller(call):
			r.Client = pod
		case len(s.pods[ref].parts) == 0:
		case r.Server.Name == "":
			r.Server = pod
		default:
			r.Others = append(r.Others, pod)
		}
	}
	return nil
}

func rank(behind []string, ref string) int {
	if slices.Contains(behind, ref) {
		return 0
	}
	return 1
}

// StartTrace lets eBPF watch two ends from now on; an end that is "", or a client outside
// of the mesh, is none.
func (s *Session) StartTrace(ctx context.Context, client, server string) error {
	var targets []instrument.Target
	for _, end := range []struct {
		ref  string
		side flow.Side
	}{{client, flow.Client}, {server, flow.Server}} {
		if end.ref == "" || s.Outside(end.ref) {
			continue
		}
		w, err := s.watch(ctx, end.ref)
		if err != nil {
			return err
		}
		w.side = end.side
		targets = append(targets, w)
	}
	s.tracer = &capture.Instrument{Options: s.Trace}
	return s.tracer.Before(ctx, targets)
}

// Traced says whether a trace was begun.
func (s *Session) Traced() bool { return s.tracer != nil }

// EndTrace ends the trace, if one goes on, and returns what it told; nil where there was none.
func (s *Session) EndTrace(ctx context.Context) (*trace.Recording, error) {
	if s.tracer == nil {
		return nil, nil
	}
	first := s.tracer.Recording == nil
	if err := s.tracer.After(ctx, nil, instrument.Sent{}); err != nil {
		return nil, err
	}
	if err := s.tracer.Record(); err != nil {
		return nil, err
	}
	if s.tracer.Recording != nil && first {
		for _, line := range s.tracer.Recording.Off() {
			s.note("eBPF: %s", line)
		}
	}
	return s.tracer.Recording, nil
}

// Count is how many of the observations are those of a watch.
func Count(w flow.Watch, seen []flow.Observation) int {
	n := 0
	for _, o := range seen {
		if o.Instrument == w.Instrument && o.Side == w.Side {
			n++
		}
	}
	return n
}
