package e2e

import (
	"context"
	"os"
	"runtime"

	"sigs.k8s.io/e2e-framework/pkg/envconf"

	"github.com/flowproof/lab/harness/cluster/node"
	"github.com/flowproof/lab/internal/components"
	"github.com/flowproof/lab/internal/progress"
	"github.com/flowproof/lab/manifests"
)

// NewNode returns a Provider of the embedded node: Kubernetes, Istio and the workshop's pods in
// namespaces of their own, without Docker and without a registry. It says on standard error what
// takes longer than a second. TestMain has to call Main first.
func NewNode() *Provider {
	return NewProvider(node.New(), progress.New(os.Stderr, false, true))
}

// Main has to be the first call of the TestMain of a suite that uses NewNode: the processes of a
// lab that outlive their starter are the test program too, and in them Main does not return. In the
// test itself it does nothing.
func Main() {
	if len(os.Args) > 1 && os.Args[1] == node.Verb {
		os.Exit(node.Main(os.Args[2:]))
	}
}

// Missing says what this machine lacks for a lab on the embedded node, and what to
// do; empty: nothing.
func Missing() string { return MissingFor("node") }

// MissingFor is Missing for a lab on a backend: node or kind.
func MissingFor(backend string) string {
	switch {
	case runtime.GOOS != "linux":
		return "the lab's parts need Linux"
	case os.Geteuid() != 0:
		return "the lab's parts need root"
	}
	parts := components.Options{IstioValues: manifests.IstioValues(), Kind: backend == "kind"}
	if _, err := components.Find(parts); err != nil {
		return err.Error()
	}
	return ""
}

// Finish takes the lab down by its name. It is for env.Environment.Finish, in the place of
// envfuncs.DestroyCluster, which knows nothing of a lab whose bring-up has failed.
func (p *Provider) Finish(ctx context.Context, _ *envconf.Config) (context.Context, error) {
	return ctx, p.Destroy(ctx)
}
