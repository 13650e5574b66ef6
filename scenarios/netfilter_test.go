package scenarios_test

import (
	"context"
	"os"
	"slices"
	"testing"

	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	runs "github.com/flowproof/lab/harness/run"
)

// TestNetfilterOfTheNode sends a request from a host that has no program at all, and so neither
// iptables nor nft: netfilter is read of both pods by the node's own.
func TestNetfilterOfTheNode(t *testing.T) {
	switch {
	case missing != "":
		t.Skip(missing)
	case *backendName != "node":
		t.Skip("the programs are the embedded node's")
	}
	suite.Test(t, features.New("netfilter").Assess("is read without the host's programs", func(ctx context.Context,
		t *testing.T, _ *envconf.Config) context.Context {
		m, err := mesh.Connect(provider.GetKubeconfig())
		if err != nil {
			t.Fatal(err)
		}
		from, err := m.Sender(ctx, "netshoot")
		if err != nil {
			t.Fatal(err)
		}
		call, err := runs.NewCall(from, "http://fortio-server:8080/", m.Namespace())
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", t.TempDir())
		result, err := runs.Do(ctx, runs.Lab{Mesh: runs.Of(m), Cluster: provider.Lab(), Backend: backend,
			Guard: []string{os.Args[0], "__undo"}}, runs.Plan{Call: call, Keep: true,
			Without: []flow.Instrument{flow.EnvoyLog, flow.Trace}}, func(string, ...any) {})
		if err != nil {
			t.Fatal(err)
		}
		for _, pod := range []string{"netshoot.mark", "fortio-server.mark"} {
			if !slices.ContainsFunc(result.Run.Watches, func(w flow.Watch) bool {
				return w.Instrument == flow.Netfilter && w.Pod == pod
			}) {
				t.Errorf("netfilter of %s was not read: %+v", pod, result.Run.Absences)
			}
		}
		return ctx
	}).Feature())
}
