// Package proxy is one sidecar or gateway as its config dump has it: listeners, filter chains,
// route tables, clusters and endpoints, each decoded when it is first asked for. It decides
// nothing.
package proxy

import (
	"sync"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/expr"
)

// A Proxy is one sidecar or gateway as its dump has it. It keeps what it has decoded, and may be
// used by several goroutines.
type Proxy struct {
	Dump *configdump.Dump
	Node configdump.Node
	Name string           // of the proxy, as hops say it
	Bind configdump.Value // the bootstrap's upstream_bind_config
	Mode configdump.Value // INTERCEPTION_MODE of the node's metadata

	Programs expr.Programs // of the expressions in the dump

	layers []configdump.Value // static ones of the bootstrap's runtime

	mu        sync.Mutex
	addresses map[string]*addressTable // by transport protocol
	capture   map[flow.Direction]*kept[[]*configdump.Resource]
	listeners map[*configdump.Resource]*kept[*Listener]
	tables    map[string]*kept[*RouteTable] // by JSON pointer of the route configuration
	clusters  map[string]*kept[*Cluster]
	loads     map[string]*kept[*LoadAssignment]
}

// New returns the proxy of a dump, which stays the caller's to close.
func New(d *configdump.Dump) *Proxy {
	e := &Proxy{
		Dump: d, Node: d.Node(), listeners: map[*configdump.Resource]*kept[*Listener]{},
		tables:   map[string]*kept[*RouteTable]{},
		Bind:     d.Bootstrap().Get("cluster_manager", "upstream_bind_config"),
		clusters: map[string]*kept[*Cluster]{}, loads: map[string]*kept[*LoadAssignment]{},
	}
	for _, l := range d.Bootstrap().Get("layered_runtime", "layers").Elements() {
		if static := l.Get("static_layer"); static.Exists() {
			e.layers = append(e.layers, static)
		}
	}
	e.capture = map[flow.Direction]*kept[[]*configdump.Resource]{}
	e.Name = e.Node.Proxy()
	e.Mode = e.Node.At.Get("metadata", "INTERCEPTION_MODE")
	return e
}

// A kept value is one that is decoded when it is first asked for.
type kept[V any] struct {
	once  sync.Once
	value V
}

// once returns what table holds under key, making it if it is not there. What is made for one key
// does not hold up those who ask for another.
func once[K comparable, V any](e *Proxy, table map[K]*kept[V], key K, make func() V) V {
	e.mu.Lock()
	k, ok := table[key]
	if !ok {
		k = new(kept[V])
		table[key] = k
	}
	e.mu.Unlock()
	k.once.Do(func() { k.value = make() })
	return k.value
}
