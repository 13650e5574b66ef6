package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/existing"
	"github.com/flowproof/lab/harness/cluster/kind"
	"github.com/flowproof/lab/harness/cluster/node"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/input"
)

// backends are what --backend can name.
var backends = map[string]func(*app) cluster.Backend{
	existing.Name: func(a *app) cluster.Backend {
		return existing.New(existing.Target{Kubeconfig: a.kubeconfig, Context: a.context})
	},
	"kind": func(*app) cluster.Backend { return kind.New() },
	"node": func(*app) cluster.Backend { return node.New() },
}

// defaultBackend needs nothing but this machine.
const defaultBackend = "node"

func backendNames() []string { return slices.Sorted(maps.Keys(backends)) }

// byVariable says whether the variable KUBECONFIG names a cluster that is not the lab's own. A lab
// that is named, by --name or --backend, is meant instead. The kubeconfig of the lab on this
// machine is the lab itself.
func (a *app) byVariable(ctx context.Context) (bool, error) {
	path := os.Getenv(clientcmd.RecommendedConfigPathEnvVar)
	if path == "" || a.kubeconfig != "" || a.context != "" || a.backendName != "" || a.name != cluster.DefaultName {
		return false, nil
	}
	status, err := backends[defaultBackend](a).Status(ctx, a.name)
	if err != nil || status.Kubeconfig != "" && status.Kubeconfig == path {
		return false, nil // what is wrong with the lab is told by the verb that takes it
	}
	if !a.quiet && !a.toldCluster {
		a.toldCluster = true
		fmt.Fprintf(
			a.Err,
			"lab: the cluster of $KUBECONFIG, %s (the lab on this machine: --backend %s)\n",
			path,
			defaultBackend,
		)
	}
	return true, nil
}

// namesCluster says whether the command is about a cluster that is not the lab's own.
func (a *app) namesCluster(ctx context.Context) (bool, error) {
	byVariable, err := a.byVariable(ctx)
	return byVariable || a.kubeconfig != "" || a.context != "" || a.backendName == existing.Name, err
}

// backend is the one that --backend names. Who names a cluster by --kubeconfig, --context or the
// variable KUBECONFIG means the backend existing.
func (a *app) backend() (cluster.Backend, error) {
	name := a.backendName
	if a.kubeconfig != "" {
		if err := input.Check(a.kubeconfig); err != nil {
			return nil, fault.Usagef("read kubeconfig: %w", err)
		}
	}
	byVariable, err := a.byVariable(context.Background())
	if err != nil {
		return nil, err
	}
	named := a.kubeconfig != "" || a.context != "" || byVariable
	switch {
	case name == "" && named:
		name = existing.Name
	case name == "":
		name = defaultBackend
	}
	make := backends[name]
	if make == nil {
		return nil, fault.Usagef(
			"choose backend %q: there is none of that name (there are: %s)",
			name,
			strings.Join(backendNames(), ", "),
		)
	}
	if named && name != existing.Name {
		return nil, fault.Usagef(
			"choose backend %s: --kubeconfig and --context name an existing cluster (use --backend %s)",
			name,
			existing.Name,
		)
	}
	return make(a), nil
}
