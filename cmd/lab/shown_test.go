package main

import (
	"strings"
	"testing"

	"github.com/flowproof/lab/cmd/lab/internal/exit"
)

// TestASCII writes no sign that is not ASCII where that was asked for, and the names that a report
// has stay.
func TestASCII(t *testing.T) {
	code, out, errs := run(t, "verify", "--ascii", inboundBundle)
	if code != exit.OK {
		t.Fatalf("exit code %d, %s", code, errs)
	}
	for _, r := range out {
		if r > 127 {
			t.Fatalf("%q is not ASCII", r)
		}
	}
	for _, name := range []string{"netshoot.mark -> GET http://fortio-server:8080/", "+ the way is as inferred",
		"verified"} {
		if !strings.Contains(out, name) {
			t.Errorf("%s is not there:\n%s", name, out)
		}
	}
}
