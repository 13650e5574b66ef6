package main

import (
	"testing"

	"github.com/flowproof/lab/cmd/lab/internal/exit"
	"github.com/flowproof/lab/harness/flow"
)

// TestFail holds the exit code of a trace: --fail makes a failed answer a mismatch, also where the
// way was not seen whole.
func TestFail(t *testing.T) {
	judged := func(result flow.Result, state flow.State) flow.RunVerdict {
		verdict := flow.RunVerdict{Result: result, Hops: []flow.HopVerdict{{Kind: flow.Route, State: state}}}
		if state == flow.Refuted {
			verdict.Refuted = 1
		}
		return verdict
	}
	verified, incomplete := judged(flow.Verified, flow.Confirmed), judged(flow.Incomplete, flow.NotObserved)
	mismatch := judged(flow.Mismatch, flow.Refuted)
	for _, c := range []struct {
		name    string
		fail    bool
		status  int
		verdict flow.RunVerdict
		want    int
	}{
		{"a failed answer on the inferred way", false, 503, verified, exit.OK},
		{"the same, asked for", true, 503, verified, exit.Mismatch},
		{"the same, on a way that was not seen whole", true, 404, incomplete, exit.Mismatch},
		{"no answer", true, 0, incomplete, exit.Mismatch},
		{"a good answer", true, 200, verified, exit.OK},
		{"a good answer on a way that was not seen whole", true, 302, incomplete, exit.Incomplete},
		{"a failed answer on a way that was not seen whole", false, 503, incomplete, exit.Incomplete},
		{"another way", false, 200, mismatch, exit.Mismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := traceFlags{fail: c.fail}.judge(flow.Run{}, c.verdict, flow.Answer{Status: c.status})
			if got := exit.Code(err); got != c.want {
				t.Errorf("exit code %d, want %d: %v", got, c.want, err)
			}
		})
	}
}
