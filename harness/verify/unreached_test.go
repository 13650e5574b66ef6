package verify_test

import (
	"slices"
	"testing"

	"github.com/flowproof/lab/harness/bundle"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/verify"
)

// TestUnreachedNeedsGround alters what a recorded run says of a connection that was refused: what
// lies beyond is not reached only where it is known of each attempt that no connection stood, and
// nothing was seen beyond.
func TestUnreachedNeedsGround(t *testing.T) {
	const server = "fortio-server.mark"
	contents, err := bundle.Read(t.Context(), "../bundle/testdata/refused")
	if err != nil {
		t.Fatal(err)
	}
	whole := contents.Run
	failure := func(text string) func(*flow.Run) {
		return func(run *flow.Run) {
			for i, o := range run.Observations {
				for k, f := range o.Facts {
					if f.Name == flow.FactAttemptFailure || f.Name == flow.FactUpstreamError {
						run.Observations[i].Facts[k].Value = text
					}
				}
			}
		}
	}
	seen := func(by flow.Instrument, kind flow.HopKind, fact, value string) func(*flow.Run) {
		return func(run *flow.Run) {
			run.Observations = append(run.Observations, flow.Observation{Instrument: by, Side: flow.Server, Kind: kind,
				Where: flow.Where{Pod: server}, Facts: []flow.Seen{{Name: fact, Value: value}}})
		}
	}
	without := func(instruments ...flow.Instrument) func(*flow.Run) {
		return func(run *flow.Run) {
			run.Observations = slices.DeleteFunc(run.Observations, func(o flow.Observation) bool {
				return slices.Contains(instruments, o.Instrument) && o.Where.Pod == server
			})
			run.Watches = slices.DeleteFunc(run.Watches, func(w flow.Watch) bool {
				return slices.Contains(instruments, w.Instrument) && w.Pod == server
			})
		}
	}
	for _, c := range []struct {
		name   string
		change func(*flow.Run)
		want   bool // what lies beyond was not reached
	}{
		{"as it was", func(*flow.Run) {}, true},
		{"it could not be dialled at all", failure("immediate connect error: Network is unreachable"), true},
		{"no connection in time, in clear text", failure("connection timeout"), true},
		{"the endpoint does not speak TLS", failure("TLS_error:|268435703:SSL routines:TLS_error_end"), false},
		{"the endpoint cut the connection off", failure("connection termination"), false},
		{"an answer of the application", seen(flow.Trace, flow.App, flow.FactUpstreamStatus, "200"), false},
		{"a connection that the application accepted", seen(flow.Trace, flow.App, flow.FactPeer, "127.0.0.6:1"), false},
		{"a process behind it", seen(flow.Sockets, flow.App, flow.FactProcess, "fortio"), false},
		{"a request that came to it", seen(flow.Trace, flow.App, flow.FactMethod, "GET"), false},
		{"a connection from the pool", seen(flow.EnvoyLog, flow.Connect, flow.FactUpstreamReused, "true"), false},
		{"the kernel's word on each of them", without(flow.EnvoyLog), true},
		{"no word on each of three attempts", without(flow.EnvoyLog, flow.Trace), false},
	} {
		run := whole
		run.Observations, run.Watches = slices.Clone(whole.Observations), slices.Clone(whole.Watches)
		for i := range run.Observations {
			run.Observations[i].Facts = slices.Clone(run.Observations[i].Facts)
		}
		c.change(&run)
		if v := verify.Judge(run); (v.NotReached > 0) != c.want || c.want != (v.Result == flow.Verified) {
			t.Errorf("%s: %s, %s %q", c.name, v.Result, verify.Summary(v), v.Problems)
		}
	}
}
