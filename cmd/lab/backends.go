package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/existing"
	"github.com/flowproof/lab/harness/cluster/kind"
	"github.com/flowproof/lab/harness/cluster/node"
	"github.com/flowproof/lab/internal/exit"
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

// backend is the one that --backend names. Whoever names a cluster by --kubeconfig or --context means the backend existing.
func (a *app) backend() (cluster.Backend, error) {
	name := a.backendName
	if a.kubeconfig != "" {
		if err := input.Check(a.kubeconfig); err != nil {
			return nil, exit.Usagef("read kubeconfig: %w", err)
		}
	}
	named := a.kubeconfig != "" || a.context != ""
	switch {
	case name == "" && named:
		name = existing.Name
	case name == "":
		name = defaultBackend
	}
	make := backends[name]
	if make == nil {
		return nil, exit.Usagef("choose backend %q: there is none of that name (there are: %s)", name, strings.Join(backendNames(), ", "))
	}
	if named && name != existing.Name {
		return nil, exit.Usagef("choose backend %s: --kubeconfig and --context name somebody's own cluster (use --backend %s)", name, existing.Name)
	}
	return make(a), nil
}
