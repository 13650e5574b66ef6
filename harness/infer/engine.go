// Package infer derives the way of a request through sidecars from their config dumps: which listener, filter chain,
// route, cluster and endpoint Envoy would take and why, or how the request would fail. One file holds one hop of the
// way, in the order of Envoy's own request processing. The package has no input or output and never touches a cluster.
//
// Where a rule is taken from Envoy, the comment names the message or the source file it follows.
package infer

import (
	"fmt"
	"sync"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// An Engine answers requests against one dump and keeps what it has decoded. It may be used by several goroutines.
type Engine struct {
	dump *configdump.Dump
	node configdump.Node
	bind configdump.Value // the bootstrap's upstream_bind_config

	mu        sync.Mutex
	addresses *addressTable
	listeners map[*configdump.Resource]*listener
	tables    map[string]*routeTable // by JSON pointer of the route configuration
	clusters  map[string]*cluster
	loads     map[string]*loadAssignment
}

// New returns an Engine for a dump, which stays the caller's to close.
func New(d *configdump.Dump) *Engine {
	return &Engine{
		dump: d, node: d.Node(), listeners: map[*configdump.Resource]*listener{}, tables: map[string]*routeTable{},
		bind:     d.Bootstrap().Get("cluster_manager", "upstream_bind_config"),
		clusters: map[string]*cluster{}, loads: map[string]*loadAssignment{},
	}
}

// Node returns whose dump the Engine answers from.
func (e *Engine) Node() configdump.Node { return e.node }

// Decide returns the way of one request through the proxy. A request that Envoy would refuse is an answer, not an
// error; an error means that the request makes no sense or that the dump could not be read on the request's path.
func (e *Engine) Decide(req flow.Request) (flow.Decision, error) {
	return e.decide(req, Options{})
}

// Options are what is known of a request's surroundings beside the dump and the request.
type Options struct {
	Explain bool     // keep every condition that was evaluated, not only the decision and what lost
	Rules   *Ruleset // the pod's netfilter rules; nil: from the interception mode in the dump
	Peer    string   // identity (URI) in the client's certificate, where it is known
	Cold    bool     // no connection to the endpoint is pooled
	Warm    bool     // every worker has a connection to the endpoint pooled
	Sender  Sender   // who in the pod sends an outbound request

	toward []string // addresses of the pod that the way goes to, where several endpoints may be picked
}

// DecideWith is Decide with what is known of the request's surroundings.
func (e *Engine) DecideWith(req flow.Request, opts Options) (flow.Decision, error) {
	return e.decide(req, opts)
}

func (e *Engine) decide(req flow.Request, opts Options) (flow.Decision, error) {
	norm, err := normalise(req)
	if err != nil {
		return flow.Decision{}, err
	}
	w := newWalk(e, norm, opts)
	w.run()
	if err := e.dump.Err(); err != nil {
		return flow.Decision{}, err
	}
	return w.out, nil
}

// Decide returns the way of one request through the proxy of a dump: see Engine.Decide. For many requests an Engine
// saves decoding the same resources again.
func Decide(d *configdump.Dump, req flow.Request) (flow.Decision, error) { return New(d).Decide(req) }

// once returns what table holds under key, making it if it is not there.
func once[K comparable, V any](e *Engine, table map[K]V, key K, make func() V) V {
	e.mu.Lock()
	defer e.mu.Unlock()
	v, ok := table[key]
	if !ok {
		v = make()
		table[key] = v
	}
	return v
}

// list joins names for a sentence and keeps it readable when there are many.
func list(names []string) string {
	const shown = 6
	text := ""
	for i, n := range names {
		if i == shown {
			return fmt.Sprintf("%s and %d more", text, len(names)-shown)
		}
		if i > 0 {
			text += ", "
		}
		text += n
	}
	return text
}
