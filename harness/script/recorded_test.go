package script

import (
	"os"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/run/runtest"
)

// recordedLab is a lab that shows what a real one showed of a request into the mesh.
func recordedLab(t *testing.T, name string) *runtest.Lab {
	t.Helper()
	lab, err := runtest.Recorded(t.Context(), "../bundle/testdata/"+name)
	if err != nil {
		t.Fatal(err)
	}
	return lab
}

// TestScenarioOnRecordedLab runs the workshop's scenarios, line by line as they stand, in labs that
// show what real ones have shown.
func TestScenarioOnRecordedLab(t *testing.T) {
	for _, name := range []string{"inbound", "outbound"} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile("../../scenarios/" + name + ".txtar")
			if err != nil {
				t.Fatal(err)
			}
			var told strings.Builder
			result := Run(t.Context(), recordedLab(t, name).Run(), Parse(name, text), Options{Events: NewLive(&told)})
			if result.Err != nil {
				t.Fatalf("%v\n%s", result.Err, told.String())
			}
			if v := result.Verdict; v == nil || v.Result != flow.Verified {
				t.Errorf("%+v\n%s", v, told.String())
			}
		})
	}
}
