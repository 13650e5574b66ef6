package verify

import (
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/sometimes"
)

// reached notes which kinds of verdicts there were, and which instruments were not complete.
func reached(run flow.Run, v flow.RunVerdict) {
	sometimes.Reached("verdict " + string(v.Result))
	for _, hop := range v.Hops {
		sometimes.Reached("hop " + string(hop.State))
	}
	for _, w := range run.Watches {
		if !w.Complete {
			sometimes.Reached("incomplete " + string(w.Instrument))
		}
		if w.Abstains != "" {
			sometimes.Reached("abstains " + string(w.Instrument))
		}
	}
}
