package e2e_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/envfuncs"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/e2e"
	"github.com/flowproof/lab/internal/progress"
)

// paper is a backend that only writes down what it is asked.
type paper struct {
	kubeconfig string
	fail       error
	asked      []string
}

func (*paper) Name() string { return "paper" }

func (p *paper) Up(_ context.Context, opts cluster.Options, _ progress.Reporter) (*cluster.Lab, error) {
	p.asked = append(p.asked, "up "+opts.Name)
	if p.fail != nil {
		return nil, p.fail
	}
	return &cluster.Lab{Name: opts.Name, Backend: "paper", Kubeconfig: p.kubeconfig}, nil
}

func (p *paper) Down(_ context.Context, name string, _ progress.Reporter) error {
	p.asked = append(p.asked, "down "+name)
	return nil
}

func (p *paper) Status(_ context.Context, name string) (cluster.Status, error) {
	status := cluster.Status{Name: name, Backend: "paper", State: cluster.Running}
	status.AddProcesses([]int{os.Getpid()})
	return status, nil
}

func (*paper) Processes(context.Context, *cluster.Lab, string, string, string) ([]int, error) {
	return nil, errors.New("paper has no processes")
}

func kubeconfig(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	config := `{"apiVersion":"v1","kind":"Config","current-context":"paper",
		"contexts":[{"name":"paper","context":{"cluster":"x"}}],
		"clusters":[{"name":"x","cluster":{"server":"http://127.0.0.1:1"}}]}`
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFrameworkDrivesABackend goes the framework's own way: CreateCluster, then DestroyCluster.
func TestFrameworkDrivesABackend(t *testing.T) {
	backend := &paper{kubeconfig: kubeconfig(t)}
	provider := e2e.NewProvider(backend, progress.Quiet)
	config := envconf.New()
	ctx, err := envfuncs.CreateCluster(provider, "suite")(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if config.KubeconfigFile() != backend.kubeconfig || provider.GetKubectlContext() != "paper" ||
		provider.KubernetesRestConfig().Host != "http://127.0.0.1:1" {
		t.Errorf("kubeconfig %q, context %q", config.KubeconfigFile(), provider.GetKubectlContext())
	}
	dest := filepath.Join(t.TempDir(), "logs")
	if err := provider.ExportLogs(ctx, dest); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(filepath.Join(dest, "status.json")); err != nil ||
		!strings.Contains(string(text), `"state": "running"`) {
		t.Errorf("exported %s, %v", text, err)
	}
	if _, err := envfuncs.DestroyCluster("suite")(ctx, config); err != nil {
		t.Error(err)
	}
	if got := strings.Join(backend.asked, ", "); got != "up suite, down suite" {
		t.Errorf("the backend was asked: %s", got)
	}
}

func TestFailedUpLeavesNoLab(t *testing.T) {
	backend := &paper{fail: errors.New("no root")}
	provider := e2e.NewProvider(backend, progress.Quiet)
	if _, err := provider.SetDefaults().Create(t.Context()); err == nil || provider.Lab() != nil ||
		provider.KubernetesRestConfig() != nil {
		t.Errorf("Create: %v, %v", err, provider.Lab())
	}
	if _, err := provider.GenerateKubeconfig(); err == nil {
		t.Error("a kubeconfig of no lab")
	}
	if err := provider.Destroy(t.Context()); err != nil || strings.Join(backend.asked, ", ") != "up lab, down lab" {
		t.Errorf("Destroy after a failed Create: %v, asked %v", err, backend.asked)
	}
}
