package infer

import (
	"fmt"
	"slices"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
)

// What neither dump nor request decides is a question. A walk asks it and goes on with one of the answers, at first with the
// first. The request is then walked again with each other answer: what all walks come to is certain, whatever the answers
// are, and what differs is open. So a filter that may answer opens the outcome and not the route, and a header that a filter
// may set opens the route only where a route asks for it.

// A question is something that is open, with the answers that it may have.
type question struct {
	key     string // the same question has the same answer
	about   flow.Dependency
	answers int
	shares  []float64 // of the answers, where chance decides
	given   int
	unnamed bool // the question has answers that cannot be followed
}

// chance says whether a random number decides.
func (q *question) chance() bool { return q.shares != nil }

// ask returns which of its answers the question has in this walk: at first 0.
func (w *walk) ask(q question) int {
	for _, old := range w.asked {
		if old.key == q.key {
			return min(old.given, q.answers-1)
		}
	}
	if q.about.Hop == "" {
		q.about.Hop = w.deciding
	}
	if len(w.asked) == maxQuestions { // as if nothing intervened, and said so
		w.unasked = true
		return 0
	}
	if n := len(w.asked); n < len(w.given) {
		q.given = min(w.given[n], q.answers-1)
	}
	w.asked = append(w.asked, q)
	return q.given
}

// may asks a question that is answered no or yes, at first no. at is what asks for it in the dump.
func (w *walk) may(what flow.What, on, why string, at configdump.Value) bool {
	about := flow.Dependency{On: on, What: what, Why: why, Source: at.Pointer()}
	return w.ask(question{key: on + "\n" + why, about: about, answers: 2}) == 1
}

// open notes something that decides and whose outcomes cannot be named. The walk goes on with its best guess.
func (w *walk) open(what flow.What, on, why string, at configdump.Value) {
	about := flow.Dependency{On: on, What: what, Why: why, Source: at.Pointer()}
	w.ask(question{key: on + "\n" + why + "\n" + string(what), about: about, answers: 1, unnamed: true})
}

// draw lets chance decide between outcomes with the given shares, and returns which is taken: at first 0. key tells it from
// other draws.
func (w *walk) draw(what flow.What, key, why string, at configdump.Value, shares ...float64) int {
	about := flow.Dependency{On: "chance", What: what, Why: why, Source: at.Pointer()}
	return w.ask(question{key: "chance\n" + key, about: about, answers: len(shares), shares: shares})
}

// lot draws for something that happens to so many of so many requests. The likelier of both is taken first.
func (w *walk) lot(what flow.What, at configdump.Value, numerator, of uint64, why string) bool {
	share := float64(numerator) / float64(of)
	if share > 0.5 {
		return w.draw(what, why, why, at, share, 1-share) == 0
	}
	return w.draw(what, why, why, at, 1-share, share) == 1
}

// settle turns an answer into a decision: one that depends becomes a question, at first answered as it
// would be if nothing intervened. text names the condition.
func (w *walk) settle(t match.Truth, what flow.What, at configdump.Value, text string) bool {
	if !t.Open() {
		return t.Yes()
	}
	about := flow.Dependency{On: t.On, What: what, Why: t.Why, Source: at.Pointer()}
	turned := w.ask(question{key: t.On + "\n" + text, about: about, answers: 2}) == 1
	return t.Guess != turned
}

// holds is settle for a condition that is shown with Options.Explain.
func (w *walk) holds(t match.Truth, what flow.What, at configdump.Value, format string, args ...any) bool {
	if !t.Open() {
		return w.check(at, t.Yes(), format, args...)
	}
	text := fmt.Sprintf(format, args...)
	result := w.settle(t, what, at, text)
	if w.opts.Explain {
		w.trail = append(w.trail, flow.Condition{Text: text, Source: at.Pointer(), Holds: result, Depends: t.On})
	}
	return result
}

// maxQuestions bounds how many questions one walk asks.
const maxQuestions = 32

// maxWorlds bounds how many walks are made for one request.
const maxWorlds = 64

// A world is one walk with the answers that were given to what it asked.
type world struct {
	walk   *walk
	asked  []question
	out    flow.Decision
	parent int // the world from which it differs in one answer; -1: none
	turned int // the question that was answered otherwise
}

// explore walks the request with every combination of answers, the first answers first, and up to a bound. complete is false
// where the bound was met.
func (e *Engine) explore(first *walk, again func(given []int) *walk) (worlds []world, complete bool) {
	worlds = []world{{first, first.asked, first.out, -1, 0}}
	for at := 0; at < len(worlds); at++ {
		from := 0
		if worlds[at].parent >= 0 {
			from = worlds[at].turned + 1
		}
		for i := from; i < len(worlds[at].asked); i++ {
			for answer := range worlds[at].asked[i].answers {
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
				worlds = append(worlds, world{w, w.asked, w.out, at, i})
			}
		}
	}
	return worlds, true
}

// certainty fills in how sure a decision is: what it depends on, what else is possible, and which of its hops are open.
func (e *Engine) certainty(first *walk, again func(given []int) *walk) (flow.Decision, []*walk) {
	out := &first.out
	out.Certainty = flow.Certain
	for i := range out.Hops {
		out.Hops[i].Certainty = flow.Certain
	}
	if len(first.asked) == 0 {
		return *out, nil
	}
	worlds, complete := e.explore(first, again)
	matters := map[string]*question{}
	for i := range worlds {
		for k := range worlds[i].asked {
			if q := &worlds[i].asked[k]; q.unnamed {
				matters[q.key] = q
			}
		}
		if p := worlds[i].parent; p >= 0 && !sameWay(&worlds[p].out, &worlds[i].out) {
			q := &worlds[i].asked[worlds[i].turned]
			matters[q.key] = q
			openHops(out, &worlds[i].out, q)
		}
	}
	out.Others = !complete || first.unasked
	out.Possible = possibilities(worlds)
	for i := range worlds {
		for k := range worlds[i].asked {
			q := &worlds[i].asked[k]
			if matters[q.key] == nil {
				continue
			}
			delete(matters, q.key)
			out.Depends = append(out.Depends, q.about)
			out.Others = out.Others || q.unnamed && q.about.What != flow.WhatPath
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

// variants returns a walk for each way that is possible beside the first, with the hops marked in which it differs.
func variants(worlds []world, first *flow.Decision) []*walk {
	var all []*walk
	for i := range worlds[1:] {
		w := worlds[i+1].walk
		if sameWay(first, &w.out) || worlds[i+1].never() || len(all) == maxVariants ||
			slices.ContainsFunc(all, func(o *walk) bool { return sameWay(&o.out, &w.out) }) {
			continue
		}
		for k := range w.out.Hops {
			h := &w.out.Hops[k]
			h.Certainty = flow.Certain
			for _, q := range w.asked {
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
func (w *world) never() bool {
	return slices.ContainsFunc(w.asked, func(q question) bool { return q.chance() && q.shares[q.given] == 0 })
}

// less is the certainty of what also depends on a question.
func less(c flow.Certainty, q *question) flow.Certainty {
	if q.chance() && c != flow.Depends {
		return flow.Chance
	}
	return flow.Depends
}

// openHops marks the hops of a decision that another answer decides otherwise.
func openHops(d, other *flow.Decision, q *question) {
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
func openFrom(d *flow.Decision, q *question) {
	for i := range d.Hops {
		if d.Hops[i].Kind == q.about.Hop || q.about.What == flow.WhatWay && isAfter(d.Hops[i].Kind, q.about.Hop) {
			opened(&d.Hops[i], q)
		}
	}
}

func opened(h *flow.Hop, q *question) {
	h.Certainty = less(h.Certainty, q)
	if !slices.Contains(h.Open, q.about.On) {
		h.Open = append(h.Open, q.about.On)
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
	p := possibility(d)
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

// possibilities lists the outcomes of the worlds, each once, with its share where chance alone decides.
func possibilities(worlds []world) []flow.Possibility {
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
			at[key], all = i, append(all, possibility(&w.out))
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

func possibility(d *flow.Decision) flow.Possibility {
	p := flow.Possibility{Outcome: d.Outcome, Failure: d.Failure, Flag: d.Flag, Status: d.Status, Location: d.Location, Listener: d.Listener,
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
