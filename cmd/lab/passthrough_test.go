package main

import (
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/fault"
)

// TestProgramThatIsNowhere says where a program of the lab's would come from, also in a lab whose
// parts are not looked for.
func TestProgramThatIsNowhere(t *testing.T) {
	t.Setenv("FLOWPROOF_CACHE", t.TempDir())
	t.Setenv("PATH", t.TempDir())
	for _, program := range []string{"kubectl", istioctlProgram} {
		_, err := new(app).findProgram(t.Context(), program)
		if fault.Of(err) != fault.Environment {
			t.Fatalf("%s: %v", program, err)
		}
		for _, want := range []string{"lab build", "--istio", "no " + program + " on PATH"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", program, err, want)
			}
		}
	}
}
