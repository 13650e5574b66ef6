//go:build linux && amd64

package capture

import (
	"bytes"
	"strings"
	"testing"

	"github.com/flowproof/lab/bpf/envoy"
	"github.com/flowproof/lab/bpf/probe"
	"github.com/flowproof/lab/harness/observe/trace"
)

// TestManyProblems reads a recording again of which no event could be understood: that it has a
// problem has to stay readable.
func TestManyProblems(t *testing.T) {
	broken := &recorded{decode: func(sample []byte) (trace.Event, uint32, bool, error) {
		_, err := probe.Decode(sample)
		return trace.Event{}, 0, true, err
	}}
	for range 100_000 {
		broken.add([]byte("short"))
	}
	w := &watcher{tapes: []*recorded{broken}}
	w.events()
	r := &trace.Recording{Schema: trace.RecordingSchema, Problem: w.problems.Err().Error()}
	var text bytes.Buffer
	if err := r.Write(&text); err != nil {
		t.Fatal(err)
	}
	again, err := trace.ReadRecording(&text)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(again.Problem, "\nand 99990 more") {
		t.Errorf("problem %q", again.Problem)
	}
}

// TestProbeThatIsNotAttached says which probes cannot be counted on.
func TestProbeThatIsNotAttached(t *testing.T) {
	recipes := []envoy.Recipe{{Name: "cluster"}, {Name: "gate"}}
	const cluster, gate = "cluster of process 7", "gate of process 7"
	for _, tt := range []struct {
		name     string
		statuses []probe.Status
		want     string
	}{
		{"all are", []probe.Status{{Name: cluster, Attached: true}, {Name: gate, Attached: true},
			{Name: "cluster of process 8"}}, ""},
		{"one is refused", []probe.Status{{Name: cluster, Attached: true}, {Name: gate, Problem: "attach: busy"}},
			"probe gate of process 7: attach: busy"},
		{"one has no program", []probe.Status{{Name: cluster, Attached: true},
			{Name: "gate", Problem: "load: refused"}}, "probe gate of process 7: the kernel refused its program"},
	} {
		got := ""
		if err := notAttached(tt.statuses, 7, recipes); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if err := (&watcher{}).attach(7, recipes, nil); err == nil {
		t.Error("probes that the kernel refused were attached")
	}
}
