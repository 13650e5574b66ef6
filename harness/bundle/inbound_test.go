package bundle

import (
	"slices"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/verify"
)

// inbound is the run of the inbound scenario on a real lab: testdata/inbound was written by `lab
// run inbound --bundle`.
func inbound(t *testing.T) (flow.Run, flow.RunVerdict) { return judged(t, kept(t, "inbound")) }

func TestInboundIsVerified(t *testing.T) {
	run, v := inbound(t)
	if v.Result != flow.Verified || v.Confirmed != len(run.Path.Hops) || len(run.Path.Hops) < 20 {
		t.Errorf("%s: %d of %d hops confirmed, %q", v.Result, v.Confirmed, len(run.Path.Hops), v.Problems)
	}
}

// TestInboundWithoutEvidence takes from each hop everything it rests on: it must fall.
func TestInboundWithoutEvidence(t *testing.T) {
	run, whole := inbound(t)
	for i, h := range whole.Hops {
		var kept []flow.Observation
		for k, o := range run.Observations {
			if !slices.ContainsFunc(h.Evidence, func(e flow.Evidence) bool { return e.Observation == k }) {
				kept = append(kept, o)
			}
		}
		blind := run
		blind.Observations = kept
		v := verify.Judge(blind)
		if v.Hops[i].State != flow.NotObserved || v.Hops[i].Reason == "" || v.Result != flow.Incomplete {
			t.Errorf("%s %s: %s %q, run %s", h.Side, h.Kind, v.Hops[i].State, v.Hops[i].Reason, v.Result)
		}
	}
}

// TestInboundAltered gives each fact that was seen another expected value: its hop must not stay
// confirmed, and where a hop can have only one such value, it must be refuted.
func TestInboundAltered(t *testing.T) {
	run, whole := inbound(t)
	multiple := []string{flow.FactFilter, flow.FactHTTPFilter, flow.FactNetworkFilter, flow.FactListening,
		flow.FactDetails}
	altered := 0
	for i, h := range run.Path.Hops {
		for k, f := range h.Expect {
			if f.Absent || !slices.ContainsFunc(whole.Hops[i].Evidence, func(e flow.Evidence) bool {
				return e.Fact == f.Name
			}) {
				continue
			}
			wrong := run
			wrong.Path.Hops = slices.Clone(run.Path.Hops)
			wrong.Path.Hops[i].Expect = slices.Clone(h.Expect)
			wrong.Path.Hops[i].Expect[k].Value = "altered"
			altered++
			if got := verify.Judge(wrong).Hops[i]; !slices.Contains(multiple, f.Name) && got.State != flow.Refuted {
				t.Errorf("%s %s expecting %s=altered: %s (%s)", h.Side, h.Kind, f.Name, got.State, got.Reason)
			}
		}
	}
	if altered < 40 {
		t.Errorf("only %d expected facts were seen at all", altered)
	}
}

// TestInboundOneWitnessLies alters one observed value after the other: the run must not
// be verified any more.
func TestInboundOneWitnessLies(t *testing.T) {
	run, whole := inbound(t)
	for _, h := range whole.Hops {
		for _, e := range h.Evidence {
			if e.Observation < 0 {
				continue
			}
			lied := run
			lied.Observations = slices.Clone(run.Observations)
			o := &lied.Observations[e.Observation]
			o.Facts = slices.Clone(o.Facts)
			for k := range o.Facts {
				if o.Facts[k].Name == e.Fact {
					o.Facts[k].Value = "altered"
				}
			}
			multiple := e.Fact == flow.FactFilter || e.Fact == flow.FactHTTPFilter ||
				e.Fact == flow.FactNetworkFilter || e.Fact == flow.FactListening
			if v := verify.Judge(lied); v.Result == flow.Verified && !multiple {
				t.Errorf("%s %s: %s lies about %s, and the run is verified", h.Side, h.Kind, e.Instrument, e.Fact)
			}
		}
	}
}
