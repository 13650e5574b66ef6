package infer

import (
	"fmt"
	"net/netip"
	"sort"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// maxMatcherDepth bounds how deep matchers may nest.
const maxMatcherDepth = 64

// A matching evaluates xds.type.matcher.v3.Matcher for one connection or request. The inputs of a filter chain's
// matcher look at the connection, those of a route's at the request.
type matching struct {
	w     *walk
	steps []string // what matched on the way, for the hop's why
	// accept says whether an action is a result. A route whose own match fails is none, and the search goes on.
	accept func(action configdump.Value) bool
}

// evaluate returns whether an action was accepted. on_no_match counts where nothing matched.
func (m *matching) evaluate(matcher configdump.Value, depth int) bool {
	if depth > maxMatcherDepth {
		return false
	}
	for _, entry := range matcher.Get("matcher_list", "matchers").Elements() {
		if m.predicate(entry.Get("predicate"), depth) && m.onMatch(entry.Get("on_match"), depth) {
			return true
		}
	}
	if tree := matcher.Get("matcher_tree"); tree.Exists() && m.tree(tree, depth) {
		return true
	}
	return m.onMatch(matcher.Get("on_no_match"), depth)
}

// onMatch follows a nested matcher or takes an action. With keep_matching a match is only noted.
func (m *matching) onMatch(v configdump.Value, depth int) bool {
	matched := false
	if nested := v.Get("matcher"); nested.Exists() {
		matched = m.evaluate(nested, depth+1)
	} else if action := v.Get("action"); action.Exists() {
		matched = m.accept(action)
	}
	return matched && !v.Get("keep_matching").Bool()
}

func (m *matching) predicate(v configdump.Value, depth int) bool {
	if depth > maxMatcherDepth {
		return false
	}
	for kind, p := range v.Fields() {
		switch configdump.FieldName(kind) {
		case "single_predicate":
			return m.single(p)
		case "or_matcher":
			for _, e := range p.Get("predicate").Elements() {
				if m.predicate(e, depth+1) {
					return true
				}
			}
			return false
		case "and_matcher":
			for _, e := range p.Get("predicate").Elements() {
				if !m.predicate(e, depth+1) {
					return false
				}
			}
			return true
		case "not_matcher":
			return !m.predicate(p, depth+1)
		}
	}
	return false
}

// single compares one input with a string or by a custom matcher. No input never matches.
func (m *matching) single(p configdump.Value) bool {
	name, value, ok := m.input(p.Get("input"))
	holds := false
	if s := p.Get("value_match"); s.Exists() {
		holds = ok && stringMatches(s, value)
	} else if custom := p.Get("custom_match"); custom.Exists() {
		config, kind := custom.Get("typed_config").Typed()
		if strings.HasSuffix(kind, ".input_matchers.ip.v3.Ip") {
			addr, err := netip.ParseAddr(value)
			holds = ok && err == nil && longest(prefixRanges(config.Get("cidr_ranges")), addr) >= 0
		}
	}
	if m.w.check(p, holds, "%s %q", name, value) {
		m.steps = append(m.steps, name+" "+orNone(value))
	}
	return holds
}

// tree looks an input up in a map; of prefixes the longest that leads to an action counts.
func (m *matching) tree(v configdump.Value, depth int) bool {
	name, value, ok := m.input(v.Get("input"))
	if !ok {
		return false
	}
	found := func(key string, on configdump.Value) bool {
		m.steps = append(m.steps, name+" "+key)
		return m.onMatch(on, depth)
	}
	for key, on := range v.Get("exact_match_map", "map").Fields() {
		if m.w.check(on, key == value, "%s %q is %q", name, value, key) {
			return found(key, on)
		}
	}
	var prefixes []string
	by := map[string]configdump.Value{}
	for key, on := range v.Get("prefix_match_map", "map").Fields() {
		if m.w.check(on, strings.HasPrefix(value, key), "%s %q begins with %q", name, value, key) {
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

// custom evaluates xds.type.matcher.v3.IPMatcher and ServerNameMatcher: the most specific entry counts, and where what it
// leads to has no result the next one is tried, unless it is exclusive.
func (m *matching) custom(v configdump.Value, name, value string, depth int) bool {
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
				found = append(found, ranked{longest(prefixRanges(r.Get("ranges")), addr), r})
			}
		}
	case strings.HasSuffix(kind, ".ServerNameMatcher"):
		for _, r := range config.Get("domain_matchers").Elements() {
			found = append(found, ranked{domainRank(r.Get("domains").Texts(), value), r})
		}
	}
	sort.SliceStable(found, func(i, j int) bool { return found[i].rank > found[j].rank })
	for _, f := range found {
		if f.rank < 0 {
			return false
		}
		m.steps = append(m.steps, name+" "+value)
		if m.onMatch(f.at.Get("on_match"), depth) {
			return true
		}
		if f.at.Get("exclusive").Bool() {
			return false
		}
	}
	return false
}

// domainRank ranks an exact domain above wildcards, longer wildcards above shorter ones, and * last; -1 is no match.
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

// input reads what a data input names; ok is false when there is nothing, or the input is not known.
func (m *matching) input(v configdump.Value) (name, value string, ok bool) {
	config, kind := v.Get("typed_config").Typed()
	kind = kind[strings.LastIndexByte(kind, '.')+1:]
	c, h := &m.w.conn, m.w.req.header
	some := func(name, value string) (string, string, bool) { return name, value, value != "" }
	switch kind {
	case "DestinationIPInput":
		return some("destination address", c.local.Addr().String())
	case "DestinationPortInput":
		return some("destination port", fmt.Sprint(c.local.Port()))
	case "DirectSourceIPInput":
		if !c.direct.IsValid() {
			return "direct source address", "", false
		}
		return some("direct source address", c.direct.Addr().String())
	case "SourceIPInput":
		if !c.remote.IsValid() {
			return "source address", "", false
		}
		return some("source address", c.remote.Addr().String())
	case "SourcePortInput":
		if !c.remote.IsValid() {
			return "source port", "", false
		}
		return some("source port", fmt.Sprint(c.remote.Port()))
	case "SourceTypeInput":
		if rankSourceType(&chainMatch{sourceType: "SAME_IP_OR_LOOPBACK"}, c) > 0 {
			return "source type", "local", true
		}
		return "source type", "", false
	case "ServerNameInput":
		return some("server name", c.serverName)
	case "TransportProtocolInput":
		return some("transport protocol", c.transport)
	case "ApplicationProtocolInput":
		if len(c.alpn) == 0 {
			return "application protocol", "", false
		}
		return some("application protocol", "'"+strings.Join(c.alpn, "','")+"'")
	case "HttpRequestHeaderMatchInput":
		header := config.Get("header_name").Text()
		value, ok := h.get(header)
		return "header " + header, value, ok
	case "HttpRequestQueryParamMatchInput":
		param := config.Get("query_param").Text()
		path, _ := h.get(":path")
		value, ok := queryParams(path)[param]
		return "query parameter " + param, value, ok
	}
	return first(kind, "an unknown input"), "", false
}

// chainByMatcher chooses the filter chain that filter_chain_matcher names.
func (w *walk) chainByMatcher() (chosen *filterChain, why string) {
	name := ""
	m := matching{w: w, accept: func(action configdump.Value) bool {
		name = first(action.Get("typed_config", "value").Text(), action.Get("name").Text())
		return true
	}}
	if !m.evaluate(w.listener.matcher, 0) {
		return nil, "filter_chain_matcher names none"
	}
	for _, c := range w.listener.chains {
		if c.name == name {
			return c, "filter_chain_matcher names it by " + orNone(strings.Join(m.steps, ", "))
		}
	}
	return nil, "filter_chain_matcher names " + name + ", which the listener does not have"
}

// routeByMatcher chooses a route by VirtualHost.matcher: its actions are a Route or a RouteList.
func (w *walk) routeByMatcher(tree configdump.Value) (chosen *routeEntry, rejected []flow.Alternative, why string) {
	m := matching{w: w}
	var chosenWhy string
	m.accept = func(action configdump.Value) bool {
		message, kind := action.Get("typed_config").Typed()
		routes := []*routeEntry{newRouteEntry(message, 0)}
		if strings.HasSuffix(kind, ".RouteList") {
			routes = nil
			for i, r := range message.Get("routes").Elements() {
				routes = append(routes, newRouteEntry(r, i))
			}
		}
		found, lost, why := w.firstRoute(routes)
		rejected = append(rejected, lost...)
		if found != nil {
			chosen, chosenWhy = found, why
		}
		return true // an action ends the search, also when its routes do not match
	}
	m.evaluate(tree, 0)
	if chosen == nil {
		return nil, rejected, "its matcher leads to no route"
	}
	return chosen, rejected, "its matcher leads there by " + orNone(strings.Join(m.steps, ", ")) + ", " + chosenWhy
}
