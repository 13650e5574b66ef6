package infer

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// maxJumps bounds how many rules one packet may meet: chains can jump in circles only in a forged text.
const maxJumps = 10_000

// judge says what the rules do to the first packet of the request's connection: in the base chains of its hook, lower
// priorities first. What a pod sends to itself comes in again on loopback; its addresses are translated once only. port is
// that of the proxy's listener, for rules whose text does not say one.
func (r *Ruleset) judge(req request, node configdump.Node, sender Sender, port uint16) verdict {
	p, hook := firstPacket(req, node, sender)
	t := traversal{p: p}
	if v, ended := r.pass(&t, hook, true, port); ended {
		return v
	}
	if t.p.out == "lo" {
		t.p.in, t.p.out = "lo", ""
		decided := t.rule
		if v, ended := r.pass(&t, "prerouting", false, port); ended {
			return v
		}
		t.rule = decided
	}
	why := "no netfilter rule of the pod redirects it"
	switch {
	case t.untrack:
		why += ", and one takes it out of connection tracking"
	case t.rule.text != "":
		why = "netfilter rule " + t.rule.text + " takes it out"
	}
	return verdict{why: why, rejected: t.passed}
}

// pass takes a packet through all base chains of a hook. ended is false where it comes through.
func (r *Ruleset) pass(t *traversal, hook string, translate bool, port uint16) (v verdict, ended bool) {
	for _, base := range r.bases(hook, t.p.dst.Addr()) {
		if base.chain.nat && (!translate || t.untrack) {
			continue
		}
		t.table = base.table
		end := t.walk(base.name, 0)
		switch {
		case end == caught:
			to, why := t.rule.port, "netfilter rule "+t.rule.text
			if to == 0 && t.rule.target == "REDIRECT" {
				to = t.p.dst.Port()
			} else if to == 0 {
				to, why = port, why+" (the text does not say its port)"
			}
			return verdict{port: to, target: t.rule.target, why: why, rejected: t.passed}, true
		case end == dropped:
			return verdict{dropped: true, why: "netfilter rule " + t.rule.text + " drops it", rejected: t.passed}, true
		case end == ranOut && base.chain.drops:
			return verdict{dropped: true, why: "the policy of netfilter's chain " + base.name + " drops it", rejected: t.passed}, true
		}
	}
	return verdict{}, false
}

// firstPacket is the first packet of a request's connection, and the hook at which the pod sees it first.
func firstPacket(req request, node configdump.Node, sender Sender) (packet, string) {
	p := packet{src: req.src, dst: req.dst, uid: sender.uid(), gid: sender.gid()}
	p.local = req.dst.Addr().IsLoopback() || proxyAddress(node, req.dst.Addr().String())
	if req.Direction != flow.Outbound {
		p.in = "eth0"
		return p, "prerouting"
	}
	p.out = "eth0"
	if p.local {
		p.out = "lo"
	}
	if !p.src.IsValid() && len(node.IPs) > 0 {
		if ip, err := netip.ParseAddr(node.IPs[0]); err == nil {
			p.src = netip.AddrPortFrom(ip, 0)
		}
	}
	return p, "output"
}

// A base is a chain that hangs on a hook.
type base struct {
	table *ruleTable
	name  string
	chain *ruleChain
}

// bases returns the base chains of a hook for the address's family in the order in which packets meet them.
func (r *Ruleset) bases(hook string, addr netip.Addr) []base {
	var all []base
	for _, t := range r.tables {
		if t.family == "ip" && !addr.Is4() || t.family == "ip6" && addr.Is4() || !oneOf(t.family, "", "ip", "ip6", "inet") {
			continue
		}
		names := slices.Sorted(maps.Keys(t.chains))
		for _, name := range names {
			if c := t.chains[name]; c.hook == hook {
				all = append(all, base{t, name, c})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b base) int { return a.chain.priority - b.chain.priority })
	return all
}

// dnsPort is where the sidecar answers DNS when it captures it.
const dnsPort = 15053

// capturesDNS says whether the rules send DNS queries to the sidecar: Istio's ISTIO_META_DNS_CAPTURE.
func (r *Ruleset) capturesDNS() bool {
	if r == nil {
		return false
	}
	for _, t := range r.tables {
		for _, c := range t.chains {
			for _, rule := range c.rules {
				if rule.target == "REDIRECT" && rule.port == dnsPort || rule.target == "DNAT" && rule.to.Port() == dnsPort {
					return true
				}
			}
		}
	}
	return false
}

// A leaving is how a chain was left.
type leaving int

const (
	ranOut  leaving = iota // the end of the chain, or RETURN
	caught                 // a target that redirects
	let                    // ACCEPT
	dropped                // DROP or REJECT
)

// A traversal is one packet's way through the chains of a table.
type traversal struct {
	p       packet
	table   *ruleTable
	rule    rule // that decided
	passed  []flow.Alternative
	untrack bool // no address is translated
	met     int
}

func (t *traversal) walk(name string, depth int) leaving {
	chain := t.table.chains[name]
	if depth > 32 || chain == nil {
		return ranOut
	}
	for _, r := range chain.rules {
		if t.met++; t.met > maxJumps {
			return ranOut
		}
		if why := r.lacks(t.p); why != "" {
			if chain.hook == "" && len(t.passed) < 24 {
				t.passed = append(t.passed, flow.Alternative{Name: r.text, Why: why})
			}
			continue
		}
		t.untrack = t.untrack || r.untrack
		if r.mark != nil {
			t.p.mark = *r.mark
		}
		switch r.target {
		case "REDIRECT", "TPROXY":
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
			return dropped
		case "", "MARK", "CONNMARK", "LOG", "NFLOG", "CT", "NOTRACK", "DNAT", "SNAT", "MASQUERADE", "TRACE", "SET":
		default:
			if end := t.walk(r.target, depth+1); end != ranOut || r.away {
				return end
			}
		}
	}
	return ranOut
}

// lacks says which test of the rule the packet fails, or "".
func (r rule) lacks(p packet) string {
	for _, t := range r.tests {
		holds, known := t.holds(p)
		if !known {
			return "what " + t.name + " tests is not known"
		}
		if !holds {
			return t.needs(p)
		}
	}
	return ""
}

// testWords are the words for what a test looks at, and what of the packet that is.
var testWords = map[string]struct {
	what string
	have func(packet) string
}{
	"-p":          {"protocol", func(packet) string { return "tcp" }},
	"-s":          {"source address", func(p packet) string { return addressOrUnknown(p.src.Addr()) }},
	"-d":          {"destination address", func(p packet) string { return addressOrUnknown(p.dst.Addr()) }},
	"-o":          {"outgoing interface", func(p packet) string { return orNone(p.out) }},
	"-i":          {"incoming interface", func(p packet) string { return orNone(p.in) }},
	"--dport":     {"destination port", func(p packet) string { return strconv.Itoa(int(p.dst.Port())) }},
	"--sport":     {"source port", func(p packet) string { return strconv.Itoa(int(p.src.Port())) }},
	"--sports":    {"source port", func(p packet) string { return strconv.Itoa(int(p.src.Port())) }},
	"--ctdir":     {"connection direction", func(packet) string { return "ORIGINAL" }},
	"--tcp-flags": {"TCP flags", func(packet) string { return "SYN" }},
	"--dports":    {"destination port", func(p packet) string { return strconv.Itoa(int(p.dst.Port())) }},
	"--uid-owner": {"user", func(p packet) string { return strconv.Itoa(p.uid) }},
	"--gid-owner": {"group", func(p packet) string { return strconv.Itoa(p.gid) }},
	"--mark":      {"packet mark", func(p packet) string { return fmt.Sprintf("%#x", p.mark) }},
	"--connmark":  {"connection mark", func(packet) string { return "0" }},
	"--ctstate":   {"connection state", func(packet) string { return "NEW" }},
	"--family":    {"address family", func(p packet) string { return map[bool]string{true: "ipv4", false: "ipv6"}[p.dst.Addr().Is4()] }},
	"--socket":    {"a socket that it belongs to", func(packet) string { return "none yet" }},
}

func addressOrUnknown(addr netip.Addr) string {
	if !addr.IsValid() {
		return "an unknown one"
	}
	return addr.String()
}

// needs says in words what a test that failed wants.
func (t test) needs(p packet) string {
	words, ok := testWords[t.name]
	if t.name == "-m" {
		words, ok = testWords["--socket"], true
	}
	not := ""
	if t.negate {
		not = "not "
	}
	if !ok {
		return fmt.Sprintf("needs %s%s %s", not, t.name, t.value.shown())
	}
	return fmt.Sprintf("needs %s %s%s, the connection has %s", words.what, not, t.value.shown(), words.have(p))
}
