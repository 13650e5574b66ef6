package sockets

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/redact"
)

// Tables are the socket tables of the two pods around one request. A table that was not read is
// nil; one that is empty is not.
type Tables struct {
	Time                      time.Time // when the tables after the request were read
	ClientBefore, ClientAfter []Row
	ServerBefore, ServerAfter []Row
	ClientAgain               []Row // after ServerAfter; nil: it was not read again
}

// A Pod is one end of the request.
type Pod struct {
	Name string // "pod.namespace"
	IP   netip.Addr
}

// Selection says between whom the request went.
type Selection struct {
	Client, Server Pod
	Port           uint16 // that the server's app listens on: the endpoint's port
	Peer           string // ip:port of the client's own end of its connection; "": unknown
	Cold           bool   // no connection of the request's way was there before it
	Proxy          string // name of the sidecar's process; default envoy
	ProxyUID       int    // its user, by which it is told where owners cannot be seen; default 1337
	Inbound        uint16 // port that inbound connections are redirected to; default 15006
	Outbound       uint16 // port that outbound connections are redirected to; default 15001
}

// withDefaults fills in what every Istio sidecar has.
func (s Selection) withDefaults() Selection {
	if s.Proxy == "" {
		s.Proxy = "envoy"
	}
	if s.ProxyUID == 0 {
		s.ProxyUID = 1337
	}
	if s.Inbound == 0 {
		s.Inbound = 15006
	}
	if s.Outbound == 0 {
		s.Outbound = 15001
	}
	return s
}

// Observe tells what the tables prove about the request: the client sidecar's connection to the
// server's pod, its other end, the server sidecar's connection to the app, its other end, and who
// listens. Where two rows could be the one, it abstains and observes neither. The watches are the
// client's and the server's.
func Observe(t Tables, sel Selection) ([]flow.Observation, []flow.Watch) {
	o := &observer{Tables: t, sel: sel.withDefaults()}
	client, server := o.client(), o.server()
	return o.seen, []flow.Watch{client, server}
}

type observer struct {
	Tables
	sel    Selection
	seen   []flow.Observation
	pooled *Row  // the client sidecar's connection to the server's pod
	pool   []Row // where it is one of several that were all there before: those
	either bool  // it is one of several; nothing says which, nor that it was there before
}

// see adds what rows prove about a hop. Facts come in pairs of name and value.
func (o *observer) see(side flow.Side, row Row, kind flow.HopKind, facts ...string) {
	pod := o.sel.Client
	if side == flow.Server {
		pod = o.sel.Server
	}
	var seen []flow.Seen
	for i := 0; i+1 < len(facts); i += 2 {
		if facts[i+1] != "" {
			seen = append(seen, flow.Seen{Name: facts[i], Value: facts[i+1]})
		}
	}
	o.seen = append(o.seen, flow.Observation{Time: o.Time, Instrument: flow.Sockets, Side: side,
		Kind: kind, Facts: seen, Where: flow.Where{Pod: pod.Name, PID: row.PID()}, Raw: redact.Printable(row.Raw)})
}

// proxy reports whether the sidecar owns the row.
func (o *observer) proxy(r Row) bool {
	if len(r.Owners) > 0 {
		return r.Process() == o.sel.Proxy
	}
	return r.UID == o.sel.ProxyUID
}

// process returns the name of the row's owner; for a sidecar whose name cannot be
// seen, the user tells it.
func (o *observer) process(r Row) string {
	if name := r.Process(); name != "" {
		return name
	}
	if r.Inode != 0 && r.UID == o.sel.ProxyUID {
		return o.sel.Proxy
	}
	return ""
}

func established(rows []Row, ok func(Row) bool) []Row {
	var found []Row
	for _, r := range rows {
		if r.State == "ESTAB" && ok(r) {
			found = append(found, r)
		}
	}
	return found
}

// without returns the rows whose connection is not in before.
func without(rows, before []Row) []Row {
	type ends struct{ local, peer netip.AddrPort }
	old := map[ends]bool{}
	for _, r := range before {
		old[ends{r.Local, r.Peer}] = r.State == "ESTAB"
	}
	var fresh []Row
	for _, r := range rows {
		if !old[ends{r.Local, r.Peer}] {
			fresh = append(fresh, r)
		}
	}
	return fresh
}

// client reads the client pod's tables: S-1 and S-3 of the workshop, and S-5's outbound
// pair while it lives.
func (o *observer) client() flow.Watch {
	w := flow.Watch{Instrument: flow.Sockets, Pod: o.sel.Client.Name, Side: flow.Client}
	if o.ClientAfter == nil {
		w.Problem = "the client's socket table after the request was not read"
		return w
	}
	listening := o.listening(flow.Client, o.ClientAfter, o.sel.Outbound)
	o.captured()
	toServer := func(r Row) bool {
		return o.proxy(r) && r.Peer == netip.AddrPortFrom(o.sel.Server.IP, o.sel.Port)
	}
	before, after := established(o.ClientBefore, toServer), established(o.ClientAfter, toServer)
	fresh := without(after, before)
	if o.sel.Cold && o.ClientBefore != nil && len(fresh) == 0 {
		after = nil // those that were there before are of other requests: this one may have passed the sidecar by
	}
	reused := ""
	switch {
	case o.ClientBefore == nil:
	case len(before) == 0:
		reused = "false"
	case len(fresh) == 0 && len(after) == 1:
		reused = "true"
	}
	w.Sees = []flow.Capability{{Kind: flow.Connect, Fact: flow.FactUpstreamLocal},
		{Kind: flow.Connect, Fact: flow.FactUpstreamRemote},
		{Kind: flow.Connect, Fact: flow.FactProcess}, {Kind: flow.Endpoint, Fact: flow.FactEndpoint}}
	w.Sees = append(w.Sees, listening...)
	if o.ClientBefore != nil {
		w.Sees = append(w.Sees, flow.Capability{Kind: flow.Connect, Fact: flow.FactUpstreamReused})
	}
	w.Complete = true // nothing to see is no loss: the connection may be closed already, or never have been
	ended := o.closed(o.ClientBefore, o.ClientAfter, netip.AddrPortFrom(o.sel.Server.IP, o.sel.Port))
	switch {
	case len(after) == 0: // it may be closed already, so what is not there says nothing
		w.Sees = listening
	case len(after) > 1 && (o.ClientBefore == nil || len(fresh) > 0) || ended:
		o.either = true
		w.Sees = listening
		w.Abstains = ambiguous("connections of the client's sidecar to the server's pod", after)
	case len(after) == 1:
		o.pooled = &after[0]
		o.see(flow.Client, after[0], flow.Connect, flow.FactUpstreamLocal, after[0].Local.String(),
			flow.FactUpstreamRemote, after[0].Peer.String(),
			flow.FactUpstreamReused, reused, flow.FactProcess, o.process(after[0]))
		o.see(flow.Client, after[0], flow.Endpoint, flow.FactEndpoint, after[0].Peer.String())
	default:
		w.Sees, o.pool = withoutOwnEnd(w.Sees), after
		o.oneOfPool(flow.Client, after, "true")
	}
	return w
}

// closed reports whether a connection to an address ended between two tables, of which the kernel
// still knows: then nothing says that one of those that stayed was used.
func (o *observer) closed(before, after []Row, remote netip.AddrPort) bool {
	return slices.ContainsFunc(after, func(r Row) bool {
		if r.Peer != remote || r.State == "ESTAB" || r.State == "LISTEN" {
			return false
		}
		was := slices.IndexFunc(before, func(b Row) bool { return b.Local == r.Local && b.Peer == r.Peer })
		return before != nil && (was < 0 || before[was].State == "ESTAB")
	})
}

// captured is S-5's outbound pair: the app's connection and the sidecar's accepted socket on port
// 15001. It lives only as long as the client keeps its connection.
func (o *observer) captured() {
	fresh := without(o.ClientAfter, o.ClientBefore)
	accepted := established(fresh, func(r Row) bool {
		return o.proxy(r) && r.Local.Port() == o.sel.Outbound && (o.sel.Peer == "" || r.Peer.String() == o.sel.Peer)
	})
	if len(accepted) != 1 {
		return
	}
	facts := []string{flow.FactRedirectPort, strconv.Itoa(int(accepted[0].Local.Port())), flow.FactPeer,
		accepted[0].Peer.String(), flow.FactProcess, o.process(accepted[0])}
	app := established(fresh, func(r Row) bool { return !o.proxy(r) && r.Local == accepted[0].Peer })
	if len(app) == 1 {
		facts = append(facts, flow.FactOriginalDst, app[0].Peer.String())
	}
	o.see(flow.Client, accepted[0], flow.Redirect, facts...)
}

// server reads the server pod's table: both of S-5's inbound pairs.
func (o *observer) server() flow.Watch {
	w := flow.Watch{Instrument: flow.Sockets, Pod: o.sel.Server.Name, Side: flow.Server}
	if o.ServerAfter == nil {
		w.Problem = "the server's socket table after the request was not read"
		return w
	}
	w.Sees = []flow.Capability{{Kind: flow.Redirect, Fact: flow.FactRedirectPort},
		{Kind: flow.Redirect, Fact: flow.FactPeer},
		{Kind: flow.Redirect, Fact: flow.FactProcess}, {Kind: flow.Connect, Fact: flow.FactUpstreamLocal},
		{Kind: flow.Connect, Fact: flow.FactUpstreamRemote},
		{Kind: flow.Connect, Fact: flow.FactProcess}, {Kind: flow.Endpoint, Fact: flow.FactEndpoint},
		{Kind: flow.App, Fact: flow.FactPeer}, {Kind: flow.App, Fact: flow.FactProcess}}
	w.Sees = append(w.Sees, o.listening(flow.Server, o.ServerAfter, o.sel.Inbound)...)
	var abstained []string
	came := len(o.seen)
	if w.Problem, w.Abstains = o.accepted(); w.Abstains == "" && w.Problem == "" && len(o.seen) == came {
		w.Sees = withoutKinds(w.Sees, flow.Redirect) // it may be closed already
	} else if w.Abstains != "" {
		abstained, w.Sees = append(abstained, w.Abstains), withoutKinds(w.Sees, flow.Redirect)
	}
	came = len(o.seen)
	toApp, pooled := o.toApp()
	if toApp == "" && !pooled && len(o.seen) == came {
		w.Sees = withoutKinds(w.Sees, flow.Connect, flow.Endpoint, flow.App)
	}
	if toApp != "" {
		abstained, w.Sees = append(abstained, toApp), withoutKinds(w.Sees, flow.Connect, flow.Endpoint, flow.App)
	}
	if pooled {
		w.Sees = append(withoutKinds(withoutOwnEnd(w.Sees), flow.Connect, flow.App),
			told(o.seen[came:], flow.Connect, flow.App)...)
	}
	w.Complete, w.Abstains = w.Problem == "", strings.Join(abstained, "; ")
	return w
}

// told is what observations tell of hops of some kinds: of a pool no more is seen than its
// connections have in common.
func told(seen []flow.Observation, kinds ...flow.HopKind) (sees []flow.Capability) {
	for _, o := range seen {
		if !slices.Contains(kinds, o.Kind) {
			continue
		}
		for _, fact := range o.Facts {
			sees = append(sees, flow.Capability{Kind: o.Kind, Fact: fact.Name})
		}
	}
	return sees
}

// withoutKinds takes away that an instrument sees hops of some kinds.
func withoutKinds(sees []flow.Capability, kinds ...flow.HopKind) []flow.Capability {
	return slices.DeleteFunc(sees, func(c flow.Capability) bool { return slices.Contains(kinds, c.Kind) })
}

// accepted finds the other end of the client sidecar's connection in the server's pod. REDIRECT
// gives the accepted socket the port it was redirected to.
func (o *observer) accepted() (problem, abstains string) {
	rows := established(o.ServerAfter, func(r Row) bool {
		return r.Peer.Addr() == o.sel.Client.IP && r.Local.Addr() == o.sel.Server.IP
	})
	switch {
	case o.either:
		return "", ambiguous("connections from the client's pod", rows)
	case o.pool != nil:
		return o.acceptedPool(rows)
	}
	if o.pooled != nil {
		var pair []Row
		for _, r := range rows {
			if r.Peer == o.pooled.Local {
				pair = append(pair, r)
			}
		}
		if len(pair) == 0 {
			return fmt.Sprintf("the client's connection %s has no other end in the server's table", o.pooled.Local), ""
		}
		rows = pair
	} else {
		rows = without(rows, o.ServerBefore)
	}
	switch len(rows) {
	case 0:
		return "", ""
	case 1:
		o.see(flow.Server, rows[0], flow.Redirect, flow.FactRedirectPort, strconv.Itoa(int(rows[0].Local.Port())),
			flow.FactPeer, rows[0].Peer.String(), flow.FactProcess, o.process(rows[0]))
		return "", ""
	}
	return "", ambiguous("connections from the client's pod", rows)
}

// listening is S-4 for the port that connections are redirected to. Where several addresses are
// listened on, which of them took the connection is not told.
func (o *observer) listening(side flow.Side, rows []Row, port uint16) (sees []flow.Capability) {
	found := slices.DeleteFunc(slices.Clone(rows), func(r Row) bool {
		return r.State != "LISTEN" || r.Local.Port() != port
	})
	if slices.ContainsFunc(found, func(r Row) bool { return r.Local != found[0].Local }) {
		return nil
	}
	if len(found) > 0 {
		o.see(side, found[0], flow.Listener, flow.FactListening, found[0].Local.String(), flow.FactProcess,
			o.process(found[0]))
	}
	return []flow.Capability{{Kind: flow.Listener, Fact: flow.FactListening}}
}

// ambiguous says that several rows could be the one.
func ambiguous(what string, rows []Row) string {
	ends := make([]string, 0, len(rows))
	for _, r := range rows[:min(len(rows), 4)] {
		ends = append(ends, r.Local.String()+" to "+r.Peer.String())
	}
	if len(rows) > len(ends) {
		ends = append(ends, "…")
	}
	return fmt.Sprintf("%d %s, so none can be said to be the request's: %s", len(rows), what, strings.Join(ends, ", "))
}
