package run_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/run"
)

// TestOthersFillThePool lets others open the connection of the server's sidecar to its application
// again: at once each time that it is ended, or after it was ended once. Either way the request is
// sent, and what was inferred says nothing of the pools.
func TestOthersFillThePool(t *testing.T) {
	for name, c := range map[string]struct {
		opened func(looks int) bool // whether it is open when the table is read
		pools  string
		said   string
	}{
		"no others":      {func(int) bool { return false }, flow.ColdPools, ""},
		"ended once":     {func(looks int) bool { return looks == 1 }, flow.ColdPools, ""},
		"opened at once": {func(int) bool { return true }, "", "after the first was ended"},
		"opened again later": {func(looks int) bool {
			return looks != 2
		}, "", "it was empty, and has 1 connection again"},
	} {
		t.Run(name, func(t *testing.T) {
			lab, sent := workshop(t)
			server := lab.PodsByRef["fortio-server.mark"]
			row := fmt.Sprintf("ESTAB 0 0 127.0.0.6:40000 %s:8080\n", server.Address)
			looks, answer := 0, server.Answer
			server.Answer = func(command []string, stdin []byte) *mesh.Output {
				switch {
				case command[0] == "ss" && slices.Contains(command, "-K"):
					return &mesh.Output{Stdout: []byte(row)}
				case command[0] == "ss":
					if looks++; c.opened(looks) {
						return &mesh.Output{Stdout: []byte(row)}
					}
				}
				return answer(command, stdin)
			}
			result, err := run.Do(t.Context(), lab.Run(), plan(t, "http://fortio-server:8080/"), nil)
			if err != nil || len(*sent) != 1 {
				t.Fatalf("sent %d, error %v", len(*sent), err)
			}
			cold := c.pools == flow.ColdPools
			if result.Recording.Cold != cold || result.Question.Options.Cold != cold {
				t.Errorf("recorded as cold: %t, inferred as cold: %t", result.Recording.Cold,
					result.Question.Options.Cold)
			}
			said := fmt.Sprint(result.Run.Absences)
			if !strings.Contains(said, c.said) || c.said == "" && strings.Contains(said, "kill-connections") {
				t.Errorf("absences %s", said)
			}
		})
	}
}
