package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/bundle"
	"github.com/flowproof/lab/harness/flow"
)

// TestOTLPIsOpenTelemetrys reads -o otlp by the protobuf types of OpenTelemetry: no field
// is unknown to them, every span has its ids and its time, and all of them stand in the
// trace of the request.
func TestOTLPIsOpenTelemetrys(t *testing.T) {
	reader := peer(t, "./otlp")
	dir := current(t, func(c *bundle.Contents) {
		c.Run.Call.Headers = flow.Headers{"traceparent": {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}}
		c.Question.Call.Headers = c.Run.Call.Headers
	})
	code, out, errs := run(t, "verify", dir, "-o", "otlp")
	if code != 0 && out == "" {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	cmd := exec.Command(reader)
	cmd.Stdin = strings.NewReader(out)
	read, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, read)
	}
	ids := map[string]bool{"00f067aa0ba902b7": true} // the span that the request was sent in
	lines := strings.Split(strings.TrimSpace(string(read)), "\n")
	for _, line := range lines {
		ids[strings.Split(line, "\t")[2]] = true
	}
	services := map[string]int{}
	for _, line := range lines {
		f := strings.Split(line, "\t")
		services[f[0]]++
		if f[1] != "4bf92f3577b34da6a3ce929d0e0e4736" || !ids[f[3]] {
			t.Errorf("a span of another trace, or in none: %s", line)
		}
	}
	if services["netshoot.mark"] < 14 || services["fortio-server.mark"] < 14 {
		t.Errorf("spans by service: %v", services)
	}
}
