package scenarios_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestNoLabForNothing asks this program for what needs no lab: a list of the tests, a test that has
// none, and a scenario by its bare name, which Go takes for a test that is not there. The lab has a
// name that no lab can have, so that what brings one up fails.
func TestNoLabForNothing(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"a list", []string{"-test.list", "."}, 0, "TestScenarios"},
		{"a test without a lab", []string{"-test.run", "^TestStyle$"}, 0, "PASS"},
		{"a scenario by its bare name", []string{"-test.run", "outbound"}, 2,
			"no test was run: scenario outbound is run with -run TestScenarios/outbound"},
		{"a test with a lab", []string{"-test.run", "^TestNetfilterOfTheNode$"}, 1, "FAIL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.code == 1 && missing != "" {
				t.Skip(missing)
			}
			out, err := exec.CommandContext(t.Context(), os.Args[0], append(tt.args, "-lab", "no/lab")...).
				CombinedOutput()
			code := 0
			if failed := new(exec.ExitError); errors.As(err, &failed) {
				code = failed.ExitCode()
			} else if err != nil {
				t.Fatal(err)
			}
			if code != tt.code || !strings.Contains(string(out), tt.says) {
				t.Errorf("ended with %d, want %d and %q in\n%s", code, tt.code, tt.says, out)
			}
		})
	}
}
