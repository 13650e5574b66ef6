package trace

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flowproof/lab/bpf/envoy"
	"github.com/flowproof/lab/harness/flow"
)

// A sight is what one probe lets the instrument see in a pod of one side; "" stands for both.
type sight struct {
	probe string
	side  flow.Side
	when  moment
	kind  flow.HopKind
	value string // "": any
	facts []string
}

// A moment says when in the life of a connection something can be seen: what happened before the
// watch began cannot.
type moment int

const (
	always moment = iota
	accepting
	redirecting // as accepting, but conntrack may still know
	dialling
)

// sights is complete: a fact that stands here and is not observed was not there.
var sights = []sight{
	{"sys_exit", flow.Client, always, flow.Resolve, "", []string{flow.FactResolved}},
	{"sys_exit", "", always, flow.Redirect, "", []string{flow.FactRedirectPort, flow.FactPeer, flow.FactProcess}},
	{"sys_exit", "", redirecting, flow.Redirect, "", []string{flow.FactOriginalDst}},
	{"sys_exit", "", always, flow.Listener, "", []string{flow.FactPeer}},
	{"open_sockets", "", always, flow.Listener, "", []string{flow.FactListening}},
	{"sys_exit", "", accepting, flow.ListenerFilters, "", []string{flow.FactTransport, flow.FactSNI, flow.FactALPN}},
	{"sys_exit", "", accepting, flow.ListenerFilters, originalDstFilter, []string{flow.FactFilter}},
	{"sys_exit", "", accepting, flow.DownstreamTLS, "", []string{flow.FactTransport}},
	{"sys_exit", flow.Server, always, flow.DownstreamTLS, "", []string{flow.FactXFCC}},
	{"sys_exit", "", always, flow.Endpoint, "", []string{flow.FactEndpoint}},
	{"sys_exit", "", dialling, flow.UpstreamTLS, "", []string{flow.FactTransport, flow.FactSNI, flow.FactALPN}},
	{"sys_exit", "", always, flow.Connect, "", []string{flow.FactUpstreamLocal, flow.FactUpstreamRemote,
		flow.FactUpstreamReused, flow.FactProcess}},
	{"sys_exit", flow.Client, always, flow.App, "", []string{flow.FactStatus}},
	{"sys_exit", flow.Server, always, flow.App, "", []string{flow.FactUpstreamStatus}},
	{"sys_exit", flow.Server, always, flow.App, "", []string{flow.FactPeer, flow.FactProcess}},
}

// before says whether the moment was before the watch: the request's connection was open already.
func (o *observer) before(side flow.Side, when moment) bool {
	down, up := o.chain.downstream, o.chain.upstream
	if side == flow.Server {
		down, up = o.chain.serverDown, o.chain.serverUp
	}
	switch when {
	case accepting:
		return down != nil && down.accepted == nil
	case redirecting:
		return down != nil && down.accepted == nil && down.redirected == nil
	case dialling:
		return up != nil && up.connected == nil
	}
	return false
}

// watch says what the instrument could see in a pod and whether it saw everything there.
func (o *observer) watch(pod *Pod) flow.Watch {
	r := o.recording
	w := flow.Watch{Instrument: flow.Trace, Pod: pod.Name, Side: pod.Side, Lost: int(r.Counts.Lost + r.Counts.Missed)}
	for _, s := range sights {
		if ok, _ := r.attached(s.probe); !ok || (s.side != "" && s.side != pod.Side) || o.before(pod.Side, s.when) {
			continue
		}
		for _, fact := range s.facts {
			if fact == flow.FactUpstreamReused && o.dialling(pod.Side) ||
				fact == flow.FactXFCC && o.chain.serverRequest == nil {
				continue // the header is seen as the sidecar sends it on, and not where it answers by itself
			}
			w.Sees = append(w.Sees, flow.Capability{Kind: s.kind, Fact: fact, Value: s.value})
		}
	}
	if e := o.chain.appRequest; pod.Side == flow.Server && requestLine(e) != "" {
		for _, fact := range []string{flow.FactMethod, flow.FactPath, flow.FactAuthority, flow.FactHeader} {
			if fact != flow.FactHeader || len(e.HTTP.Headers) > 0 {
				w.Sees = append(w.Sees, flow.Capability{Kind: flow.App, Fact: fact})
			}
		}
	}
	w.Sees = append(w.Sees, o.sightsInside(pod)...)
	problems := o.problems(pod)
	w.Complete, w.Problem = len(problems) == 0, strings.Join(problems, "; ")
	if unseen := o.chain.unseen(pod.Side); unseen != "" {
		w.Abstains, w.Sees = unseen, nil
	} else if c := o.chain; pod.Side == flow.Server && c.serverDown == nil && c.clientRequest == nil {
		w.Abstains = "the connection that the request came on cannot be told apart: its bytes are not in clear text " +
			"on both ends"
		w.Sees = slices.DeleteFunc(w.Sees, func(s flow.Capability) bool { return !c.found(pod.Side, s) })
	} else if abstained := o.chain.ambiguous(pod.Side); len(abstained) > 0 {
		w.Abstains = strings.Join(slices.Compact(abstained), "; ")
		w.Sees = slices.DeleteFunc(w.Sees, func(c flow.Capability) bool { return !o.chain.found(pod.Side, c) })
	}
	return w
}

// ambiguous says which links of a side's chain could be several sockets.
func (c *chain) ambiguous(side flow.Side) []string {
	if side == flow.Server {
		return c.serverProblems
	}
	return c.clientProblems
}

// found reports whether the socket that shows a fact is known.
func (c *chain) found(side flow.Side, fact flow.Capability) bool {
	app, up := c.clientApp, c.upstream
	if side == flow.Server {
		app, up = c.serverApp, c.serverUp
	}
	switch end := fact.Kind.Info().End; {
	case fact.Kind == flow.Resolve, end == flow.AppEnd:
		return app != nil
	case fact.Fact == flow.FactXFCC, end == flow.UpstreamEnd && fact.Kind != flow.Cluster:
		return up != nil
	}
	return c.down(side) != nil
}

// sightsInside are what the probes on the pod's Envoys let the instrument see.
func (o *observer) sightsInside(pod *Pod) (sees []flow.Capability) {
	inside := o.recording.inside(pod.Name)
	if o.chain.began().Before(inside.Since) {
		return nil // an Envoy that started in between was not probed from its beginning
	}
	see := func(when moment, kind flow.HopKind, fact, value string) {
		if !o.before(pod.Side, when) {
			sees = append(sees, flow.Capability{Kind: kind, Fact: fact, Value: value})
		}
	}
	if slices.Contains(inside.Values, envoy.ProbeFilterChain) {
		see(accepting, flow.FilterChain, flow.FactFilterChain, "")
	}
	// Whether these can be told depends on how the request went: they are claimed where they were.
	if _, cluster := o.chain.clusterOf(pod.Side); cluster != "" {
		see(always, flow.Cluster, flow.FactCluster, "")
	}
	if joined := o.chain.join(pod.Side); joined != nil && joined.at.Ends.Connection != 0 {
		see(always, flow.NetworkFilters, flow.FactConnection, "")
	}
	if down := o.chain.down(pod.Side); down != nil {
		if _, n := called(o.stream(pod.Side, down), o.sentOn(pod.Side)); n > 0 {
			see(always, flow.HTTPFilters, flow.FactHTTPFilters, "")
		}
	}
	for _, s := range evidence {
		if when := accepting; slices.Contains(inside.Statements, s.format) {
			if s.kind != flow.ListenerFilters {
				when = always
			}
			if s.value == routerFilter && !o.routed(pod) {
				continue
			}
			see(when, s.kind, s.fact, s.value)
		}
	}
	return sees
}

// routed reports whether the router of a pod's sidecar spoke of the request, or a connection was
// taken for it. Where neither is so the router may have answered by itself, and says nothing of
// most of its answers.
func (o *observer) routed(pod *Pod) bool {
	up := o.chain.upstream
	if pod.Side == flow.Server {
		up = o.chain.serverUp
	}
	return up != nil || slices.ContainsFunc(o.seen, func(s flow.Observation) bool {
		return s.Where.Pod == pod.Name && slices.ContainsFunc(s.Facts, func(f flow.Seen) bool {
			return f.Value == routerFilter
		})
	})
}

// problems says why something in a pod may have been missed.
func (o *observer) problems(pod *Pod) []string {
	problems := o.recording.Gaps()
	if e := o.stranger(pod); e != nil {
		problems = append(problems, fmt.Sprintf("Envoy gave a request from %s the connection %s → %s, which was not "+
			"seen, or not one alone", e.Ends.Downstream, e.Ends.Local, e.Ends.Remote))
	}
	return slices.Compact(problems)
}

// stranger is a request whose connections, as Envoy names them, were not seen, and which may be
// ours: it came from our client, or ours was sent on and it is unknown where. What other clients do
// says nothing about it.
func (o *observer) stranger(pod *Pod) *Event {
	down, up := o.chain.downstream, o.chain.upstream
	if pod.Side == flow.Server {
		down, up = o.chain.serverDown, o.chain.serverUp
	}
	lost := up != nil && o.chain.join(pod.Side) == nil
	for _, e := range o.journal.strangers {
		if e.Pod == pod.Name && (lost && o.chain.during(e) || down != nil && e.Ends.Downstream == down.remote) {
			return e
		}
	}
	return nil
}
