package certainty

import (
	"fmt"
	"slices"

	"github.com/flowproof/lab/harness/flow"
)

// maxWorlds bounds how many walks are made for one request.
const maxWorlds = 64

// A Walk is a walk that has come to its end: what it has decided, and what it asked on the way.
type Walk interface {
	Decided() *flow.Decision
	Asked() []Question
	Unasked() bool
}

// A world is one walk with the answers that were given to what it asked.
type world[W Walk] struct {
	walk   W
	asked  []Question
	out    flow.Decision
	parent int // the world from which it differs in one answer; -1: none
	turned int // the question that was answered otherwise
}

// explore walks the request with every combination of answers, the first answers first, and up to a
// bound. complete is false where the bound was met.
func explore[W Walk](first W, again func(given []int) W) (worlds []world[W], complete bool) {
	worlds = []world[W]{{first, first.Asked(), *first.Decided(), -1, 0}}
	for at := 0; at < len(worlds); at++ {
		from := 0
		if worlds[at].parent >= 0 {
			from = worlds[at].turned + 1
		}
		for i := from; i < len(worlds[at].asked); i++ {
			for answer := range worlds[at].asked[i].Answers {
				if answer == worlds[at].asked[i].given {
					continue
				}
				if len(worlds) == maxWorlds {
					return worlds, false
				}
				given := make([]int, 0, i+1)
				for _, q := range worlds[at].asked[:i] {
					given = append(given, q.given)
				}
				w := again(append(given, answer))
				worlds = append(worlds, world[W]{w, w.Asked(), *w.Decided(), at, i})
			}
		}
	}
	return worlds, true
}

// Of fills in how sure a decision is: what it depends on, what else is possible, and which of its
// hops are open. The other walks are the ways that are possible beside the first.
func Of[W Walk](first W, again func(given []int) W) (flow.Decision, []W) {
	out := first.Decided()
	out.Certainty = flow.Certain
	for i := range out.Hops {
		out.Hops[i].Certainty = flow.Certain
	}
	if len(first.Asked()) == 0 {
		return *out, nil
	}
	worlds, complete := explore(first, again)
	matters := map[string]*Question{}
	for i := range worlds {
		for k := range worlds[i].asked {
			if q := &worlds[i].asked[k]; q.unnamed {
				matters[q.Key] = q
			}
		}
		if p := worlds[i].parent; p >= 0 && !sameWay(&worlds[p].out, &worlds[i].out) {
			q := &worlds[i].asked[worlds[i].turned]
			matters[q.Key] = q
			openHops(out, &worlds[i].out, q)
		}
	}
	out.Others = !complete || first.Unasked()
	out.Possible = possibilities(worlds)
	for i := range worlds {
		for k := range worlds[i].asked {
			q := &worlds[i].asked[k]
			if matters[q.Key] == nil {
				continue
			}
			delete(matters, q.Key)
			out.Depends = append(out.Depends, q.About)
			out.Others = out.Others || q.unnamed && q.About.What != flow.WhatPath
			out.Certainty = less(out.Certainty, q)
			if q.unnamed {
				openFrom(out, q)
			}
		}
	}
	if len(out.Possible) < 2 && !out.Others {
		out.Possible = nil
	}
	return *out, variants(worlds, out)
}

// maxVariants bounds how many other ways are kept whole.
const maxVariants = 16

// variants returns a walk for each way that is possible beside the first, with the hops marked
// in which it differs.
func variants[W Walk](worlds []world[W], first *flow.Decision) []W {
	var all []W
	for i := range worlds[1:] {
		w := worlds[i+1].walk
		if sameWay(first, w.Decided()) || worlds[i+1].never() || len(all) == maxVariants ||
			slices.ContainsFunc(all, func(o W) bool { return sameWay(o.Decided(), w.Decided()) }) {
			continue
		}
		for k := range w.Decided().Hops {
			h := &w.Decided().Hops[k]
			h.Certainty = flow.Certain
			for _, q := range w.Asked() {
				if differs(*h, first.Hops) {
					opened(h, &q)
				}
			}
		}
		all = append(all, w)
	}
	return all
}

// differs says whether no hop of others has the kind and the decision.
func differs(h flow.Hop, others []flow.Hop) bool {
	return !slices.ContainsFunc(others, func(o flow.Hop) bool { return o.Kind == h.Kind && o.Decision == h.Decision })
}

// never says whether the walk ended before chance decided: nothing that happens.
func (w *world[W]) never() bool {
	return slices.ContainsFunc(w.asked, func(q Question) bool { return q.chance() && q.shares[q.given] == 0 })
}

// less is the certainty of what also depends on a question.
func less(c flow.Certainty, q *Question) flow.Certainty {
	if q.chance() && c != flow.Depends {
		return flow.Chance
	}
	return flow.Depends
}

// openHops marks the hops of a decision that another answer decides otherwise.
func openHops(d, other *flow.Decision, q *Question) {
	for i := range d.Hops {
		h := &d.Hops[i]
		for k := range other.Hops {
			if o := &other.Hops[k]; o.Kind == h.Kind && (o.Decision != h.Decision || o.Source != h.Source) {
				opened(h, q)
				break
			}
		}
	}
}

// openFrom marks the hop in which an unnamed question stands.
func openFrom(d *flow.Decision, q *Question) {
	for i := range d.Hops {
		if d.Hops[i].Kind == q.About.Hop || q.About.What == flow.WhatWay && isAfter(d.Hops[i].Kind, q.About.Hop) {
			opened(&d.Hops[i], q)
		}
	}
}

func opened(h *flow.Hop, q *Question) {
	h.Certainty = less(h.Certainty, q)
	if !slices.Contains(h.Open, q.About.On) {
		h.Open = append(h.Open, q.About.On)
	}
}

// hopOrder is the order of hops on a way.
var hopOrder = flow.HopKinds()

// isAfter says whether a hop comes after another on the way.
func isAfter(kind, other flow.HopKind) bool {
	return slices.Index(hopOrder, string(kind)) > slices.Index(hopOrder, string(other))
}

// sameWay says whether two decisions come to the same.
func sameWay(a, b *flow.Decision) bool {
	if signature(a) != signature(b) || len(a.Hops) != len(b.Hops) {
		return false
	}
	for i := range a.Hops {
		if a.Hops[i].Kind != b.Hops[i].Kind || a.Hops[i].Decision != b.Hops[i].Decision {
			return false
		}
	}
	return true
}

// signature tells decisions apart by what an observer could see of them.
func signature(d *flow.Decision) string {
	p := PossibilityOf(d)
	rewrite := flow.Rewrite{}
	if d.Rewrite != nil {
		rewrite = *d.Rewrite
	}
	tls := flow.UpstreamTLSMode{}
	if d.UpstreamTLS != nil {
		tls = *d.UpstreamTLS
	}
	return fmt.Sprint(p, rewrite, tls, d.UpstreamProtocol, d.FilterChainIndex, d.RouteConfig, d.RouteIndex)
}

// possibilities lists the outcomes of the worlds, each once, with its share where
// chance alone decides.
func possibilities[W Walk](worlds []world[W]) []flow.Possibility {
	var all []flow.Possibility
	at := map[string]int{}
	onlyChance := true
	for _, w := range worlds {
		share := 1.0
		for _, q := range w.asked {
			if !q.chance() {
				onlyChance = false
				continue
			}
			share *= q.shares[q.given]
		}
		if share == 0 {
			continue // nothing that happens: a walk that ended before chance decided
		}
		key := signature(&w.out)
		i, ok := at[key]
		if !ok {
			i = len(all)
			at[key], all = i, append(all, PossibilityOf(&w.out))
		}
		all[i].Share += share
	}
	for i := range all {
		if !onlyChance {
			all[i].Share = 0
		}
	}
	return all
}

// PossibilityOf is what an observer could see of a decision.
func PossibilityOf(d *flow.Decision) flow.Possibility {
	p := flow.Possibility{Outcome: d.Outcome, Failure: d.Failure, Flag: d.Flag, Status: d.Status, Location: d.Location,
		Listener:    d.Listener,
		FilterChain: d.FilterChain, VirtualHost: d.VirtualHost, Route: d.Route, Cluster: d.Cluster}
	if p.Route == "" && d.RouteIndex >= 0 {
		p.Route = fmt.Sprintf("[%d]", d.RouteIndex)
	}
	if d.Outcome == flow.Forwarded {
		for _, h := range d.Endpoints {
			p.Endpoints = append(p.Endpoints, h.Address)
		}
	}
	return p
}
