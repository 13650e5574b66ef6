package infer

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// Values of Decision.FilterChainIndex that are no index.
const (
	defaultChain = -1 // default_filter_chain
	noChain      = -2 // no chain matched
)

// A filterChain is envoy.config.listener.v3.FilterChain.
type filterChain struct {
	at    configdump.Value
	index int
	name  string
	match chainMatch
	tls   configdump.Value // transport_socket

	decode  sync.Once
	filters []networkFilter
	list    configdump.Value // filters
	hcm     *httpManager     // of the HTTP connection manager among them, or nil
}

// A chainMatch is envoy.config.listener.v3.FilterChainMatch. An empty field matches anything.
type chainMatch struct {
	at             configdump.Value
	port           uint16
	prefixes       []netip.Prefix
	serverNames    []string
	transport      string
	alpn           []string
	directPrefixes []netip.Prefix
	sourceType     string
	sourcePrefixes []netip.Prefix
	sourcePorts    []uint16
}

func newFilterChain(v configdump.Value, index int) *filterChain {
	m := v.Get("filter_chain_match")
	c := &filterChain{at: v, index: index, name: v.Get("name").Text(), tls: v.Get("transport_socket")}
	c.match = chainMatch{
		at: m, port: uint16(m.Get("destination_port").Uint()), prefixes: prefixRanges(m.Get("prefix_ranges")),
		serverNames: m.Get("server_names").Texts(), transport: m.Get("transport_protocol").Text(),
		alpn: m.Get("application_protocols").Texts(), directPrefixes: prefixRanges(m.Get("direct_source_prefix_ranges")),
		sourceType: m.Get("source_type").Text(), sourcePrefixes: prefixRanges(m.Get("source_prefix_ranges")),
	}
	for _, p := range m.Get("source_ports").Elements() {
		c.match.sourcePorts = append(c.match.sourcePorts, uint16(p.Uint()))
	}
	return c
}

// label names a chain so that twins with the same name can be told apart.
func (c *filterChain) label() string {
	name := c.name
	if name == "" {
		name = "unnamed"
	}
	if c.index == defaultChain {
		return name + " (default_filter_chain)"
	}
	return fmt.Sprintf("%s [%d]", name, c.index)
}

// A criterion is one step of the match. Envoy looks a connection up in maps nested in this order, so each step commits:
// what is more specific wins, and chains that lose are not tried again. (FilterChainManagerImpl::findFilterChain)
type criterion struct {
	name   string
	ranges func(*chainMatch) []netip.Prefix // of a criterion on addresses
	// rank says how specifically the chain matches: negative is no match, 0 is no condition, more is more specific.
	rank func(*chainMatch, *connection) int
	want func(*chainMatch) string // the chain's condition
	have func(*connection) string // the connection's value
}

var criteria = []criterion{
	{"destination port", nil, rankPort, func(m *chainMatch) string { return fmt.Sprint(m.port) },
		func(c *connection) string { return fmt.Sprint(c.local.Port()) }},
	onRange("destination prefix range", func(m *chainMatch) []netip.Prefix { return m.prefixes },
		func(c *connection) netip.Addr { return c.local.Addr() }, func(c *connection) string { return c.localText() }),
	{"server name", nil, rankServerName, func(m *chainMatch) string { return list(m.serverNames) },
		func(c *connection) string { return orNone(c.serverName) }},
	{"transport protocol", nil, rankTransport, func(m *chainMatch) string { return m.transport },
		func(c *connection) string { return c.transport }},
	{"application protocol", nil, rankALPN, func(m *chainMatch) string { return list(m.alpn) },
		func(c *connection) string { return orNone(strings.Join(c.alpn, ",")) }},
	onRange("direct source prefix range", func(m *chainMatch) []netip.Prefix { return m.directPrefixes },
		func(c *connection) netip.Addr { return c.direct.Addr() }, func(c *connection) string { return endText(c.direct) }),
	{"source type", nil, rankSourceType, func(m *chainMatch) string { return m.sourceType }, sourceText},
	onRange("source prefix range", func(m *chainMatch) []netip.Prefix { return m.sourcePrefixes },
		func(c *connection) netip.Addr { return c.remote.Addr() }, sourceText),
	{"source port", nil, rankSourcePort, func(m *chainMatch) string { return fmt.Sprint(m.sourcePorts) }, sourceText},
}

// onRange is a criterion that compares an address of the connection with prefix ranges.
func onRange(name string, ranges func(*chainMatch) []netip.Prefix, of func(*connection) netip.Addr, have func(*connection) string) criterion {
	return criterion{name, ranges, func(m *chainMatch, c *connection) int { return rankPrefix(ranges(m), of(c)) },
		func(m *chainMatch) string { return prefixText(ranges(m)) }, have}
}

func rankPort(m *chainMatch, c *connection) int {
	return equality(m.port == 0, m.port == c.local.Port())
}

func rankTransport(m *chainMatch, c *connection) int {
	return equality(m.transport == "", m.transport == c.transport)
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

// rankPrefix ranks by the longest prefix. No prefix at all is entered as 0.0.0.0/0 and ::/0 in Envoy's trie. An address that is
// not known is in the range of all.
func rankPrefix(prefixes []netip.Prefix, addr netip.Addr) int {
	if len(prefixes) == 0 || !addr.IsValid() && slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Bits() == 0 }) {
		return 0
	}
	return longest(prefixes, addr)
}

// rankServerName ranks an exact name above wildcards, and longer wildcards above shorter ones.
func rankServerName(m *chainMatch, c *connection) int {
	if len(m.serverNames) == 0 {
		return 0
	}
	best := -1
	for _, n := range m.serverNames {
		suffix, wildcard := strings.CutPrefix(n, "*")
		switch {
		case !wildcard && n == c.serverName && n != "":
			best = 1 << 20
		case wildcard && strings.HasPrefix(suffix, ".") && len(c.serverName) > len(suffix) && strings.HasSuffix(c.serverName, suffix):
			best = max(best, len(suffix))
		}
	}
	return best
}

// rankALPN ranks by the client's own order: Envoy tries the client's protocols one after the other.
func rankALPN(m *chainMatch, c *connection) int {
	if len(m.alpn) == 0 {
		return 0
	}
	for i, offered := range c.alpn {
		if slices.Contains(m.alpn, offered) {
			return len(c.alpn) - i
		}
	}
	return -1
}

// rankSourceType tells connections of the same host from others; an unknown source counts as another host.
func rankSourceType(m *chainMatch, c *connection) int {
	local := isLoopback(c.remote.Addr()) || c.remote.IsValid() && c.remote.Addr() == c.local.Addr()
	switch m.sourceType {
	case "", "ANY", "0":
		return 0
	case "SAME_IP_OR_LOOPBACK", "1":
		return equality(false, local)
	case "EXTERNAL", "2":
		return equality(false, !local)
	}
	return -1
}

func rankSourcePort(m *chainMatch, c *connection) int {
	return equality(len(m.sourcePorts) == 0, c.remote.IsValid() && slices.Contains(m.sourcePorts, c.remote.Port()))
}

// localText names the destination address.
func (c *connection) localText() string {
	if c.local == nowhere {
		return "none: it is inside of the proxy"
	}
	return c.local.Addr().String()
}

func sourceText(c *connection) string { return endText(c.remote) }

func endText(end netip.AddrPort) string {
	switch {
	case !end.IsValid():
		return "an unknown source"
	case end == nowhere:
		return "the proxy itself"
	}
	return end.String()
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func prefixText(prefixes []netip.Prefix) string {
	var all []string
	for _, p := range prefixes {
		all = append(all, p.String())
	}
	return list(all)
}

// matchChain chooses the filter chain: by filter_chain_matcher where the listener has one, else by the criteria.
func (w *walk) matchChain() {
	l := w.listener
	hop := flow.Hop{}
	var chosen *filterChain
	if l.matcher.Exists() {
		chosen, hop.Why = w.chainByMatcher()
	} else {
		chosen, hop.Why, hop.Rejected = w.chainByMatch()
	}
	source := l.at.Value
	switch {
	case chosen == nil && l.fallback != nil:
		chosen = l.fallback
		hop.Why = "no filter chain matches (" + hop.Why + "), so default_filter_chain takes the connection"
	case chosen == nil:
		hop.Decision = "no filter chain"
		hop.Why += "; the listener has no default_filter_chain, so Envoy closes the connection (no_filter_chain_match)"
		// Envoy's own name for it: StreamInfo::ResponseCodeDetails::FilterChainNotFound.
		hop.Expect = []flow.Fact{fact(flow.FactDetails, "filter_chain_not_found")}
		if v := l.at.Get("filter_chains"); v.Exists() {
			source = v
		}
		w.add(flow.FilterChain, source, hop)
		w.fail(flow.NoFilterChain, "NR")
		return
	}
	w.chain, w.out.FilterChain, w.out.FilterChainIndex = chosen, chosen.name, chosen.index
	hop.Decision = chosen.label()
	hop.Expect = w.chainFacts(chosen)
	w.add(flow.FilterChain, chosen.at, hop)
}

// chainFacts are what tells the chosen chain from the others. Names repeat: Istio gives the twins with and without TLS
// one name, and then only the connection's TLS tells which of them it was.
func (w *walk) chainFacts(chosen *filterChain) []flow.Fact {
	facts := []flow.Fact{fact(flow.FactFilterChain, first(chosen.name, flow.Unnamed))}
	own := tlsContext(chosen.tls).Exists()
	if proxy := tcpProxyOf(chosen); proxy.Exists() && !own { // it counts a connection as soon as it is there
		facts = append(facts, statPrefix(proxy))
	}
	for _, other := range w.listener.chains {
		if other == chosen || other.name != chosen.name || tlsContext(other.tls).Exists() == own {
			continue
		}
		if own {
			return append(facts, fact(flow.FactTLSVersion, "TLS*"))
		}
		return append(facts, fact(flow.FactTLSVersion, flow.NoTLS))
	}
	return facts
}

// chainByMatch narrows the chains down, one criterion after the other.
func (w *walk) chainByMatch() (chosen *filterChain, why string, rejected []flow.Alternative) {
	left := slices.Clone(w.listener.chains)
	var decisive []string
	tie := ""
	for i := range criteria {
		c := &criteria[i]
		best := -1
		for _, fc := range left {
			best = max(best, w.rank(c, fc))
		}
		var keep []*filterChain
		for _, fc := range left {
			if rank := c.rank(&fc.match, &w.conn); rank == best && best >= 0 {
				keep = append(keep, fc)
			} else {
				rejected = append(rejected, w.lost(c, fc, rank))
			}
		}
		if len(keep) == 0 {
			return nil, w.nothingLeft(c, left), rejected
		}
		if len(keep) < len(left) || best > 0 {
			decisive = append(decisive, fmt.Sprintf("%s %s", c.name, c.have(&w.conn)))
		}
		if i := w.zeroRange(c, keep); i != nil {
			tie = fmt.Sprintf("%s absent and 0.0.0.0/0 are one key in Envoy's trie, and which of both is taken differs from start to start "+
				"(give the chain without one the range ::/0 and 0.0.0.0/0 less what the other takes)", c.name)
			for _, fc := range keep {
				if !slices.Contains(i, fc) {
					rejected = append(rejected, flow.Alternative{Name: fc.label(), Source: fc.match.at.Pointer(), Why: tie})
				}
			}
			keep = i
		}
		left = keep
	}
	if tie != "" {
		decisive = append(decisive, "chance: "+tie)
	}
	return left[0], matchedBy(left[0], decisive), rejected
}

// zeroRange lets chance decide between chains without a range and chains with the range that holds all addresses: Envoy enters
// both under the same key of its trie, in an order that differs from start to start, and what is found last is taken
// (FilterChainManagerImpl::convertIPsToTries, LcTrie). It returns the chains that are left, or nil where there is no such tie.
func (w *walk) zeroRange(c *criterion, chains []*filterChain) []*filterChain {
	if c.ranges == nil {
		return nil
	}
	var none, zero []*filterChain
	for _, fc := range chains {
		if len(c.ranges(&fc.match)) == 0 {
			none = append(none, fc)
		} else if c.rank(&fc.match, &w.conn) == 0 {
			zero = append(zero, fc)
		}
	}
	if len(none) == 0 || len(zero) == 0 {
		return nil
	}
	why := fmt.Sprintf("%s takes %s without a %s or %s with 0.0.0.0/0", w.listener.name, none[0].label(), c.name, zero[0].label())
	if w.draw(flow.WhatChain, why, why, zero[0].match.at, 0.5, 0.5) == 0 {
		return none
	}
	return zero
}

// rank evaluates one criterion of one chain and keeps it as a condition where that is asked for.
func (w *walk) rank(c *criterion, fc *filterChain) int {
	rank := c.rank(&fc.match, &w.conn)
	if w.opts.Explain && rank != 0 {
		w.check(fc.match.at, rank > 0, "%s: %s %s, the connection has %s", fc.label(), c.name, c.want(&fc.match), c.have(&w.conn))
	}
	return rank
}

// lost says why a chain was dropped at a criterion.
func (w *walk) lost(c *criterion, fc *filterChain, rank int) flow.Alternative {
	why := fmt.Sprintf("needs %s %s, the connection has %s", c.name, c.want(&fc.match), c.have(&w.conn))
	switch {
	case rank == 0:
		why = fmt.Sprintf("has no condition on %s, and another chain names %s", c.name, c.have(&w.conn))
	case rank > 0:
		why = fmt.Sprintf("%s %s is less specific than another chain's", c.name, c.want(&fc.match))
	}
	return flow.Alternative{Name: fc.label(), Source: fc.match.at.Pointer(), Why: why}
}

// nothingLeft says at which step the match ended without a chain, and what would have matched.
func (w *walk) nothingLeft(c *criterion, left []*filterChain) string {
	if len(left) == 0 {
		return "the listener has no filter chains"
	}
	var wants []string
	for _, fc := range left {
		if want := c.want(&fc.match); !slices.Contains(wants, want) {
			wants = append(wants, want)
		}
	}
	committed := ""
	if c.name != criteria[0].name && left[0].match.port != 0 {
		committed = fmt.Sprintf("chains for destination port %d exist, so no other is tried, and ", left[0].match.port)
	}
	return fmt.Sprintf("%snone of the %d that were left has %s %s (they need %s)", committed, len(left), c.name, c.have(&w.conn), list(wants))
}

func matchedBy(c *filterChain, decisive []string) string {
	if len(decisive) == 0 {
		return "it has no condition and no other chain is more specific"
	}
	return "matched by " + strings.Join(decisive, ", ")
}
