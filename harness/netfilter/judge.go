package netfilter

import (
	"maps"
	"net/netip"
	"slices"
)

// Bounds on what one packet meets: chains can jump in circles only in a forged text.
const (
	maxMet   = 10_000
	maxDepth = 32
	maxShown = 24 // rules that are kept as passed
	maxOpen  = 8
)

// Judge says what the rules do with a packet: in the base chains of each hook on its way, lower
// priorities first. What a pod sends to itself comes in again on loopback; its addresses are
// translated once only, at the hook that it met first.
func (r *Ruleset) Judge(p Packet) Verdict {
	t := traversal{p: first(p)}
	hooks := []string{"output"}
	if p.Inbound {
		hooks = []string{"prerouting", "input"}
	}
	for len(hooks) > 0 {
		hook := hooks[0]
		hooks = hooks[1:]
		if dropped := r.pass(&t, hook); dropped {
			return Verdict{Dropped: true, Why: t.why, Passed: t.passed, Open: t.open}
		}
		if hook == "output" && t.p.out == "lo" {
			t.p.in, t.p.out, hooks = "lo", "", []string{"prerouting", "input"}
		}
		t.translated = true
	}
	v := Verdict{Passed: t.passed, Open: t.open}
	if t.by != nil {
		v.Target, v.Port, v.To, v.Why = t.by.target, t.port, t.to, "netfilter rule "+t.by.text
		return v
	}
	v.Why = "no netfilter rule of the pod redirects it"
	switch {
	case t.untrack:
		v.Why += ", and one takes it out of connection tracking"
	case t.rule.text != "":
		v.Why = "netfilter rule " + t.rule.text + " takes it out"
	}
	return v
}

// pass takes a packet through all base chains of a hook, and says whether one of them drops it.
func (r *Ruleset) pass(t *traversal, hook string) (dropped bool) {
	for _, base := range r.bases(hook, t.p.dst.Addr()) {
		if base.chain.nat && (t.translated || t.untrack) {
			continue
		}
		t.table = base.table
		decided := t.rule
		switch end := t.walk(base.name, 0); {
		case end == caught:
			t.take(hook)
		case end == refused:
			t.why = "netfilter rule " + t.rule.text + " drops it"
			return true
		case end == ranOut && base.chain.drops:
			t.why = "the policy of netfilter's chain " + base.name + " drops it"
			return true
		case !base.chain.nat && decided.text != "":
			t.rule = decided
		}
	}
	return false
}

// take does with the packet what the target of the rule that holds says.
func (t *traversal) take(hook string) {
	taken := t.rule
	t.by, t.port, t.to = &taken, taken.port, taken.to
	t.translated = true
	if taken.target == "TPROXY" { // the packet stays as it is, and has its socket
		return
	}
	if taken.target == "REDIRECT" {
		if t.port == 0 {
			t.port = t.p.dst.Port()
		}
		if hook == "output" { // nf_nat_redirect: what a host sends goes to loopback
			t.to = netip.AddrFrom4([4]byte{127, 0, 0, 1})
			if t.p.dst.Addr().Is6() {
				t.to = netip.IPv6Loopback()
			}
		}
		t.p.local = true
	} else if t.port == 0 {
		t.port = t.p.dst.Port()
	}
	to := t.to
	if !to.IsValid() {
		to = t.p.dst.Addr()
	}
	t.p.local = t.p.local && taken.target == "REDIRECT" || to.IsLoopback()
	t.p.dst = netip.AddrPortFrom(to, t.port)
	if hook == "output" && t.p.local {
		t.p.out = "lo"
	}
}

// A base is a chain that hangs on a hook.
type base struct {
	table *table
	name  string
	chain *chain
}

// bases returns the base chains of a hook for the address's family in the order in
// which packets meet them.
func (r *Ruleset) bases(hook string, addr netip.Addr) []base {
	var all []base
	for _, t := range r.tables {
		if t.family == "ip" && !addr.Is4() || t.family == "ip6" && addr.Is4() ||
			!slices.Contains([]string{"", "ip", "ip6", "inet"}, t.family) {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(t.chains)) {
			if c := t.chains[name]; c.hook == hook {
				all = append(all, base{t, name, c})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b base) int { return a.chain.priority - b.chain.priority })
	return all
}

// An end is how a chain was left.
type end int

const (
	ranOut  end = iota // the end of the chain, or RETURN
	caught             // a target that takes the packet elsewhere
	let                // ACCEPT
	refused            // DROP or REJECT
)

// A traversal is one packet's way through the chains.
type traversal struct {
	p          packet
	table      *table
	rule       rule // that decided last
	by         *rule
	port       uint16     // that by takes the packet to
	to         netip.Addr // the same
	why        string     // it is dropped
	passed     []Passed
	open       []string
	untrack    bool // no address is translated
	translated bool // the one translation has been decided
	met        int
}

func (t *traversal) walk(name string, depth int) end {
	c := t.table.chains[name]
	if depth > maxDepth || c == nil {
		return ranOut
	}
	for _, r := range c.rules {
		if t.met++; t.met > maxMet {
			return ranOut
		}
		if why, open := r.lacks(t.p); why != "" {
			t.leave(c, r, why, open)
			continue
		}
		t.untrack = t.untrack || r.untrack
		if r.mark != nil {
			t.p.mark = *r.mark
		}
		switch r.target {
		case "REDIRECT", "TPROXY", "DNAT":
			t.rule = r
			return caught
		case "RETURN":
			t.rule = r
			return ranOut
		case "ACCEPT":
			t.rule = r
			return let
		case "DROP", "REJECT":
			t.rule = r
			return refused
		case "", "MARK", "CONNMARK", "LOG", "NFLOG", "CT", "NOTRACK", "SNAT", "MASQUERADE", "TRACE", "SET":
		default:
			if end := t.walk(r.target, depth+1); end != ranOut || r.away {
				return end
			}
		}
	}
	return ranOut
}

// leave keeps why a rule did not hold, and what it tests where that is not known and
// the rule could decide.
func (t *traversal) leave(c *chain, r rule, why, open string) {
	if c.hook == "" && len(t.passed) < maxShown {
		t.passed = append(t.passed, Passed{Rule: r.text, Why: why})
	}
	if open != "" && !slices.Contains([]string{"", "LOG", "NFLOG", "TRACE", "SNAT", "MASQUERADE"}, r.target) &&
		len(t.open) < maxOpen && !slices.Contains(t.open, open) {
		t.open = append(t.open, open)
	}
}

// lacks says which test of the rule the packet fails, or "". open is what the first test looks at
// that is not known, where every other test holds.
func (r rule) lacks(p packet) (why, open string) {
	for _, t := range r.tests {
		switch holds, known := t.holds(p); {
		case !known && open == "":
			open = t.name
		case known && !holds:
			return t.needs(p), ""
		}
	}
	if open != "" {
		return "what " + open + " tests is not known", open
	}
	return "", ""
}
