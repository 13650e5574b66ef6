package page

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// names of hops as the drawing has them.
var hopNames = map[flow.HopKind]string{
	flow.Resolve: "name resolution", flow.NodePort: "node port, kube-proxy", flow.Redirect: "kernel netfilter",
	flow.Listener:        "① listener",
	flow.ListenerFilters: "② listener filter", flow.FilterChain: "② filter chain manager",
	flow.DownstreamTLS:  "③ transport socket",
	flow.NetworkFilters: "④ network filter", flow.HTTPFilters: "⑥ HTTP filter", flow.Route: "route",
	flow.Cluster:  "cluster",
	flow.Endpoint: "⑦ load balancing", flow.UpstreamTLS: "transport socket, upstream", flow.Connect: "connection pool",
	flow.App: "application",
}

// prefixes of names that say no more than the box does.
var filterPrefixes = []string{"envoy.filters.listener.", "envoy.filters.network.", "envoy.filters.http."}

// filterNotes say what a filter asks or learns, where the name does not.
var filterNotes = map[string]string{
	"envoy.filters.listener.original_dst":   "(asks SO_ORIGINAL_DST)",
	"envoy.filters.listener.tls_inspector":  "(peeks at the ClientHello)",
	"envoy.filters.listener.http_inspector": "(peeks for HTTP)",
}

// draw draws one hop, as one box or as several.
func (d *drawer) draw(h flow.Hop) {
	switch h.Kind {
	case flow.Redirect:
		d.label = first(h, flow.FactOriginalDst)
		d.one(h, h.Decision)
		d.label = redirected(h)
	case flow.ListenerFilters, flow.NetworkFilters, flow.HTTPFilters:
		d.filters(h)
	case flow.FilterChain:
		d.chains(h)
	case flow.Route:
		d.route(h)
	case flow.Connect:
		d.one(h, h.Decision)
		d.label = h.Decision
	case flow.Cluster:
		d.cluster(h)
	default:
		d.one(h, h.Decision)
		d.losers(string(h.Kind), h.Rejected, d.page.leads(h))
		d.choices(h)
	}
}

// one draws the hop's own box, which has its marks.
func (d *drawer) one(h flow.Hop, text string) *box {
	return d.add(d.own(h, d.id(string(h.Kind)), text), 0)
}

func (d *drawer) own(h flow.Hop, id, text string) *box {
	v := d.page.verdict(d.hop)
	x := &box{id: id, card: cardID(d.hop), name: hopNames[h.Kind], text: text, state: d.page.state(d.hop),
		marks: d.page.marks(h, v)}
	if x.name == "" {
		x.name = string(h.Kind)
	}
	x.tip = tip(h, v, x.marks)
	return x
}

// tip says a hop in some lines, for who rests the pointer on it and for who hears the page.
func tip(h flow.Hop, v *flow.HopVerdict, marks []mark) string {
	lines := []string{strings.TrimSpace(string(h.Side)+" "+string(h.Kind)) + ": " + h.Decision}
	if v != nil {
		lines[0] += " (" + string(v.State) + ")"
	}
	for _, s := range []string{h.Why, openText(h)} {
		if s != "" {
			lines = append(lines, s)
		}
	}
	var seen []string
	for _, m := range marks {
		if m.State == saw || m.State == denies {
			seen = append(seen, m.Text())
		}
	}
	if len(seen) > 0 {
		lines = append(lines, strings.Join(seen, ", "))
	}
	return strings.Join(lines, "\n")
}

func openText(h flow.Hop) string {
	if len(h.Open) == 0 {
		return ""
	}
	return "open: depends on " + strings.Join(h.Open, ", ")
}

// filters draws each filter that runs, and those of listeners that do not.
func (d *drawer) filters(h flow.Hop) {
	kind := strings.TrimSuffix(string(h.Kind), "s")
	marked := false
	for _, name := range strings.Split(h.Decision, ", ") {
		x := d.own(h, d.id(kind, short(name)), strings.TrimSpace(name+" "+filterNotes[name]))
		if marked {
			x.marks = nil
		}
		marked = true
		d.add(x, 0)
		if strings.Contains(name, "http_connection_manager") {
			d.codec(h)
		}
	}
	d.losers(kind, shortened(h.Rejected), func(a flow.Alternative) string { return "(" + a.Why + ")" })
}

// cluster draws the cluster, what bounds it, and the clusters that the filter chains that
// lost would have led to.
func (d *drawer) cluster(h flow.Hop) {
	x := d.one(h, h.Decision)
	if bounds := d.page.circuitBreakers(h); bounds != "" {
		d.lose(x, &box{id: d.id("circuit breakers"), card: cardID(d.hop), text: "circuit breakers: " + bounds,
			state: "note", tip: "circuit breakers of the cluster: " + bounds})
	}
	d.losers(string(h.Kind), append(slices.Clone(h.Rejected), d.page.otherClusters(h, d.hop)...), nothing)
	d.choices(h)
}

// codec draws how the connection manager reads the bytes.
func (d *drawer) codec(h flow.Hop) {
	codec, ok := map[string]string{"http1": "HTTP/1.1", "http2": "HTTP/2", "http3": "HTTP/3"}[first(h, flow.FactCodec)]
	if !ok {
		return
	}
	x := d.own(h, d.id("codec"), codec)
	x.name, x.marks = "⑤ HTTP codec", nil
	d.add(x, 0)
}

// chains draws the choice of the filter chain: what lost, and what won.
func (d *drawer) chains(h flow.Hop) {
	x := d.own(h, d.id("filter chain manager"), reasonOf(h))
	d.add(x, 0)
	d.losers("filter-chain", h.Rejected, d.page.leads(h))
	won := &box{id: d.id(string(h.Kind)), card: cardID(d.hop), name: "filter chain", text: h.Decision,
		state: x.state, tip: x.tip}
	d.add(won, 0)
}

// reasonOf says by what a chain was chosen, in the words of inference.
func reasonOf(h flow.Hop) string { return cmp.Or(h.Why, "chooses") }

// route draws route configuration, virtual host and route; a way that a filter answers has fewer.
func (d *drawer) route(h flow.Hop) {
	parts := []struct{ fact, name string }{
		{flow.FactRouteConfig, "route configuration"}, {flow.FactVirtualHost, "virtual host"}}
	for _, part := range parts {
		value := first(h, part.fact)
		if value == "" {
			continue
		}
		x := d.own(h, d.id(part.name), value)
		x.name, x.marks = part.name, nil
		d.add(x, 0)
		if part.fact == flow.FactRouteConfig {
			d.losers("virtual host", lost(h.Rejected, "virtual host "), nothing)
		}
	}
	text := h.Decision
	if name := first(h, flow.FactRoute); name != "" {
		text = name + " → " + text
	}
	others := slices.DeleteFunc(slices.Clone(h.Rejected), func(a flow.Alternative) bool {
		return strings.HasPrefix(a.Name, "virtual host ")
	})
	d.losers("route", others, nothing)
	d.one(h, text)
	d.choices(h)
}

func nothing(flow.Alternative) string { return "" }

// choices draws the results that are possible at a hop with several.
func (d *drawer) choices(h flow.Hop) {
	var all []flow.Alternative
	for _, c := range h.Choices {
		all = append(all, flow.Alternative{Name: fmt.Sprintf("%.0f %% %s", c.Share*100, c.Name),
			Why: "one of the possible results"})
	}
	d.losers("choice", all, nothing)
}

// lost are the alternatives whose name begins with a prefix.
func lost(all []flow.Alternative, prefix string) []flow.Alternative {
	var kept []flow.Alternative
	for _, a := range all {
		if strings.HasPrefix(a.Name, prefix) {
			kept = append(kept, a)
		}
	}
	return kept
}

// short is a filter's name without what the box says already.
func short(name string) string {
	for _, p := range filterPrefixes {
		if rest, ok := strings.CutPrefix(name, p); ok {
			return rest
		}
	}
	return name
}

func shortened(all []flow.Alternative) []flow.Alternative {
	all = slices.Clone(all)
	for i := range all {
		all[i].Name = short(all[i].Name)
	}
	return all
}

// first is the value of the first fact of a name that has to be seen; "" where there is none.
func first(h flow.Hop, fact string) string {
	for _, f := range h.Expect {
		if f.Name == fact && !f.Absent {
			return f.Value
		}
	}
	return ""
}

// redirected is the port that the rules lead to, as the label of an arrow.
func redirected(h flow.Hop) string {
	if port := first(h, flow.FactRedirectPort); port != "" {
		return "now to port " + port
	}
	return ""
}

// state is the class of a hop's boxes.
func (p *Page) state(hop int) string {
	if v := p.verdict(hop); v != nil {
		switch v.State {
		case flow.Confirmed, flow.Learned, flow.Refuted:
			return string(v.State)
		}
		return "unseen"
	}
	if c := p.Path.Hops[hop].Certainty; c == flow.Depends || c == flow.Chance {
		return "open"
	}
	return "inferred"
}

// verdict is the verdict on a hop; nil where there is none.
func (p *Page) verdict(hop int) *flow.HopVerdict {
	if p.Verdict == nil {
		return nil
	}
	for i := range p.Verdict.Hops {
		if p.Verdict.Hops[i].Hop == hop {
			return &p.Verdict.Hops[i]
		}
	}
	return nil
}
