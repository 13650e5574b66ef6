// Package matcher evaluates the matching API of xDS, xds.type.matcher.v3.Matcher, for a
// connection or a request.
package matcher

import (
	"cmp"
	"net/netip"
	"sort"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/expr"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
	"github.com/flowproof/lab/harness/infer/say"
)

// A Matching evaluates xds.type.matcher.v3.Matcher for one connection or request. The inputs of a
// filter chain's matcher look at the connection, those of a route's at the request.
type Matching struct {
	W     *passage.Walk
	What  flow.What // that the result decides
	Steps []string  // what matched on the way, for the hop's why
	// Accept says whether an action is a result. A route whose own match fails is none, and
	// the search goes on.
	Accept func(action configdump.Value) bool
	HTTP   bool // a request is there, not only a connection
	Status int  // of the proxy's own answer; 0: there is no response yet
	// waits says that a predicate asks for what is not there, such as the response. Where it
	// decides, the search ends without a result: ended.
	waits, ended bool
}

// Evaluate returns whether an action was accepted. on_no_match counts where nothing matched.
func (m *Matching) Evaluate(matcher configdump.Value) bool { return m.evaluate(matcher, 0) }

// evaluate is Evaluate for a matcher inside of so many others.
func (m *Matching) evaluate(matcher configdump.Value, depth int) bool {
	if depth > match.MaxDepth {
		return false
	}
	for _, entry := range matcher.Get("matcher_list", "matchers").Elements() {
		m.waits = false
		holds := m.predicate(entry.Get("predicate"), depth)
		if m.ended = m.ended || holds.Open() && m.waits; m.ended {
			return false
		}
		if m.W.Settle(holds, m.What, entry, entry.Pointer()) && m.onMatch(entry.Get("on_match"), depth) {
			return true
		}
	}
	if tree := matcher.Get("matcher_tree"); tree.Exists() && m.tree(tree, depth) {
		return true
	}
	return !m.ended && m.onMatch(matcher.Get("on_no_match"), depth)
}

// onMatch follows a nested matcher or takes an action. With keep_matching a match is only noted.
func (m *Matching) onMatch(v configdump.Value, depth int) bool {
	matched := false
	if nested := v.Get("matcher"); nested.Exists() {
		matched = m.evaluate(nested, depth+1)
	} else if action := v.Get("action"); action.Exists() {
		matched = m.Accept(action)
	}
	return matched && !v.Get("keep_matching").Bool()
}

func (m *Matching) predicate(v configdump.Value, depth int) match.Truth {
	if depth > match.MaxDepth {
		return match.Depends("a matcher that nests too deep", "only so many levels are followed")
	}
	deeper := func(e configdump.Value) match.Truth { return m.predicate(e, depth+1) }
	for kind, p := range v.Fields() {
		switch configdump.FieldName(kind) {
		case "single_predicate":
			return m.single(p)
		case "or_matcher":
			return match.Some(p.Get("predicate"), deeper)
		case "and_matcher":
			return match.All(p.Get("predicate"), deeper)
		case "not_matcher":
			return deeper(p).Not()
		default:
			return match.Depends("predicate "+kind, "what the predicate "+kind+" tests is not known")
		}
	}
	return match.No
}

// single compares one input with a string or by a custom matcher. No input never matches.
func (m *Matching) single(p configdump.Value) match.Truth {
	custom, kind := p.Get("custom_match", "typed_config").Typed()
	if strings.HasSuffix(kind, ".CelMatcher") {
		program := m.W.Proxy.Programs.Of(custom.Get("expr_match"), expr.Matcher, custom.Get("cel_config"))
		result, what := m.W.ConditionOfMatcher(program, m.HTTP)
		if what == expr.TheResponse {
			m.waits = true
			return match.Depends(expr.TheResponse, "there is none yet")
		}
		return m.saw(p, result, cmp.Or(custom.Get("description").Text(), "its CEL expression"), "holds")
	}
	d := m.input(p.Get("input"))
	result := match.No
	switch {
	case d.have.Open():
		result = d.have
	case d.have.No():
	case p.Has("value_match"):
		result = match.String(p.Get("value_match"), d.value)
	case strings.HasSuffix(kind, ".input_matchers.ip.v3.Ip"):
		addr, err := netip.ParseAddr(d.value)
		result = match.Of(err == nil && proxy.Longest(proxy.PrefixRanges(custom.Get("cidr_ranges")), addr) >= 0)
	default:
		result = match.Depends("matcher "+kind, "what the matcher "+kind+" tests is not known")
	}
	return m.saw(p, result, d.name, d.value)
}

// saw keeps a condition that was evaluated, and what led on.
func (m *Matching) saw(at configdump.Value, result match.Truth, name, value string) match.Truth {
	if !result.Open() && m.W.Check(at, result.Yes(), "%s %q", name, value) {
		m.Steps = append(m.Steps, name+" "+say.OrNone(value))
	}
	return result
}

// tree looks an input up in a map; of prefixes the longest that leads to an action counts.
func (m *Matching) tree(v configdump.Value, depth int) bool {
	m.waits = false
	d := m.input(v.Get("input"))
	if m.waits {
		m.ended = true
		return false
	}
	if d.have.Open() {
		return m.openTree(v, d, depth)
	}
	if d.have.No() {
		return false
	}
	name, value := d.name, d.value
	found := func(key string, on configdump.Value) bool {
		m.Steps = append(m.Steps, name+" "+key)
		return m.onMatch(on, depth)
	}
	for key, on := range v.Get("exact_match_map", "map").Fields() {
		if m.W.Check(on, key == value, "%s %q is %q", name, value, key) {
			return found(key, on)
		}
	}
	var prefixes []string
	by := map[string]configdump.Value{}
	for key, on := range v.Get("prefix_match_map", "map").Fields() {
		if m.W.Check(on, strings.HasPrefix(value, key), "%s %q begins with %q", name, value, key) {
			prefixes, by[key] = append(prefixes, key), on
		}
	}
	sort.Slice(prefixes, func(i, j int) bool { return len(prefixes[i]) > len(prefixes[j]) })
	for _, key := range prefixes {
		if found(key, by[key]) {
			return true
		}
	}
	return m.custom(v.Get("custom_match"), name, value, depth)
}

// openTree looks up an input that is not known: each entry may be the one, and none.
func (m *Matching) openTree(v configdump.Value, d datum, depth int) bool {
	for _, field := range []string{"exact_match_map", "prefix_match_map"} {
		for key, on := range v.Get(field, "map").Fields() {
			if m.W.Settle(d.have, m.What, on, d.name+" "+key) {
				m.Steps = append(m.Steps, d.name+" "+key)
				return m.onMatch(on, depth)
			}
		}
	}
	if v.Has("custom_match") {
		m.W.Open(m.What, d.have.On, d.have.Why, v)
	}
	return false
}

// custom evaluates xds.type.matcher.v3.IPMatcher and ServerNameMatcher: the most specific entry
// counts, and where what it leads to has no result the next one is tried, unless it is exclusive.
func (m *Matching) custom(v configdump.Value, name, value string, depth int) bool {
	config, kind := v.Get("typed_config").Typed()
	type ranked struct {
		rank int
		at   configdump.Value
	}
	var found []ranked
	switch {
	case strings.HasSuffix(kind, ".IPMatcher"):
		if addr, err := netip.ParseAddr(value); err == nil {
			for _, r := range config.Get("range_matchers").Elements() {
				found = append(found, ranked{proxy.Longest(proxy.PrefixRanges(r.Get("ranges")), addr), r})
			}
		}
	case strings.HasSuffix(kind, ".ServerNameMatcher"):
		for _, r := range config.Get("domain_matchers").Elements() {
			found = append(found, ranked{domainRank(r.Get("domains").Texts(), value), r})
		}
	}
	switch {
	case kind == "", strings.HasSuffix(kind, ".IPMatcher"), strings.HasSuffix(kind, ".ServerNameMatcher"):
	default:
		m.W.Open(m.What, "matcher "+kind, "what the matcher "+kind+" leads to is not known", v)
	}
	sort.SliceStable(found, func(i, j int) bool { return found[i].rank > found[j].rank })
	for _, f := range found {
		if f.rank < 0 {
			return false
		}
		m.Steps = append(m.Steps, name+" "+value)
		if m.onMatch(f.at.Get("on_match"), depth) {
			return true
		}
		if f.at.Get("exclusive").Bool() {
			return false
		}
	}
	return false
}

// domainRank ranks an exact domain above wildcards, longer wildcards above shorter ones, and *
// last; -1 is no match.
func domainRank(domains []string, name string) int {
	best := -1
	for _, d := range domains {
		switch {
		case d == name:
			best = max(best, 1<<20)
		case d == "*":
			best = max(best, 0)
		case strings.HasPrefix(d, "*.") && strings.HasSuffix(name, d[1:]):
			best = max(best, len(d))
		}
	}
	return best
}
