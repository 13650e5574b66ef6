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

// Before attaches the probes. Where this process may not, or the pods' processes are elsewhere, it
// does not take part.
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
			return fault.Environmentf("trace %s: %w", pod.Ref(), err)
		}
		address, err := netip.ParseAddr(pod.IP())
		if err != nil {
			return fault.Environmentf("trace %s: %w", pod.Ref(), err)
		}
		i.Options.Pods = append(i.Options.Pods, trace.Pod{Name: pod.Ref(), Side: pod.Side(), IP: address, PIDs: pids})
	}
	var err error
	i.session, err = Start(ctx, i.Options)
	i.began = err == nil
	return err
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
	for _, session := range []*Session{i.session, i.told} {
		if session != nil {
			all = append(all, session.Close())
		}
	}
	i.session, i.told = nil, nil
	return errors.Join(all...)
}
