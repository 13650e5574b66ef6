// Package infer derives the way of a request through sidecars from their config dumps: which listener, filter chain,
// route, cluster and endpoint Envoy would take and why, or how the request would fail. One file holds one hop of the
// way, in the order of Envoy's own request processing. The package has no input or output and never touches a cluster.
//
// Where a rule is taken from Envoy, the comment names the message or the source file it follows.
package infer

import (
	"fmt"
	"sync"

	"cel.dev/cel-go/cel"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/netfilter"
)

// An Engine answers requests against one dump and keeps what it has decoded. It may be used by several goroutines.
type Engine struct {
	dump *configdump.Dump
	node configdump.Node
	name string           // of the proxy, as hops say it
	bind configdump.Value // the bootstrap's upstream_bind_config
	mode configdump.Value // INTERCEPTION_MODE of the node's metadata

	layers []configdump.Value // static ones of the bootstrap's runtime

	mu        sync.Mutex
	addresses map[string]*addressTable // by transport protocol
	capture   map[flow.Direction]*kept[[]*configdump.Resource]
	listeners map[*configdump.Resource]*kept[*listener]
	tables    map[string]*kept[*routeTable] // by JSON pointer of the route configuration
	clusters  map[string]*kept[*cluster]
	loads     map[string]*kept[*loadAssignment]
	programs  map[string]*kept[cel.Program] // by JSON pointer of the expression

	expressions sync.Once
	cel         *cel.Env
}

// New returns an Engine for a dump, which stays the caller's to close.
func New(d *configdump.Dump) *Engine {
	e := &Engine{
		dump: d, node: d.Node(), listeners: map[*configdump.Resource]*kept[*listener]{}, tables: map[string]*kept[*routeTable]{},
		bind:     d.Bootstrap().Get("cluster_manager", "upstream_bind_config"),
		clusters: map[string]*kept[*cluster]{}, loads: map[string]*kept[*loadAssignment]{}, programs: map[string]*kept[cel.Program]{},
	}
	for _, l := range d.Bootstrap().Get("layered_runtime", "layers").Elements() {
		if static := l.Get("static_layer"); static.Exists() {
			e.layers = append(e.layers, static)
		}
	}
	e.capture = map[flow.Direction]*kept[[]*configdump.Resource]{}
	e.name = e.node.Proxy()
	e.mode = e.node.At.Get("metadata", "INTERCEPTION_MODE")
	return e
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
	Explain bool               // keep every condition that was evaluated, not only the decision and what lost
	Rules   *netfilter.Ruleset // the pod's netfilter rules; nil: from the interception mode in the dump
	Peer    string             // identity (URI) in the client's certificate, where it is known
	Cold    bool               // no connection to the endpoint is pooled
	Warm    bool               // every worker has a connection to the endpoint pooled
	Sender  netfilter.Sender   // who in the pod sends an outbound request

	before *match.Headers // as the proxy before has sent them: what is open there is open here
	toward []string       // addresses of the pod that the way goes to, where several endpoints may be picked
}

// DecideWith is Decide with what is known of the request's surroundings.
func (e *Engine) DecideWith(req flow.Request, opts Options) (flow.Decision, error) {
	return e.decide(req, opts)
}

func (e *Engine) decide(req flow.Request, opts Options) (flow.Decision, error) {
	decision, _, _, err := e.decideWalk(req, opts)
	return decision, err
}

// decideWalk also returns the first walk, with the request as it leaves the proxy, and those of the other ways that are possible.
func (e *Engine) decideWalk(req flow.Request, opts Options) (flow.Decision, *walk, []*walk, error) {
	norm, err := normalise(req)
	if err != nil {
		return flow.Decision{}, nil, nil, err
	}
	norm.header.Inherit(opts.before)
	w := newWalk(e, norm, opts)
	w.run()
	decision, others := e.certainty(w, func(given []int) *walk {
		next, _ := normalise(req) // it was no error before
		next.header.Inherit(opts.before)
		again := newWalk(e, next, opts)
		again.given = given
		again.run()
		return again
	})
	if err := e.dump.Err(); err != nil {
		return flow.Decision{}, nil, nil, err
	}
	return decision, w, others, nil
}

// Decide returns the way of one request through the proxy of a dump: see Engine.Decide. For many requests an Engine
// saves decoding the same resources again.
func Decide(d *configdump.Dump, req flow.Request) (flow.Decision, error) { return New(d).Decide(req) }

// A kept value is one that is decoded when it is first asked for.
type kept[V any] struct {
	once  sync.Once
	value V
}

// once returns what table holds under key, making it if it is not there. What is made for one key does not hold up those
// who ask for another.
func once[K comparable, V any](e *Engine, table map[K]*kept[V], key K, make func() V) V {
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
