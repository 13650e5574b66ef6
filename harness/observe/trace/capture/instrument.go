package capture

import (
	"context"
	"errors"
	"net/netip"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/instrument"
	"github.com/flowproof/lab/harness/observe/trace"
)

// An Instrument is BPF programs in the kernel and on the Envoys of the pods. Options say how it
// watches; which pods it watches Before is told. What was recorded trace.Instrument reads.
type Instrument struct {
	trace.Instrument
	Options Options
	// May says why this process cannot use BPF at all; nil: it is not asked.
	May func(context.Context) error
	// Recording is what was recorded, after Record; nil where nothing was.
	Recording *trace.Recording

	preparing chan prepared // what Prepare comes to; nil: it was not called

	session *Session // whose probes are on
	told    *Session // whose probes are off, and what they told is not understood yet
	began   bool
}

// Probed are the pods that probes were attached to, and whether they are on them still.
func (i *Instrument) Probed() (pods []trace.Pod, on bool) {
	if !i.began {
		return nil, false
	}
	return i.Options.Pods, i.session != nil
}

// prepared is a session whose probes are loaded and not attached, or why there is none.
type prepared struct {
	pods    []trace.Pod
	session *Session
	absent  error // why the instrument does not take part
	err     error
}

// Prepare loads the probes and understands the pods' Envoys while others look at the pods, so that
// Before only has to attach them to the same pods. It may be left out.
func (i *Instrument) Prepare(ctx context.Context, pods []instrument.Target) {
	i.preparing = make(chan prepared, 1)
	go func() { i.preparing <- i.load(ctx, pods) }()
}

// end gives up a session that was not attached.
func (r prepared) end() error {
	if r.session == nil {
		return nil
	}
	return r.session.Close()
}

// Before attaches the probes. Where this process may not, or the pods' processes are elsewhere, it
// does not take part.
func (i *Instrument) Before(ctx context.Context, pods []instrument.Target) error {
	if i.preparing == nil {
		i.Prepare(ctx, pods)
	}
	r := <-i.preparing
	i.preparing = nil
	if r.absent != nil {
		for _, pod := range pods {
			pod.Absent(flow.Trace, r.absent)
		}
		return nil
	}
	if r.err != nil {
		return r.err
	}
	if err := r.session.begin(); err != nil {
		return err
	}
	i.Options.Pods, i.session, i.began = r.pods, r.session, true
	return nil
}

// load finds the pods' processes, and prepares a session on them.
func (i *Instrument) load(ctx context.Context, pods []instrument.Target) prepared {
	if i.May != nil {
		if err := i.May(ctx); err != nil {
			return prepared{absent: err}
		}
	}
	opts := i.Options
	for _, pod := range pods {
		if !pod.HasSidecar() {
			continue
		}
		pids, err := pod.Processes(ctx)
		if errors.Is(err, instrument.ErrElsewhere) {
			return prepared{absent: err}
		}
		if err != nil {
			return prepared{err: fault.Environmentf("trace %s: %w", pod.Ref(), err)}
		}
		address, err := netip.ParseAddr(pod.IP())
		if err != nil {
			return prepared{err: fault.Environmentf("trace %s: %w", pod.Ref(), err)}
		}
		opts.Pods = append(opts.Pods, trace.Pod{Name: pod.Ref(), Side: pod.Side(), IP: address, PIDs: pids})
	}
	session, err := prepare(ctx, opts)
	return prepared{pods: opts.Pods, session: session, err: err}
}

// After takes the probes off. What they told Record reads.
func (i *Instrument) After(context.Context, []instrument.Target, instrument.Sent) error {
	if i.session == nil {
		return nil
	}
	i.told, i.session = i.session, nil
	if err := i.told.Detach(); err != nil {
		return fault.Incompletef("%w", err)
	}
	return nil
}

// Record understands what the probes told, once, after After.
func (i *Instrument) Record() error {
	if i.told == nil {
		return nil
	}
	told := i.told
	i.told = nil
	recording, err := told.Stop()
	if err != nil {
		return fault.Incompletef("%w", err)
	}
	i.Recording = recording
	return nil
}

// Close takes the probes off without a recording, where After or Record was not reached.
func (i *Instrument) Close() error {
	var all []error
	if i.preparing != nil {
		r := <-i.preparing
		i.preparing = nil
		all = append(all, r.end())
	}
	for _, session := range []*Session{i.session, i.told} {
		if session != nil {
			all = append(all, session.Close())
		}
	}
	i.session, i.told = nil, nil
	return errors.Join(all...)
}
