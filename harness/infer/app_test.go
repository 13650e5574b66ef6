package infer

import (
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/passage"
)

// TestArrived keeps of what the last proxy's connection expects what its application reads.
func TestArrived(t *testing.T) {
	got := arrived([]flow.Fact{passage.Fact(flow.FactProcess, "envoy"), passage.Fact(flow.FactMethod, "GET"),
		passage.Fact(flow.FactUpstreamRemote, "10.0.0.1:80"),
		passage.Fact(flow.FactPath, "/a"), passage.Fact(flow.FactAuthority, "a"),
		{Name: flow.FactHeader, Value: "x-a: *", May: true}})
	var names []string
	for _, f := range got {
		names = append(names, f.Name)
	}
	if want := "request.method request.path request.authority request.header"; strings.Join(names, " ") != want {
		t.Errorf("%v, want %s", names, want)
	}
}
