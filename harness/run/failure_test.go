package run_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/run"
	"github.com/flowproof/lab/harness/verify"
)

// errRefused is what the cluster of a test answers.
var errRefused = errors.New("the apiserver refuses it")

// spared are answers that a run can do without, each with the reason. Without any other the run
// ends with an error, or its verdict says what is not known.
var spared = map[string]string{
	"nft":                       "iptables-save told the rules already",
	"cat":                       "the table of connections repeats what the sockets say",
	"behind fortio-server:8080": "every port is looked at where it is not known which pods are behind the URL",
	"lower levels":              "the levels are set back once more at the end, as this test holds",
	"loggers":                   "the sidecar is then taken to log everything, and asked for a line that it has to log",
}

// A refusal is one of the answers that a run asks a lab for: the which-th of its kind.
type refusal struct {
	what  string
	which int
}

// TestAnyAnswerMayFail lets a cluster refuse one thing that a run asks it for, each in turn. The
// run ends with that cause, or its account names what could not be read, or it is not verified. In
// each case the sidecars log as before, and no run has them.
func TestAnyAnswerMayFail(t *testing.T) {
	var all []refusal
	lab, before := recorded(t, "inbound"), map[string]mesh.Levels{}
	counts := map[string]int{}
	lab.Fails = func(what string) error {
		counts[what]++
		all = append(all, refusal{what, counts[what]})
		return nil
	}
	for ref, pod := range lab.PodsByRef {
		before[ref] = maps.Clone(pod.Levels())
	}
	result, err := run.Do(t.Context(), lab.Run(), plan(t, "http://fortio-server:8080/"), nil)
	if verdict := verify.Judge(result.Run); err != nil || verdict.Result != flow.Verified {
		t.Fatalf("without a refusal: %v, %v", err, verdict.Problems)
	}
	for i, r := range all {
		if testing.Short() && i%4 > 0 {
			continue
		}
		t.Run(fmt.Sprintf("%s, %d", r.what, r.which), func(t *testing.T) {
			lab := recorded(t, "inbound")
			n := 0
			lab.Fails = func(what string) error {
				if what == r.what {
					n++
				}
				if what == r.what && n == r.which {
					return errRefused
				}
				return nil
			}
			result, err := run.Do(t.Context(), lab.Run(), plan(t, "http://fortio-server:8080/"), nil)
			if err != nil && !errors.Is(err, errRefused) {
				t.Errorf("%v: the cause is not in it", err)
			}
			verdict := verify.Judge(result.Run)
			if err == nil && verdict.Result == flow.Verified && !told(result.Run) && !maySpare(r.what) {
				t.Errorf("verified, and nothing is said of it")
			}
			for ref, pod := range lab.PodsByRef {
				if !maps.Equal(pod.Levels(), before[ref]) || pod.Held() {
					t.Errorf("%s logs at %v, and is held: %t", ref, pod.Levels(), pod.Held())
				}
			}
		})
	}
}

// told says whether a run's account names the refusal.
func told(r flow.Run) bool {
	for _, a := range r.Absences {
		if strings.Contains(a.Reason, errRefused.Error()) {
			return true
		}
	}
	return false
}

func maySpare(what string) bool {
	for spare := range spared {
		if strings.HasPrefix(what, spare) || strings.HasSuffix(what, " "+spare) {
			return true
		}
	}
	return false
}
