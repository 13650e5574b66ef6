package run_test

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/script"
)

// TestAnyStepMayFail lets a cluster refuse one thing that a scenario asks it for, the first time
// that it does. The scenario fails with that cause, or its verdict is not verified, or its account
// names what could not be read; and the sidecars log as before.
func TestAnyStepMayFail(t *testing.T) {
	text, err := os.ReadFile("../../scenarios/inbound.txtar")
	if err != nil {
		t.Fatal(err)
	}
	play := func(fails func(string) error) *script.Result {
		lab := recorded(t, "inbound")
		before := map[string]mesh.Levels{}
		for ref, pod := range lab.PodsByRef {
			before[ref] = maps.Clone(pod.Levels())
		}
		lab.Fails = fails
		result := script.Run(t.Context(), lab.Run(), script.Parse("inbound", text), script.Options{})
		for ref, pod := range lab.PodsByRef {
			if !maps.Equal(pod.Levels(), before[ref]) || pod.Held() {
				t.Errorf("%s logs at %v, and is held: %t", ref, pod.Levels(), pod.Held())
			}
		}
		return result
	}
	asked := map[string]bool{}
	if result := play(func(what string) error { asked[what] = true; return nil }); result.Err != nil {
		t.Fatal(result.Err)
	}
	for what := range asked {
		if testing.Short() && !strings.Contains(what, "netshoot") {
			continue
		}
		t.Run(what, func(t *testing.T) {
			refused := false
			result := play(func(is string) error {
				if is != what || refused {
					return nil
				}
				refused = true
				return errRefused
			})
			switch {
			case result.Err != nil && !strings.Contains(fmt.Sprint(result.Err), errRefused.Error()):
				t.Errorf("%v: the cause is not in it", result.Err)
			case result.Err == nil && result.Verdict.Result == flow.Verified && !told(*result.Run) &&
				!maySpare(what):
				t.Errorf("verified, and nothing is said of it")
			}
		})
	}
}
