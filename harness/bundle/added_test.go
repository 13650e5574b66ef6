package bundle

import (
	"slices"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/verify"
)

// explained are the facts of which one more observation is explained with any value: nothing about
// the way is read from them.
var explained = map[string]string{
	flow.FactElapsed:       "how long the answer took, as the client measured it",
	flow.FactBytes:         "how large the answer was",
	flow.FactFailure:       "the client's own error, which stands in the answer's line",
	flow.FactAttempts:      "how often the proxy tried, which stands in the answer's line",
	flow.FactUpstreamError: "why an attempt failed, which stands in the answer's line",
	flow.FactConnections:   "connections in the time that was watched, those of others among them",
}

// added is the value that an observation more is given; of a fact that has words of its own, one
// that says something.
func added(fact string) string {
	if fact == flow.FactFlags {
		return "NR"
	}
	return "added"
}

// TestAddedObservations adds to the evidence of verified runs one observation of each fact that
// each instrument can see at best, at each hop and on either side. It refutes, or its fact is
// in the table above.
func TestAddedObservations(t *testing.T) {
	sum := 0
	for _, name := range []string{"outbound", "inbound"} {
		c := kept(t, name)
		run, v := judged(t, c)
		if v.Result != flow.Verified {
			t.Fatalf("%s itself is %s: %q", name, v.Result, v.Problems)
		}
		for _, i := range observe.Instruments() {
			for _, can := range i.Sees() {
				for side, pod := range map[flow.Side]string{flow.Client: c.Recording.Client.Name,
					flow.Server: c.Recording.Server.Name} {
					more := run
					more.Observations = append(slices.Clone(run.Observations),
						flow.Observation{Instrument: i.Name(), Side: side,
							Kind: can.Kind, Where: flow.Where{Pod: pod},
							Facts: []flow.Seen{{Name: can.Fact, Value: added(can.Fact)}}, Raw: "added"})
					sum++
					if got := verify.Judge(more); (got.Result == flow.Verified) != (explained[can.Fact] != "") {
						t.Errorf("%s: %s saw at %s %s one %s more: %s %q", name, i.Name(), side, can.Kind, can.Fact,
							got.Result, got.Problems)
					}
				}
			}
		}
	}
	t.Logf("added: %d mutations", sum)
	if sum < 400 {
		t.Errorf("only %d were added", sum)
	}
}
