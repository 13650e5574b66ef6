package infer

import (
	"fmt"
	"net/netip"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// maxJumps bounds how many rules one packet may meet: chains can jump in circles only in a forged text.
const maxJumps = 10_000

// judge says what the rules do to the first packet of the request's connection: in the tables and hooks in which
// Istio's rules stand, mangle then nat, PREROUTING for what comes in and OUTPUT for what goes out.
func (r *Ruleset) judge(req request, node configdump.Node, sender Sender) verdict {
	p := packet{src: req.src, dst: req.dst, uid: sender.uid(), gid: sender.gid()}
	hook := "PREROUTING"
	if req.Direction == flow.Outbound {
		hook = "OUTPUT"
		p.out = "eth0"
		if req.dst.Addr().IsLoopback() || proxyAddress(node, req.dst.Addr().String()) {
			p.out = "lo"
		}
		if !p.src.IsValid() && len(node.IPs) > 0 {
			if ip, err := netip.ParseAddr(node.IPs[0]); err == nil {
				p.src = netip.AddrPortFrom(ip, 0)
			}
		}
	} else {
		p.in = "eth0"
	}
	t := traversal{rules: r}
	for _, table := range []string{"mangle", "nat"} {
		t.table = r.chains[table]
		if end := t.chain(hook, p, 0); end == caught {
			return verdict{port: t.rule.port, target: t.rule.target, why: "netfilter rule " + t.rule.text, rejected: t.passed}
		}
	}
	why := "no netfilter rule of the pod redirects it"
	if t.rule.text != "" {
		why = "netfilter rule " + t.rule.text + " takes it out"
	}
	return verdict{why: why, rejected: t.passed}
}

// dnsPort is where the sidecar answers DNS when it captures it.
const dnsPort = 15053

// capturesDNS says whether the rules send DNS queries to the sidecar: Istio's ISTIO_META_DNS_CAPTURE.
func (r *Ruleset) capturesDNS() bool {
	if r == nil {
		return false
	}
	for _, rules := range r.chains["nat"] {
		for _, rule := range rules {
			if rule.target == "REDIRECT" && rule.port == dnsPort || rule.target == "DNAT" && rule.to.Port() == dnsPort {
				return true
			}
		}
	}
	return false
}

// A leaving is how a chain was left.
type leaving int

const (
	ranOut leaving = iota // the end of the chain, or RETURN
	caught                // a target that redirects
	let                   // ACCEPT or DROP
)

// A traversal is one packet's way through the chains of a table.
type traversal struct {
	rules  *Ruleset
	table  map[string][]rule
	rule   rule // that decided
	passed []flow.Alternative
	met    int
}

func (t *traversal) chain(name string, p packet, depth int) leaving {
	if depth > 32 {
		return ranOut
	}
	for _, r := range t.table[name] {
		if t.met++; t.met > maxJumps {
			return ranOut
		}
		if why := r.lacks(p); why != "" {
			if name != "PREROUTING" && name != "OUTPUT" && len(t.passed) < 24 {
				t.passed = append(t.passed, flow.Alternative{Name: r.text, Why: why})
			}
			continue
		}
		switch r.target {
		case "REDIRECT", "TPROXY":
			t.rule = r
			return caught
		case "RETURN":
			t.rule = r
			return ranOut
		case "ACCEPT", "DROP", "REJECT":
			t.rule = r
			return let
		case "", "MARK", "CONNMARK", "LOG", "CT", "DNAT", "SNAT", "MASQUERADE":
		default:
			if end := t.chain(r.target, p, depth+1); end != ranOut {
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
		not := ""
		if t.negate {
			not = "! "
		}
		if !known {
			return "what " + t.name + " tests is not known"
		}
		if !holds {
			return fmt.Sprintf("%s%s %s does not hold", not, t.name, t.value)
		}
	}
	return ""
}
