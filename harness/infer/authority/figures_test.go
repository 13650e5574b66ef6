package authority

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/flowproof/lab/internal/golden"
)

// figures writes what the run has measured into the README, between its markers. Only a run
// without a fault may.
func figures(t *testing.T, total *tally) {
	if !golden.Updating() || t.Failed() {
		return
	}
	said := fmt.Sprintf("%d random requests through %d random configurations, each decided by inference and sent "+
		"through Envoy %s: %d differences that nothing\n"+
		"explains, %d with a known cause. %d answers were open; for %d of them Envoy did the same with every value "+
		"that was tried of what is open.\n",
		total.requests, total.rounds, total.version, 0, total.explained, total.open, total.needless)
	golden.Part(t, "../../../README.md", "differential", said)
}

// version asks Envoy which version it is.
func version(t *testing.T, e *Envoy) string {
	t.Helper()
	text, err := e.get("/server_info")
	if err != nil {
		t.Fatal(err)
	}
	var info struct {
		Version string `json:"version"` // commit/version/state/build/TLS library
	}
	if err := json.Unmarshal(text, &info); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(info.Version, "/")
	return parts[min(1, len(parts)-1)]
}
