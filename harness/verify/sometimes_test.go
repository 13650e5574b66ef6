package verify

import (
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// TestEveryInstrumentMayAbstainOrFail lets each instrument of a run that is verified tell
// nothing of it, and be incomplete: the hops that no other saw fall, none is refuted, and an
// incomplete one costs the verdict.
func TestEveryInstrumentMayAbstainOrFail(t *testing.T) {
	whole := workshop()
	for _, i := range instruments() {
		for _, abstains := range []bool{true, false} {
			run := whole
			run.Observations, run.Watches = nil, nil
			for _, o := range whole.Observations {
				if o.Instrument != i.name {
					run.Observations = append(run.Observations, o)
				}
			}
			for _, w := range whole.Watches {
				if w.Instrument != i.name {
					run.Watches = append(run.Watches, w)
				}
			}
			w := flow.Watch{Instrument: i.name, Side: flow.Client, Complete: abstains, Problem: "it broke"}
			if abstains {
				w.Abstains, w.Problem = "two cannot be told apart", ""
			}
			run.Watches = append(run.Watches, w)
			v := Judge(run)
			if v.Refuted > 0 || !abstains && v.Result != flow.Incomplete || abstains && len(v.Problems) > 0 {
				t.Errorf("%s, abstains %t: %s, %q", i.name, abstains, v.Result, v.Problems)
			}
		}
	}
}
