package netfilter

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/redact"
)

// The hooks of the nat table that a connection into a pod and one out of it pass.
const (
	prerouting = "PREROUTING"
	output     = "OUTPUT"
)

// A Snapshot is what netfilter knows in a pod's network namespace at one moment.
type Snapshot struct {
	Rules   []Rule
	Tracked []Entry
	Tracks  bool // connection tracking could be read
}

// Selection says whose network namespace it is.
type Selection struct {
	Pod  string // "pod.namespace"
	Side flow.Side
	Peer string    // ip:port of the client's end of the connection that this pod captures; "": unknown
	Time time.Time // when the snapshot after the request was taken
}

// Observe tells what netfilter did with the only connection in between: which port it was
// redirected to, from which address, and who dialled. A connection that was there before leaves no
// trace. When two were redirected, and the client's end is not known, none can be said to be it,
// and the instrument abstains.
func Observe(before, after Snapshot, sel Selection) ([]flow.Observation, flow.Watch) {
	o := &observer{sel: sel, hook: prerouting}
	if sel.Side == flow.Client {
		o.hook = output
	}
	o.rules(before.Rules, after.Rules)
	if before.Tracks && after.Tracks {
		o.tracked(before.Tracked, fresh(before.Tracked, after.Tracked), after.Rules)
	}
	return o.seen, flow.Watch{Instrument: flow.Netfilter, Pod: sel.Pod, Side: sel.Side, Sees: o.sees,
		Complete: len(o.problems) == 0, Problem: strings.Join(o.problems, "; "),
		Abstains: strings.Join(o.abstained, "; ")}
}

type observer struct {
	sel      Selection
	hook     string
	seen     []flow.Observation
	sees     []flow.Capability
	problems []string // what is damaged

	abstained []string // what cannot be told apart
}

// see adds what a rule or an entry proves. Facts come in pairs of name and value.
func (o *observer) see(raw string, facts ...string) {
	seen := make([]flow.Seen, 0, len(facts)/2)
	for i := 0; i+1 < len(facts); i += 2 {
		seen = append(seen, flow.Seen{Name: facts[i], Value: facts[i+1]})
	}
	o.seen = append(o.seen, flow.Observation{Time: o.sel.Time, Instrument: flow.Netfilter, Side: o.sel.Side,
		Kind: flow.Redirect, Where: flow.Where{Pod: o.sel.Pod}, Facts: seen, Raw: redact.Printable(raw)})
}

func (o *observer) can(facts ...string) {
	for _, fact := range facts {
		o.sees = append(o.sees, flow.Capability{Kind: flow.Redirect, Fact: fact})
	}
}

// rules finds the one REDIRECT rule that took the one connection of the side's hook.
func (o *observer) rules(before, after []Rule) {
	t, problem := compare(before, after)
	if problem != "" {
		o.problems = append(o.problems, problem)
		return
	}
	if !t.redirects(o.hook) {
		return // the pod is not redirected, or by rules that iptables-save does not show: nothing can be told
	}
	taken, sure := t.redirected(o.hook)
	var total uint64
	said := []string{}
	for i, r := range t.rules {
		if n := taken[i]; n > 0 {
			total += n
			said = append(said, fmt.Sprintf("%q by %d", r, n))
		}
	}
	switch {
	case !sure:
		o.abstained = append(o.abstained, "the counters of the rules do not add up, so nothing can be told from them")
	case total > 1:
		o.abstained = append(o.abstained, "other connections were redirected, so the counters cannot be told apart: "+
			strings.Join(said, ", ")+" went up")
	case total == 1:
		o.can(flow.FactRedirectPort)
		for i := range taken {
			if taken[i] == 1 {
				o.see(fmt.Sprintf("[%d → %d packets] %s", after[i].Packets-t.deltas[i], after[i].Packets, after[i]),
					flow.FactRedirectPort, strconv.Itoa(int(after[i].Port)))
			}
		}
	default:
		o.can(flow.FactRedirectPort)
	}
}

// tracked finds the one connection that is new and whose destination was rewritten to a port that a
// rule of the side's hook redirects to. One that dialled such a port itself is the request's too
// when there is no other, and shows no redirection.
func (o *observer) tracked(before, entries []Entry, rules []Rule) {
	t := table{rules: rules, hooks: map[string]map[string]bool{}}
	t.reach(o.hook, o.hook)
	ports := map[uint16]bool{}
	for _, r := range rules {
		if r.redirects() && t.hooks[r.Chain][o.hook] {
			ports[r.Port] = true
		}
	}
	if len(ports) == 0 {
		return
	}
	var found, direct []Entry
	for _, e := range entries {
		switch {
		case !ports[e.Reply.Src.Port()] || !o.mine(e):
		case o.sel.Peer != "" && e.Original.Src.String() != o.sel.Peer: // another client's
		case e.translated():
			found = append(found, e)
		default:
			direct = append(direct, e)
		}
	}
	if len(found) == 0 {
		found = direct
	}
	switch {
	case len(found) > 1:
		o.abstained = append(o.abstained,
			fmt.Sprintf("%d new connections were redirected, so none can be said to be the request's: %s and %s",
				len(found), found[0].Original, found[1].Original))
		return
	case len(found) == 1 && o.sel.Peer == "" && slices.ContainsFunc(before, found[0].besides):
		o.abstained = append(o.abstained,
			fmt.Sprintf("a new connection was redirected, and another was there that the request may have taken: %s",
				found[0].Original))
		return
	}
	o.can(flow.FactOriginalDst, flow.FactPeer, flow.FactTranslated)
	if len(found) == 1 {
		e := found[0]
		facts := []string{flow.FactOriginalDst, e.Original.Dst.String(), flow.FactPeer, e.Original.Src.String()}
		if e.translated() {
			facts = append(facts, flow.FactRedirectPort, strconv.Itoa(int(e.Reply.Src.Port())))
		}
		if e.Reply.Dst != e.Original.Src {
			facts = append(facts, flow.FactTranslated, flow.Translation(e.Original.Src.String(), e.Reply.Dst.String()))
		}
		o.see(e.Raw, facts...)
	}
}

// besides reports whether another connection leads from the same address to the same destination.
func (e Entry) besides(other Entry) bool {
	return other.Established && other.Original.Src.Addr() == e.Original.Src.Addr() &&
		other.Original.Dst == e.Original.Dst
}

// mine reports whether the connection passed the side's hook: what the pod itself dials is answered
// on a loopback address, to which REDIRECT sends it (nf_nat_redirect_ipv4), and what comes in on
// the address of the interface.
func (o *observer) mine(e Entry) bool {
	return e.Reply.Src.Addr().IsLoopback() == (o.hook == output)
}
