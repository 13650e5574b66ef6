package connection

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
	"github.com/flowproof/lab/harness/infer/say"
)

// A criterion is one step of the match. Envoy looks a connection up in maps nested in this order,
// so each step commits: what is more specific wins, and chains that lose are not tried again.
// (FilterChainManagerImpl::findFilterChain)
type criterion struct {
	name   string
	ranges func(*proxy.ChainMatch) []netip.Prefix // of a criterion on addresses
	// rank says how specifically the chain matches: negative is no match, 0 is no condition,
	// more is more specific.
	rank func(*proxy.ChainMatch, *passage.Connection) int
	want func(*proxy.ChainMatch) string   // the chain's condition
	have func(*passage.Connection) string // the connection's value
}

var criteria = []criterion{
	{"destination port", nil, rankPort, func(m *proxy.ChainMatch) string { return fmt.Sprint(m.Port) },
		func(c *passage.Connection) string { return fmt.Sprint(c.Local.Port()) }},
	onRange("destination prefix range", func(m *proxy.ChainMatch) []netip.Prefix { return m.Prefixes },
		func(c *passage.Connection) netip.Addr {
			return c.Local.Addr()
		}, func(c *passage.Connection) string { return localText(c) }),
	{"server name", nil, RankServerName, func(m *proxy.ChainMatch) string { return say.List(m.ServerNames) },
		func(c *passage.Connection) string { return say.OrNone(c.ServerName) }},
	{"transport protocol", nil, rankTransport, func(m *proxy.ChainMatch) string { return m.Transport },
		func(c *passage.Connection) string { return c.Transport }},
	{"application protocol", nil, rankALPN, func(m *proxy.ChainMatch) string { return say.List(m.Alpn) },
		func(c *passage.Connection) string { return say.OrNone(strings.Join(c.Alpn, ",")) }},
	onRange("direct source prefix range", func(m *proxy.ChainMatch) []netip.Prefix { return m.DirectPrefixes },
		func(c *passage.Connection) netip.Addr {
			return c.Direct.Addr()
		}, func(c *passage.Connection) string { return endText(c.Direct) }),
	{"source type", nil, rankSourceType, func(m *proxy.ChainMatch) string { return m.SourceType }, sourceText},
	onRange("source prefix range", func(m *proxy.ChainMatch) []netip.Prefix { return m.SourcePrefixes },
		func(c *passage.Connection) netip.Addr { return c.Remote.Addr() }, sourceText),
	{"source port", nil, rankSourcePort, func(m *proxy.ChainMatch) string {
		return fmt.Sprint(m.SourcePorts)
	}, sourceText},
}

// onRange is a criterion that compares an address of the connection with prefix ranges.
func onRange(name string, ranges func(*proxy.ChainMatch) []netip.Prefix, of func(*passage.Connection) netip.Addr,
	have func(*passage.Connection) string) criterion {
	return criterion{name, ranges, func(m *proxy.ChainMatch, c *passage.Connection) int {
		return rankPrefix(ranges(m), of(c))
	},
		func(m *proxy.ChainMatch) string { return prefixText(ranges(m)) }, have}
}

func rankPort(m *proxy.ChainMatch, c *passage.Connection) int {
	return equality(m.Port == 0, m.Port == c.Local.Port())
}

func rankTransport(m *proxy.ChainMatch, c *passage.Connection) int {
	return equality(m.Transport == "", m.Transport == c.Transport)
}

// equality ranks a condition that is either absent, met or not met.
func equality(none, met bool) int {
	switch {
	case none:
		return 0
	case met:
		return 1
	}
	return -1
}

// rankPrefix ranks by the longest prefix. No prefix at all is entered as 0.0.0.0/0 and ::/0 in
// Envoy's trie. An address that is not known is in the range of all.
func rankPrefix(prefixes []netip.Prefix, addr netip.Addr) int {
	if len(prefixes) == 0 || !addr.IsValid() && slices.ContainsFunc(prefixes, func(p netip.Prefix) bool {
		return p.Bits() == 0
	}) {
		return 0
	}
	return proxy.Longest(prefixes, addr)
}

// RankServerName ranks an exact name above wildcards, and longer wildcards above shorter ones.
func RankServerName(m *proxy.ChainMatch, c *passage.Connection) int {
	if len(m.ServerNames) == 0 {
		return 0
	}
	best := -1
	for _, n := range m.ServerNames {
		suffix, wildcard := strings.CutPrefix(n, "*")
		switch {
		case !wildcard && n == c.ServerName && n != "":
			best = 1 << 20
		case wildcard && strings.HasPrefix(suffix, ".") && len(c.ServerName) > len(suffix) &&
			strings.HasSuffix(c.ServerName, suffix):
			best = max(best, len(suffix))
		}
	}
	return best
}

// rankALPN ranks by the client's own order: Envoy tries the client's protocols one after the other.
func rankALPN(m *proxy.ChainMatch, c *passage.Connection) int {
	if len(m.Alpn) == 0 {
		return 0
	}
	for i, offered := range c.Alpn {
		if slices.Contains(m.Alpn, offered) {
			return len(c.Alpn) - i
		}
	}
	return -1
}

// rankSourceType tells connections of the same host from others; an unknown source
// counts as another host.
func rankSourceType(m *proxy.ChainMatch, c *passage.Connection) int {
	local := c.SameHost()
	switch m.SourceType {
	case "", "ANY", "0":
		return 0
	case "SAME_IP_OR_LOOPBACK", "1":
		return equality(false, local)
	case "EXTERNAL", "2":
		return equality(false, !local)
	}
	return -1
}

func rankSourcePort(m *proxy.ChainMatch, c *passage.Connection) int {
	return equality(len(m.SourcePorts) == 0, c.Remote.IsValid() && slices.Contains(m.SourcePorts, c.Remote.Port()))
}

// localText names the destination address.
func localText(c *passage.Connection) string {
	if c.Local == passage.Nowhere {
		return "none: it is inside of the proxy"
	}
	return c.Local.Addr().String()
}

func sourceText(c *passage.Connection) string { return endText(c.Remote) }

func endText(end netip.AddrPort) string {
	switch {
	case !end.IsValid():
		return "an unknown source"
	case end == passage.Nowhere:
		return "the proxy itself"
	}
	return end.String()
}

func prefixText(prefixes []netip.Prefix) string {
	var all []string
	for _, p := range prefixes {
		all = append(all, p.String())
	}
	return say.List(all)
}

// MatchChain chooses the filter chain: by filter_chain_matcher where the listener has one,
// else by the criteria.
func MatchChain(w *passage.Walk) {
	if datagrams(w) {
		return
	}
	l := w.Listener
	hop := flow.Hop{}
	var chosen *proxy.FilterChain
	if l.Matcher.Exists() {
		chosen, hop.Why = chainByMatcher(w)
	} else {
		chosen, hop.Why, hop.Rejected = chainByMatch(w)
	}
	source := l.At.Value
	switch {
	case chosen == nil && l.Fallback != nil:
		chosen = l.Fallback
		hop.Why = "no filter chain matches (" + hop.Why + "), so default_filter_chain takes the connection"
	case chosen == nil:
		hop.Decision = "no filter chain"
		hop.Why += "; the listener has no default_filter_chain, so Envoy closes the connection (no_filter_chain_match)"
		// Envoy's own name for it: StreamInfo::ResponseCodeDetails::FilterChainNotFound.
		hop.Expect = []flow.Fact{passage.Fact(flow.FactDetails, "filter_chain_not_found")}
		if v := l.At.Get("filter_chains"); v.Exists() {
			source = v
		}
		w.Add(flow.FilterChain, source, hop)
		w.Fail(flow.NoFilterChain, "NR")
		return
	}
	w.Chain, w.Out.FilterChain, w.Out.FilterChainIndex = chosen, chosen.Name, chosen.Index
	hop.Decision = chosen.Label()
	hop.Expect = chainFacts(w, chosen)
	w.Add(flow.FilterChain, chosen.At, hop)
}

// chainFacts are what tells the chosen chain from the others. Names repeat: Istio gives the twins
// with and without TLS one name, and then only the connection's TLS tells which of them it was.
func chainFacts(w *passage.Walk, chosen *proxy.FilterChain) []flow.Fact {
	facts := []flow.Fact{passage.Fact(flow.FactFilterChain, cmp.Or(chosen.Name, flow.Unnamed))}
	own := proxy.TLSContext(chosen.TLS).Exists()
	if proxy := proxy.TCPProxyOf(chosen); proxy.Exists() && !own { // it counts a connection as soon as it is there
		facts = append(facts, statPrefix(proxy))
	}
	for _, other := range w.Listener.Chains {
		if other == chosen || other.Name != chosen.Name || proxy.TLSContext(other.TLS).Exists() == own {
			continue
		}
		if own {
			return append(facts, passage.Fact(flow.FactTLSVersion, "TLS*"))
		}
		return append(facts, passage.Fact(flow.FactTLSVersion, flow.NoTLS))
	}
	return facts
}

// chainByMatch narrows the chains down, one criterion after the other.
func chainByMatch(w *passage.Walk) (chosen *proxy.FilterChain, why string, rejected []flow.Alternative) {
	left := slices.Clone(w.Listener.Chains)
	var decisive []string
	tie := ""
	for i := range criteria {
		c := &criteria[i]
		best := -1
		for _, fc := range left {
			best = max(best, rank(w, c, fc))
		}
		var keep []*proxy.FilterChain
		for _, fc := range left {
			if rank := c.rank(&fc.Match, &w.Conn); rank == best && best >= 0 {
				keep = append(keep, fc)
			} else {
				rejected = append(rejected, lost(w, c, fc, rank))
			}
		}
		if len(keep) == 0 {
			return nil, nothingLeft(w, c, left), rejected
		}
		if len(keep) < len(left) || best > 0 {
			decisive = append(decisive, fmt.Sprintf("%s %s", c.name, c.have(&w.Conn)))
		}
		if i := zeroRange(w, c, keep); i != nil {
			tie = fmt.Sprintf("%s absent and 0.0.0.0/0 are one key in Envoy's trie, and which of both is taken "+
				"differs from start to start "+
				"(give the chain without one the range ::/0 and 0.0.0.0/0 less what the other takes)", c.name)
			for _, fc := range keep {
				if !slices.Contains(i, fc) {
					rejected = append(rejected,
						flow.Alternative{Name: fc.Label(), Source: fc.Match.At.Pointer(), Why: tie})
				}
			}
			keep = i
		}
		left = keep
	}
	if tie != "" {
		decisive = append(decisive, "chance: "+tie)
	}
	return left[0], matchedBy(decisive), rejected
}

// zeroRange lets chance decide between chains without a range and chains with the range that holds
// all addresses: Envoy enters both under the same key of its trie, in an order that differs from
// start to start, and what is found last is taken (FilterChainManagerImpl::convertIPsToTries,
// LcTrie). It returns the chains that are left, or nil where there is no such tie.
func zeroRange(w *passage.Walk, c *criterion, chains []*proxy.FilterChain) []*proxy.FilterChain {
	if c.ranges == nil {
		return nil
	}
	var none, zero []*proxy.FilterChain
	for _, fc := range chains {
		if len(c.ranges(&fc.Match)) == 0 {
			none = append(none, fc)
		} else if c.rank(&fc.Match, &w.Conn) == 0 {
			zero = append(zero, fc)
		}
	}
	if len(none) == 0 || len(zero) == 0 {
		return nil
	}
	why := fmt.Sprintf("%s takes %s without a %s or %s with 0.0.0.0/0", w.Listener.Name, none[0].Label(), c.name,
		zero[0].Label())
	if w.Draw(flow.WhatChain, why, why, zero[0].Match.At, 0.5, 0.5) == 0 {
		return none
	}
	return zero
}

// rank evaluates one criterion of one chain and keeps it as a condition where that is asked for.
func rank(w *passage.Walk, c *criterion, fc *proxy.FilterChain) int {
	rank := c.rank(&fc.Match, &w.Conn)
	if w.Opts.Explain && rank != 0 {
		w.Check(fc.Match.At, rank > 0, "%s: %s %s, the connection has %s", fc.Label(), c.name, c.want(&fc.Match),
			c.have(&w.Conn))
	}
	return rank
}

// lost says why a chain was dropped at a criterion.
func lost(w *passage.Walk, c *criterion, fc *proxy.FilterChain, rank int) flow.Alternative {
	why := fmt.Sprintf("needs %s %s, the connection has %s", c.name, c.want(&fc.Match), c.have(&w.Conn))
	switch {
	case rank == 0:
		why = fmt.Sprintf("has no condition on %s, and another chain names %s", c.name, c.have(&w.Conn))
	case rank > 0:
		why = fmt.Sprintf("%s %s is less specific than another chain's", c.name, c.want(&fc.Match))
	}
	return flow.Alternative{Name: fc.Label(), Source: fc.Match.At.Pointer(), Why: why}
}

// nothingLeft says at which step the match ended without a chain, and what would have matched.
func nothingLeft(w *passage.Walk, c *criterion, left []*proxy.FilterChain) string {
	if len(left) == 0 {
		return "the listener has no filter chains"
	}
	var wants []string
	for _, fc := range left {
		if want := c.want(&fc.Match); !slices.Contains(wants, want) {
			wants = append(wants, want)
		}
	}
	committed := ""
	if c.name != criteria[0].name && left[0].Match.Port != 0 {
		committed = fmt.Sprintf("chains for destination port %d exist, so no other is tried, and ", left[0].Match.Port)
	}
	return fmt.Sprintf("%snone of the %d that were left has %s %s (they need %s)", committed, len(left), c.name,
		c.have(&w.Conn), say.List(wants))
}

func matchedBy(decisive []string) string {
	if len(decisive) == 0 {
		return "it has no condition and no other chain is more specific"
	}
	return "matched by " + strings.Join(decisive, ", ")
}
