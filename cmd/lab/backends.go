package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/kind"
	"github.com/flowproof/lab/harness/cluster/node"
	"github.com/flowproof/lab/harness/exit"
)

// backends are what --backend can name.
var backends = map[string]func() cluster.Backend{
	"kind": func() cluster.Backend { return kind.New() },
	"node": func() cluster.Backend { return node.New() },
}

// defaultBackend needs nothing but this machine.
const defaultBackend = "node"

func backendNames() []string { return slices.Sorted(maps.Keys(backends)) }

func backendByName(name string) (cluster.Backend, error) {
	make := backends[name]
	if make == nil {
		return nil, exit.Usagef("choose backend %q: there is none of that name (there are: %s)", name, strings.Join(backendNames(), ", "))
	}
	return make(), nil
}
