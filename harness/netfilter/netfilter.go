// Package netfilter says from a pod's own rules what netfilter does with the first packet of a
// connection: pass it, redirect it to a port of the proxy, hand it over by TPROXY, translate its
// destination or drop it. It reads what `iptables-save -c` prints of all tables and what `nft -j
// list ruleset` prints (libnftables-json(5)), and it has no input or output of its own. What a rule
// tests beyond the packet is never guessed: it is named as open.
package netfilter

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// A Ruleset is a pod's netfilter rules.
type Ruleset struct {
	tables []*table
}

// A table is one table of one family.
type table struct {
	family string // ip, ip6, inet; "" where the text does not say it: both
	name   string
	chains map[string]*chain
	sets   map[string]set     // of nft: sets and maps
	lists  map[string]*values // of sets, made once
	cells  int                // of sets of several fields
}

// A chain is a list of rules; a base chain hangs on a hook.
type chain struct {
	rules    []rule
	hook     string // prerouting, input or output; "" for any other
	priority int    // of a base chain: lower ones come first
	nat      bool   // of type nat
	drops    bool   // policy of a base chain
}

func (t *table) chain(name string) *chain {
	if t.chains[name] == nil {
		t.chains[name] = &chain{}
	}
	return t.chains[name]
}

// A rule is one line of a chain.
type rule struct {
	text    string
	tests   []test
	target  string // in the words of iptables
	away    bool   // the target is a chain that does not come back here: goto
	port    uint16 // of REDIRECT, TPROXY and DNAT; 0: not said
	to      netip.Addr
	untrack bool    // no address translation for the connection
	mark    *uint32 // that the packet gets
}

// A test is one condition of a rule, in the words of iptables; a value may be a list with
// commas and have ranges.
type test struct {
	name   string
	value  *values
	negate bool
	any    [][]test // of several fields together: one of these lists has to hold as a whole
}

// maxRules bounds a text of rules, in bytes. Those of a pod are some KiB.
const maxRules = 8 << 20

// hint says what texts are read.
const hint = "give what `iptables-save -c` or `nft -j list ruleset` prints in the pod's network namespace"

// Parse reads the text of `iptables-save` (with or without counters, also of its nft variant), the
// JSON of `nft -j list ruleset`, or both one after the other. An empty text is no Ruleset, and no
// error. An error names the line or the rule; a text above 8 MiB is one.
func Parse(text string) (*Ruleset, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	if len(text) > maxRules {
		return nil, fmt.Errorf("read netfilter rules: the text is longer than %d MiB (%s)", maxRules>>20, hint)
	}
	saved, listed := text, ""
	if i := jsonStart(text); i >= 0 {
		saved, listed = text[:i], text[i:]
	}
	r := &Ruleset{}
	if strings.TrimSpace(saved) != "" {
		if err := r.parseSave(saved); err != nil {
			return nil, fmt.Errorf("read netfilter rules: %w", err)
		}
	}
	if listed != "" {
		if err := r.parseJSON([]byte(listed)); err != nil {
			return nil, fmt.Errorf("read netfilter rules: %w", err)
		}
	}
	if len(r.tables) == 0 && listed == "" {
		return nil, fmt.Errorf("read netfilter rules: no *table in the text (%s)", hint)
	}
	return r, nil
}

// jsonStart returns where a line begins with a brace, or -1. No line of iptables-save does.
func jsonStart(text string) int {
	at := 0
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "{") {
			return at
		}
		at += len(line)
	}
	return -1
}

// A Sender says who in a pod opens a connection, which decides the owner rules of ISTIO_OUTPUT.
type Sender struct {
	UID   int  `json:"uid"`
	GID   int  `json:"gid"`
	Known bool `json:"known"` // false: an ordinary process of the application, neither 1337 nor root's loopback
}

// appUID stands for an application's user where the user is not said.
const appUID = 1000

func (s Sender) uid() int {
	if s.Known {
		return s.UID
	}
	return appUID
}

func (s Sender) gid() int {
	if s.Known {
		return s.GID
	}
	return appUID
}

// A Packet is the first packet of a TCP or UDP connection, as the pod's network namespace sees it.
type Packet struct {
	Source      netip.AddrPort // not valid, or port 0, where it is not known
	Destination netip.AddrPort
	Inbound     bool         // it comes in through the pod's interface; else the pod sends it
	UDP         bool         // else TCP
	Own         []netip.Addr // the pod's addresses beside loopback
	Sender      Sender       // of a packet that the pod sends
}

// A Verdict is what the rules do with a Packet.
type Verdict struct {
	Target  string     // REDIRECT, TPROXY or DNAT; "": the packet passes as it is, or is dropped
	Port    uint16     // that Target takes it to; 0: the rules do not say it
	To      netip.Addr // that Target takes it to; not valid: an address of the pod that the rule does not name
	Dropped bool
	Why     string   // the rule that decided, in its own words
	Passed  []Passed // the rules that were met and did not hold
	Open    []string // what rules test that could have decided and that a packet does not say
}

// A Passed is a rule that did not hold, and why.
type Passed struct{ Rule, Why string }

// dnsPort is where Istio's agent answers DNS when it captures it.
const dnsPort = 15053

// CapturesDNS says whether the rules send DNS queries to the sidecar's agent: Istio's
// ISTIO_META_DNS_CAPTURE. A nil Ruleset does not.
func (r *Ruleset) CapturesDNS() bool {
	if r == nil {
		return false
	}
	for _, t := range r.tables {
		for _, c := range t.chains {
			for _, rule := range c.rules {
				if rule.port == dnsPort && slices.Contains([]string{"REDIRECT", "DNAT"}, rule.target) {
					return true
				}
			}
		}
	}
	return false
}
