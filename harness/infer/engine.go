// Package infer derives the way of a request through sidecars from their config dumps: which
// listener, filter chain, route, cluster and endpoint Envoy would take and why, or how the request
// would fail. The package has no input or output and never touches a cluster.
//
// Way joins what two proxies do to one call; an Engine answers for one proxy. A proxy takes a
// request through three phases, each a package with a file for each hop: connection, hcm (the HTTP
// connection manager) and upstream. Below them passage holds the request on its way, proxy what the
// dump says of the proxy, and certainty what is left open.
//
// Where a rule is taken from Envoy, the comment names the message or the source file it follows.
package infer

import (
	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/certainty"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
	"github.com/flowproof/lab/harness/netfilter"
)

// An Engine answers requests against one dump and keeps what it has decoded. It may be used by
// several goroutines.
type Engine struct{ proxy *proxy.Proxy }

// New returns an Engine for a dump, which stays the caller's to close.
func New(d *configdump.Dump) *Engine { return &Engine{proxy.New(d)} }

// Node returns whose dump the Engine answers from.
func (e *Engine) Node() configdump.Node { return e.proxy.Node }

// Decide returns the way of one request through the proxy. A request that Envoy would refuse is an
// answer, not an error; an error means that the request makes no sense or that the dump could not
// be read on the request's path.
func (e *Engine) Decide(req flow.Request) (flow.Decision, error) {
	return e.DecideWith(req, Options{})
}

// Options are what is known of a request's surroundings beside the dump and the request.
type Options struct {
	Explain bool               // keep every condition that was evaluated, not only the decision and what lost
	Rules   *netfilter.Ruleset // the pod's netfilter rules; nil: from the interception mode in the dump
	Peer    string             // identity (URI) in the client's certificate, where it is known
	Cold    bool               // no connection to the endpoint is pooled
	Warm    bool               // every worker has a connection to the endpoint pooled
	Sender  netfilter.Sender   // who in the pod sends an outbound request
	// Partial says that the request is known from what was written down of it, as in an
	// access log: it may have had headers beside those that it has here, so that what asks
	// for another one is open.
	Partial bool
}

func (o Options) around() passage.Around {
	return passage.Around{Explain: o.Explain, Rules: o.Rules, Peer: o.Peer, Cold: o.Cold, Warm: o.Warm,
		Sender: o.Sender, Partial: o.Partial}
}

// DecideWith is Decide with what is known of the request's surroundings.
func (e *Engine) DecideWith(req flow.Request, opts Options) (flow.Decision, error) {
	decision, err := e.decide(req, opts)
	places(decision.Hops, map[string]*configdump.Dump{e.proxy.Name: e.proxy.Dump})
	return decision, err
}

// decide is DecideWith, without the names of places.
func (e *Engine) decide(req flow.Request, opts Options) (flow.Decision, error) {
	decision, _, _, err := e.decideWalk(req, opts.around())
	return decision, err
}

// decideWalk also returns the first walk, with the request as it leaves the proxy, and those of the
// other ways that are possible.
func (e *Engine) decideWalk(req flow.Request, opts passage.Around) (flow.Decision, *passage.Walk,
	[]*passage.Walk, error) {
	norm, err := passage.Normalise(req)
	if err != nil {
		return flow.Decision{}, nil, nil, err
	}
	opts.Known(norm.Header)
	w := passage.New(e.proxy, norm, opts)
	run(w)
	decision, others := certainty.Of(w, func(given []int) *passage.Walk {
		next, _ := passage.Normalise(req) // it was no error before
		opts.Known(next.Header)
		again := passage.New(e.proxy, next, opts)
		again.Given = given
		run(again)
		return again
	})
	if err := e.proxy.Dump.Err(); err != nil {
		return flow.Decision{}, nil, nil, err
	}
	return decision, w, others, nil
}

// Decide returns the way of one request through the proxy of a dump: see Engine.Decide. For many
// requests an Engine saves decoding the same resources again.
func Decide(d *configdump.Dump, req flow.Request) (flow.Decision, error) { return New(d).Decide(req) }
