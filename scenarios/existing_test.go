package scenarios_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/existing"
	"github.com/flowproof/lab/harness/cluster/process"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	runs "github.com/flowproof/lab/harness/run"
	"github.com/flowproof/lab/harness/script"
	"github.com/flowproof/lab/internal/kube/kubetest"
	"github.com/flowproof/lab/internal/progress"
	"github.com/flowproof/lab/internal/undo"
	"github.com/flowproof/lab/scenarios"
)

// TestExistingClusterStaysAsItWas runs inbound on the lab as on a stranger's cluster, through
// nothing but its kubeconfig, and compares every object and every log level before and after.
func TestExistingClusterStaysAsItWas(t *testing.T) {
	if missing != "" {
		t.Skip(missing)
	}
	suite.Test(t, features.New("existing").Assess("stays as it was", func(ctx context.Context, t *testing.T,
		_ *envconf.Config) context.Context {
		onExisting(ctx, t, existing.New(existing.Target{Kubeconfig: provider.GetKubeconfig()}))
		return ctx
	}).Assess("is judged without what another host's processes would show", func(ctx context.Context, t *testing.T,
		_ *envconf.Config) context.Context {
		emptyPools(ctx, t)
		verdict := onExisting(ctx, t, strangers{existing.New(existing.Target{Kubeconfig: provider.GetKubeconfig()})})
		const want = "ebpf was not available: "
		if verdict != nil && !slices.ContainsFunc(verdict.Without, func(s string) bool {
			return strings.HasPrefix(s, want)
		}) {
			t.Errorf("the verdict does not say that %s…: %q", want, verdict.Without)
		}
		return ctx
	}).Feature())
}

// strangers is a cluster none of whose processes is on this host.
type strangers struct{ *existing.Backend }

func (strangers) Processes(context.Context, *cluster.Lab, string, string, string) ([]int, error) {
	return nil, fmt.Errorf("find processes: %w", process.ErrElsewhere)
}

// onExisting runs inbound, and returns its verdict.
func onExisting(ctx context.Context, t *testing.T, backend cluster.Backend) *flow.RunVerdict {
	t.Helper()
	kubeconfig := provider.GetKubeconfig()
	before, levels := look(ctx, t, kubeconfig)
	lab, err := backend.Up(ctx, cluster.Options{}, progress.Quiet)
	if err != nil {
		t.Fatal(err)
	}
	s, err := scenarios.Find("inbound")
	if err != nil {
		t.Fatal(err)
	}
	result := runOn(ctx, t, lab, backend, s)
	if result.Status != script.Passed || result.Verdict == nil || result.Verdict.Result != flow.Verified ||
		result.Run.Backend != existing.Name {
		t.Errorf("inbound: %s: %v, verdict %+v", result.Status, result.Err, result.Verdict)
	}
	if err := backend.Down(ctx, lab.Name, progress.Quiet); err != nil || !lab.Joined || len(lab.Objects) > 0 {
		t.Errorf("down: %v; the lab has made %v", err, lab.Objects)
	}
	after, now := look(ctx, t, kubeconfig)
	for _, change := range kubetest.Changes(before, after) {
		t.Error(change)
	}
	if !maps.Equal(levels, now) {
		t.Errorf("log levels were %v, are %v", levels, now)
	}
	return result.Verdict
}

// emptyPools ends the pooled connections on inbound's way, with what this host can do. Who cannot
// end them meets either a pooled connection of the application or a new one beside it, as a worker
// of Envoy's decides, and then sees neither for sure.
func emptyPools(ctx context.Context, t *testing.T) {
	t.Helper()
	backend := existing.New(existing.Target{Kubeconfig: provider.GetKubeconfig()})
	lab, err := backend.Up(ctx, cluster.Options{}, progress.Quiet)
	if err != nil {
		t.Fatal(err)
	}
	const text = "kill-connections netshoot -> fortio-server:8080 until cold\n"
	if result := runOn(ctx, t, lab, backend, script.Parse("empty", []byte(text))); result.Status != script.Passed {
		t.Fatalf("empty the pools: %v", result.Err)
	}
}

// runOn runs a scenario on a lab.
func runOn(ctx context.Context, t *testing.T, lab *cluster.Lab, backend cluster.Backend,
	s *script.Scenario) *script.Result {
	t.Helper()
	m, err := mesh.ConnectContext(lab.Kubeconfig, lab.Context)
	if err != nil {
		t.Fatal(err)
	}
	return script.Run(ctx, script.Lab{Mesh: runs.Of(m), Cluster: lab, Backend: backend,
		Guard: []string{os.Args[0], undo.Verb}}, s, script.Options{})
}

// look takes the inventory of a cluster and the log levels of the workshop's sidecars.
func look(ctx context.Context, t *testing.T, kubeconfig string) (kubetest.Inventory, map[string]string) {
	t.Helper()
	inventory, err := kubetest.Take(ctx, kubeconfig)
	if err != nil || len(inventory) < 50 {
		t.Fatalf("an inventory of %d objects: %v", len(inventory), err)
	}
	m, err := mesh.Connect(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	levels := map[string]string{}
	for _, name := range []string{"netshoot", "fortio-server", "fortio-server-l2"} {
		if levels[name], err = levelsOf(ctx, m, name); err != nil {
			t.Fatal(err)
		}
	}
	return inventory, levels
}

func levelsOf(ctx context.Context, m *mesh.Mesh, name string) (string, error) {
	pod, err := m.Pod(ctx, name)
	if err != nil {
		return "", err
	}
	sidecar, err := pod.Sidecar()
	if err != nil {
		return "", err
	}
	defer sidecar.Close()
	levels, err := sidecar.Loggers(ctx)
	return fmt.Sprint(levels), err
}
