// Package run is the life of one request: plan, before, send, after, evidence. Do is the whole of
// it, to be read from top to bottom; scenarios take the same steps one by one.
//
// Two sides meet here and do not touch. Inference reads dumps and says which way the request must
// go. Instruments look at pods, which are found by the request and the apiserver alone: nothing
// that was inferred decides which instrument is read, where, or for how long. What both came to is
// a flow.Run, and package verify judges it.
package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/observe/curl"
	"github.com/flowproof/lab/harness/observe/instrument"
	"github.com/flowproof/lab/harness/observe/trace/capture"
	"github.com/flowproof/lab/internal/doctor"
	"github.com/flowproof/lab/internal/undo"
)

// A Result is what came of a run.
type Result struct {
	Question   infer.Question    // that inference was asked
	Run        flow.Run          // what was inferred and seen; package verify judges it
	Recording  observe.Recording // the raw evidence, without secrets
	Touched    []flow.Touch      // what the run changed outside itself, and which of it is again as it was
	Dumps      map[string][]byte // config dumps by "pod.namespace", as inference read them
	DumpsAfter map[string][]byte // the same after the request
	Body       string            // beginning of the answer's body, where the plan asks for it: see Session.Body
}

// restoreTimeout bounds what is done after a run to restore the lab.
const restoreTimeout = 30 * time.Second

// Do sends one request in a lab as planned, watches it, and restores what was changed for it, also
// after an error: then the result is what there was up to it. note hears what is said beside the
// run; nil: it is not said. An error has a kind of package fault, and a request that was not
// answered is none.
func Do(ctx context.Context, lab Lab, plan Plan, note func(format string, args ...any)) (Result, error) {
	kinds := lab.Restore
	if kinds == nil {
		kinds = UndoKinds
	}
	list := undo.NewList(kinds, lab.Guard, func(err error) {
		if note != nil {
			note("%v", err)
		}
	})
	s := NewSession(lab, list)
	s.Note = note
	err := s.Do(ctx, plan)
	if s.sent != nil && err == nil {
		err = s.Observe(ctx)
	}
	restoring, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), restoreTimeout,
		fault.Environmentf("not done within %s", restoreTimeout))
	defer cancel()
	restored := list.Undo(restoring)
	_ = s.Close()
	touches := s.Account()
	s.Flow.Reads = s.reads()
	_ = list.Close() // what the guard could not do either, Undo has reported
	if restored != nil {
		err = errors.Join(err, fault.Environmentf("restore what the run changed: %w", restored))
	}
	return Result{Question: s.question, Run: s.Flow, Touched: touches, Recording: s.Recording,
		Dumps: s.Dumps(), DumpsAfter: s.DumpsAfter(), Body: s.Body()}, err
}

// Do takes the steps from plan to answer, and lets every instrument look for the last time. What
// was changed is on the session's undo list.
func (s *Session) Do(ctx context.Context, plan Plan) error {
	if err := plan.check(s.Lab.Bounds); err != nil {
		return err
	}
	s.Force, s.insist, s.body, s.args = plan.Force, plan.Cold, plan.Body, plan.Curl
	if plan.Unasked {
		s.Absent(flow.EnvoyLog, "", errUnasked)
	}
	if plan.Call.RequestID == "" {
		plan.Call.RequestID = newRequestID()
	}
	s.Flow.Call, s.Trace = plan.Call, plan.Trace
	scene, err := s.Scene(ctx, plan)
	if err != nil {
		return err
	}
	instruments, targets, err := s.before(ctx, plan, scene)
	if err != nil {
		return err
	}
	if err := s.way(ctx, plan); err != nil {
		return err
	}
	if _, err := s.send(ctx, plan.Call, plan.Curl...); err != nil {
		return err
	}
	return s.after(ctx, instruments, targets)
}

// before has the sidecars alone, dumps them, empties the pools, and begins to look: last of all
// instruments those that tell what happens from now on. The sidecars log every decision, of every
// request of theirs, from the last moment on.
func (s *Session) before(
	ctx context.Context, plan Plan, scene Scene,
) ([]observe.Instrument, []instrument.Target, error) {
	targets, err := s.targets(ctx, scene.Watched)
	if err != nil {
		return nil, nil, err
	}
	instruments := s.instruments(plan)
	if s.tracer != nil && !plan.without(flow.Trace) {
		s.tracer.Prepare(ctx, targets) // it takes a processor, and what comes next mostly waits
	}
	alone := s.Alone
	if !plan.changes() {
		alone = s.AwaitAlone
	}
	if err := alone(ctx, scene.Watched...); err != nil {
		return nil, nil, err
	}
	dumps, err := atOnce(scene.Dumped, func(ref string) ([]byte, error) { return s.Dump(ctx, ref) })
	if err != nil {
		return nil, nil, err
	}
	for i, ref := range scene.Dumped {
		s.KeepDump(ref, dumps[i])
	}
	if !plan.Keep {
		pools, err := s.pools(ctx, scene, plan.Call)
		if err != nil {
			return nil, nil, err
		}
		if _, err := s.EmptyPools(ctx, pools); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrNotCold, err)
		}
	}
	for _, i := range instruments {
		if err := i.Before(ctx, s.notReadLater(i, targets)); err != nil {
			return nil, nil, err
		}
	}
	if plan.without(flow.EnvoyLog) {
		return instruments, targets, nil
	}
	return instruments, targets, s.raiseLevels(ctx, targets)
}

// notReadLater are the targets that an instrument looks at now. The socket tables of the pods whose
// pools are empty are read as the last thing before the request, and could be read: they are not
// read now as well.
func (s *Session) notReadLater(i observe.Instrument, targets []instrument.Target) []instrument.Target {
	if i.Name() != flow.Sockets {
		return targets
	}
	return slices.DeleteFunc(slices.Clone(targets), func(t instrument.Target) bool {
		return slices.ContainsFunc(s.proven, func(p Pool) bool { return s.FullName(p.Pod) == t.Ref() })
	})
}

// instruments are all but those that the plan leaves off. eBPF knows how it is to watch, and is
// asked last, when the others have ended what they do in the pods.
func (s *Session) instruments(plan Plan) []observe.Instrument {
	var all []observe.Instrument
	for _, i := range observe.Instruments() {
		if slices.Contains(plan.Without, i.Name()) {
			continue
		}
		if t, ok := i.(*capture.Instrument); ok {
			t.Options, t.May = s.Trace, MayTrace
			s.tracer = t
		}
		all = append(all, i)
	}
	return all
}

// MayTrace says why this process may not use eBPF; nil: it may.
func MayTrace(ctx context.Context) error {
	if !doctor.BPFWorks(ctx) {
		return errNoBPF
	}
	return nil
}

// errUnasked says why log levels are left.
var errUnasked = errors.New("log levels are left as they are in a cluster that is not the lab's own " +
	"(ask for it: --log-level debug)")

// errNoBPF says that eBPF cannot be used, for the processes of any user.
var errNoBPF = fmt.Errorf("this process may not load BPF programs (run as root; `lab doctor` says more)")

// raiseLevels lets every sidecar that is watched log every decision.
func (s *Session) raiseLevels(ctx context.Context, targets []instrument.Target) error {
	for _, t := range targets {
		if !t.HasSidecar() {
			continue
		}
		if _, err := s.SetLevel(ctx, t.Ref(), "debug"); err != nil {
			return err
		}
	}
	return nil
}

// way infers which way the request must go, once, when it is known whether the pools are empty.
func (s *Session) way(ctx context.Context, plan Plan) error {
	if err := s.holdPools(ctx); err != nil {
		return err
	}
	call := plan.Call
	if plan.Told.URL != "" {
		call = plan.Told
		call.RequestID = plan.Call.RequestID
	}
	if len(s.dumps) == 0 {
		return fault.Usagef("infer %s -> %s: no pod on the way has a sidecar", senderOf(call), call.URL)
	}
	options, err := curl.Options(plan.Curl)
	if err != nil {
		return fault.Usagef("%w", err)
	}
	host, _, err := endOf(call)
	if err != nil {
		return err
	}
	opts := infer.WayOptions{Cold: s.cold, Protocol: curl.Protocol(options), Resolved: resolvedBy(plan.Curl, host)}
	_, err = s.Infer(ctx, call, opts)
	if errors.Is(err, infer.ErrUnresolved) {
		if address, _ := s.lookUp(ctx, call); address != "" {
			opts.Resolved = address
			_, err = s.Infer(ctx, call, opts)
		}
	}
	if err != nil {
		return err
	}
	s.Flow.Path.Call = s.question.Call
	return nil
}

// after lets every instrument look for the last time, first those that watch everything that
// happens.
func (s *Session) after(ctx context.Context, instruments []observe.Instrument, targets []instrument.Target) error {
	sent := instrument.Sent{RequestID: s.Flow.Call.RequestID, Peer: s.sent.local}
	for _, i := range slices.Backward(instruments) {
		if i.Name() == flow.AccessLog {
			continue // it is waited for when the evidence is collected
		}
		if err := i.After(ctx, targets, sent); err != nil {
			return err
		}
	}
	return nil
}
