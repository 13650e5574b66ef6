// Package e2e hands a backend of the lab to sigs.k8s.io/e2e-framework, so that anybody's
// test suite can run on it. On the embedded node a suite has a Kubernetes with Istio in ten
// seconds, without Docker:
//
//	func TestMain(m *testing.M) {
//		e2e.Main()
//		provider := e2e.NewNode()
//		testenv.Setup(envfuncs.CreateCluster(provider, "suite"))
//		testenv.Finish(provider.Finish)
//		os.Exit(testenv.Run(m))
//	}
//
// The parts of the node are made by `lab build`, once a machine; a suite of another module needs
// the checkout that they are made from (go mod edit -replace github.com/flowproof/lab=../lab).
package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/e2e-framework/klient"
	"sigs.k8s.io/e2e-framework/support"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/progress"
)

// A Provider is a backend as an E2EClusterProvider. Create returns when both sidecars of the
// workshop answer, so there is nothing left to wait for.
type Provider struct {
	backend  cluster.Backend
	reporter progress.Reporter
	options  cluster.Options
	lab      *cluster.Lab
}

var _ support.E2EClusterProvider = (*Provider)(nil)

// NewProvider returns a Provider that brings labs up and down with backend and says so on reporter.
func NewProvider(backend cluster.Backend, reporter progress.Reporter) *Provider {
	return &Provider{backend: backend, reporter: reporter}
}

// Lab is the lab that Create brought up; nil before.
func (p *Provider) Lab() *cluster.Lab { return p.lab }

// SetDefaults sets the name that a lab has when none is given.
func (p *Provider) SetDefaults() support.E2EClusterProvider {
	if p.options.Name == "" {
		p.options.Name = cluster.DefaultName
	}
	return p
}

// WithName sets the name of the lab.
func (p *Provider) WithName(name string) support.E2EClusterProvider {
	p.options.Name = name
	return p
}

// WithVersion changes nothing: a lab has the versions that it was built from.
func (p *Provider) WithVersion(string) support.E2EClusterProvider { return p }

// WithPath changes nothing: a backend is no program.
func (p *Provider) WithPath(string) support.E2EClusterProvider { return p }

// WithOpts applies options that are made for this provider.
func (p *Provider) WithOpts(opts ...support.ClusterOpts) support.E2EClusterProvider {
	for _, opt := range opts {
		opt(p)
	}
	return p
}

// Create brings the lab up, or joins it when it runs, and returns the path of its kubeconfig.
func (p *Provider) Create(ctx context.Context, _ ...string) (string, error) {
	lab, err := p.backend.Up(ctx, p.options, p.reporter)
	if err != nil {
		return "", err
	}
	p.lab = lab
	return lab.Kubeconfig, nil
}

// CreateWithConfig is refused: a lab has no configuration file.
func (p *Provider) CreateWithConfig(context.Context, string) (string, error) {
	return "", fault.Usagef("create lab %s: a lab has no configuration file (use Create)", p.options.Name)
}

// GetKubeconfig is the path of the lab's kubeconfig; empty before Create.
func (p *Provider) GetKubeconfig() string {
	if p.lab == nil {
		return ""
	}
	return p.lab.Kubeconfig
}

// GenerateKubeconfig is GetKubeconfig: the lab has written it.
func (p *Provider) GenerateKubeconfig(...string) (string, error) {
	if p.lab == nil {
		return "", fault.Environmentf("find kubeconfig of lab %s: it is not up", p.options.Name)
	}
	return p.lab.Kubeconfig, nil
}

// GetKubectlContext is the current context of the lab's kubeconfig, which is the lab.
func (p *Provider) GetKubectlContext() string {
	config, err := clientcmd.LoadFromFile(p.GetKubeconfig())
	if err != nil {
		return ""
	}
	return config.CurrentContext
}

// ExportLogs writes what the backend knows about the lab to dest/status.json.
func (p *Provider) ExportLogs(ctx context.Context, dest string) error {
	status, err := p.backend.Status(ctx, p.options.Name)
	if err != nil {
		return err
	}
	status.Measure()
	text, err := json.MarshalIndent(status, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dest, 0o700); err != nil {
		return fault.Environmentf("export logs: %w", err)
	}
	return os.WriteFile(filepath.Join(dest, "status.json"), text, 0o600)
}

// Destroy takes the lab down by its name, also when Create has failed.
func (p *Provider) Destroy(ctx context.Context) error {
	return p.backend.Down(ctx, p.options.Name, p.reporter)
}

// WaitForControlPlane has nothing to wait for after Create.
func (p *Provider) WaitForControlPlane(context.Context, klient.Client) error { return nil }

// KubernetesRestConfig is a client configuration for the lab; nil before Create.
func (p *Provider) KubernetesRestConfig() *rest.Config {
	config, err := clientcmd.BuildConfigFromFlags("", p.GetKubeconfig())
	if err != nil || p.lab == nil {
		return nil
	}
	return config
}
