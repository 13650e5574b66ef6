package observe

import (
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/trace"
)

// trace observes what eBPF recorded in both pods, which it knows by their sides itself.
func (r Recording) trace() ([]flow.Observation, []flow.Watch) {
	if r.Trace == nil {
		return nil, nil
	}
	return r.Trace.Observe(trace.Selection{RequestID: r.RequestID})
}
