package bundle

import (
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/verify"
)

// besides are the facts of attempts and next calls.
func besides(fact string) bool {
	return strings.HasPrefix(fact, "attempt") || strings.HasPrefix(fact, "next.")
}

// besideOnly is a run with nothing but the observations of attempts, next calls, and connections
// that did not come about.
func besideOnly(c Contents) Contents {
	c.Run.Observations = slices.DeleteFunc(slices.Clone(c.Run.Observations), func(o flow.Observation) bool {
		return !slices.ContainsFunc(o.Facts, func(f flow.Seen) bool {
			return besides(f.Name) || f.Name == flow.FactUpstreamError || f.Name == flow.FactAttempts
		})
	})
	return c
}

// TestAttempts holds what two recorded requests came to: one that was retried twice, each time with
// a call of the application's own, and one whose application refused the connection. Both were
// written by `lab trace` on a lab with the services of the kinds of requests.
func TestAttempts(t *testing.T) {
	for _, c := range []struct {
		name                     string
		attempts, next           int
		confirmed, unreached     int
		status                   int
		failure, cause, endpoint string
	}{
		{name: "retried", attempts: 3, next: 3, confirmed: 26, status: 503, endpoint: ":8070"},
		{name: "refused", attempts: 3, confirmed: 24, unreached: 2, failure: "Connection refused",
			cause: ":9090 refused the connection, three times", endpoint: ":9090"},
	} {
		run, v := judged(t, kept(t, c.name))
		a := verify.Answered(run)
		if v.Result != flow.Verified || v.Confirmed != c.confirmed || v.NotReached != c.unreached {
			t.Errorf("%s: %s, %s: %q", c.name, v.Result, verify.Summary(v), v.Problems)
		}
		if len(a.Tried) != c.attempts || len(a.Next) != c.next || !strings.Contains(a.Cause, c.cause) {
			t.Fatalf("%s: attempts %+v, next calls %+v, cause %q", c.name, a.Tried, a.Next, a.Cause)
		}
		for i, attempt := range a.Tried {
			if attempt.Number != i+1 || attempt.Status != c.status || !strings.Contains(attempt.Failure, c.failure) ||
				!strings.HasSuffix(attempt.Endpoint, c.endpoint) || attempt.After == "" {
				t.Errorf("%s: attempt %+v", c.name, attempt)
			}
		}
		for _, call := range a.Next {
			if call.From != "fortio-server.mark" || call.Method != "GET" || call.URL != "fortio-server-l2:8080/" ||
				call.Status != 503 || len(call.SeenBy) != 2 {
				t.Errorf("%s: next call %+v", c.name, call)
			}
		}
	}
}

// TestMutationsOfAttempts takes evidence of attempts, next calls and a connection that did not come
// about away, adds to it and alters it: no such run may be verified.
func TestMutationsOfAttempts(t *testing.T) {
	sum := 0
	for _, name := range []string{"retried", "refused"} {
		c := kept(t, name)
		run, v := judged(t, c)
		if v.Result != flow.Verified {
			t.Fatalf("%s itself is %s: %q", name, v.Result, v.Problems)
		}
		for _, m := range dropped(besideOnly(c)) {
			sum++
			mutant := c.clone()
			m.change(&mutant)
			way := inferred{path: mutant.Run.Path, held: mutant.Run.Configuration}
			if _, v := mutant.judge(way, mutant.evidence()); v.Result == flow.Verified {
				t.Errorf("%s, dropped: %s, and the run is still verified", name, m.name)
			}
		}
		for i, o := range run.Observations {
			for k, f := range o.Facts {
				if !besides(f.Name) || f.Name == flow.FactAttemptAfter { // a time is held against nothing
					continue
				}
				for _, value := range []string{"altered", "7", ""} {
					sum++
					other := run
					other.Observations = slices.Clone(run.Observations)
					other.Observations[i].Facts = slices.Clone(o.Facts)
					other.Observations[i].Facts[k].Value = value
					if verify.Judge(other).Result == flow.Verified {
						t.Errorf("%s: verified with %s of %s %s %q", name, f.Name, o.Instrument, o.Where.Pod, value)
					}
				}
			}
			if slices.ContainsFunc(o.Facts, func(f flow.Seen) bool { return besides(f.Name) }) {
				sum += 2
				other := run
				other.Observations = slices.Delete(slices.Clone(run.Observations), i, i+1)
				if verify.Judge(other).Result == flow.Verified {
					t.Errorf("%s: verified without %s of %s", name, o.Facts[0].Name, o.Instrument)
				}
				other.Observations = slices.Insert(slices.Clone(run.Observations), i, o)
				if verify.Judge(other).Result == flow.Verified {
					t.Errorf("%s: verified with %s of %s twice", name, o.Facts[0].Name, o.Instrument)
				}
			}
		}
	}
	t.Logf("%d mutations", sum)
	if sum < 100 {
		t.Errorf("only %d mutations", sum)
	}
}

// TestLastAttempt holds that the status of the last attempt is the one that its proxy answered
// with: all instruments that tell of attempts alike do not make another one true.
func TestLastAttempt(t *testing.T) {
	run := kept(t, "retried").Run
	run.Observations = slices.Clone(run.Observations)
	for i, o := range run.Observations {
		run.Observations[i].Facts = slices.Clone(o.Facts)
		for k, f := range o.Facts {
			if f.Name == flow.FactAttemptStatus {
				run.Observations[i].Facts[k].Value = "200"
			}
		}
	}
	if v := verify.Judge(run); v.Result == flow.Verified {
		t.Errorf("an answer with 503 to attempts that were answered with 200 is verified: %s", verify.Summary(v))
	}
}
