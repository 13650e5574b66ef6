package infer

import (
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// TestUnsaidHeaders says which headers may be added on the way without the configuration saying so.
func TestUnsaidHeaders(t *testing.T) {
	for name, want := range map[string]bool{"x-envoy-attempt-count": true, "x-forwarded-client-cert": true, "traceparent": true, "user-agent": true,
		"x-hostile": false, "authorization": false, "cookie": false, "x-b3": false, "acceptable": false} {
		if got := slices.ContainsFunc(unsaid, func(u string) bool { return isUnsaid(u, name) }); got != want {
			t.Errorf("%s may be added unsaid: %v, want %v", name, got, want)
		}
	}
}

// TestArrived keeps of what the last proxy's connection expects what its application reads.
func TestArrived(t *testing.T) {
	got := arrived([]flow.Fact{fact(flow.FactProcess, "envoy"), fact(flow.FactMethod, "GET"), fact(flow.FactUpstreamRemote, "10.0.0.1:80"),
		fact(flow.FactPath, "/a"), fact(flow.FactAuthority, "a"), {Name: flow.FactHeader, Value: "x-a: *", May: true}})
	var names []string
	for _, f := range got {
		names = append(names, f.Name)
	}
	if want := "request.method request.path request.authority request.header"; strings.Join(names, " ") != want {
		t.Errorf("%v, want %s", names, want)
	}
}
