package page

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// mostLost is how many boxes of what lost are drawn at one hop; the card of the hop has all.
const mostLost = 16

// lanes draws the way: a lane for each pod that it passes, from top to bottom.
func (p *Page) lanes() []*lane {
	d := &drawer{page: p, used: map[string]int{}}
	hops := p.Path.Hops
	for begin, end := range p.Path.Stretches() {
		d.pod(hops, begin, end)
	}
	if len(hops) == 0 {
		d.begin("nothing", "no hop")
		d.add(&box{id: d.id("end"), name: "the end", text: cmp.Or(p.Ending, string(p.Path.Outcome)),
			state: "unseen"}, 0)
		d.finish()
	}
	return d.lanes
}

// A drawer makes lanes of hops.
type drawer struct {
	page  *Page
	used  map[string]int
	lanes []*lane

	lane   *lane
	prefix string
	y      int
	inset  int    // of the frames that are open
	last   *box   // that the next arrow comes from; nil: none
	label  string // of the next arrow
	hop    int    // that is drawn
	open   []*frame
}

// id makes an id that no other element has.
func (d *drawer) id(parts ...string) string {
	name := slug(d.prefix + " " + strings.Join(parts, " "))
	d.used[name]++
	if n := d.used[name]; n > 1 {
		name = fmt.Sprintf("%s-%d", name, n)
	}
	return name
}

func (d *drawer) begin(prefix, name string) {
	d.prefix = prefix
	d.lane = &lane{id: d.id("lane"), name: name}
	d.y, d.inset, d.last, d.label, d.open = 4, 4, nil, "", nil
}

func (d *drawer) finish() {
	for len(d.open) > 0 {
		d.leave()
	}
	d.lane.height = d.y + 4
	d.lanes = append(d.lanes, d.lane)
}

// enter opens a frame; leave closes the innermost.
func (d *drawer) enter(class, name string) {
	d.openGap()
	f := &frame{id: d.id(class), name: name, class: class, x: d.inset, y: d.y, w: laneWidth - 2*d.inset}
	d.lane.frames = append(d.lane.frames, f)
	d.open = append(d.open, f)
	d.inset += 7
	d.y += 20
}

func (d *drawer) leave() {
	f := d.open[len(d.open)-1]
	d.open = d.open[:len(d.open)-1]
	d.inset -= 7
	d.y += 7
	f.h = d.y - f.y
}

// openGap leaves room for the arrow that will come to the next box.
func (d *drawer) openGap() {
	if d.last != nil {
		d.y += gap
	}
}

// add places a box below what there is, and joins it with the one before.
func (d *drawer) add(x *box, indent int) *box {
	d.openGap()
	x.x, x.y, x.w = d.inset+indent, d.y, laneWidth-2*d.inset-indent
	x.fit()
	if d.last != nil {
		d.arrow(d.last, x, d.label, false)
	}
	d.label = ""
	d.y += x.h
	d.lane.boxes = append(d.lane.boxes, x)
	d.last = x
	return x
}

// arrow draws one from below a box to above another, where it is out of the way of what
// hangs between them.
func (d *drawer) arrow(from, to *box, label string, lost bool) {
	x := max(from.x, to.x) + 18
	a := &arrow{id: d.id("to", strings.TrimPrefix(to.id, slug(d.prefix)+"-")), label: label, lost: lost,
		points: [][2]int{{x, from.y + from.h}, {x, to.y - 1}}}
	d.lane.arrows = append(d.lane.arrows, a)
}

// losers hang what lost below the box that decided: a line leads along the left,
// and on to what won.
func (d *drawer) losers(kind string, rejected []flow.Alternative, extra func(flow.Alternative) string) {
	hangs := d.last
	for i, r := range rejected {
		if i == mostLost {
			d.lose(hangs, &box{id: d.id(kind, "more"), text: fmt.Sprintf("and %d more", len(rejected)-i), state: "lost",
				card: cardID(d.hop)})
			return
		}
		text := r.Name
		if more := extra(r); more != "" {
			text += " " + more
		}
		d.lose(hangs, &box{id: d.id(kind, strings.TrimPrefix(r.Name, kind+" ")), text: text, state: "lost",
			card: cardID(d.hop), tip: "lost: " + r.Name + ": " + r.Why})
	}
}

// lose hangs one box below another.
func (d *drawer) lose(from, x *box) {
	const indent = 34
	d.y += smallGap
	x.x, x.y, x.w = d.inset+indent, d.y, laneWidth-2*d.inset-indent
	x.fit()
	d.y += x.h
	d.lane.boxes = append(d.lane.boxes, x)
	d.lane.arrows = append(d.lane.arrows,
		&arrow{id: d.id("not", strings.TrimPrefix(x.id, slug(d.prefix)+"-")), lost: true,
			points: [][2]int{{d.inset + 18, from.y + from.h}, {d.inset + 18, x.y + x.h/2}, {x.x - 1, x.y + x.h/2}}})
}

// pod draws the hops of one pod.
func (d *drawer) pod(hops []flow.Hop, begin, end int) {
	first := hops[begin]
	prefix := string(first.Side)
	if prefix == "" {
		prefix = "proxy"
	}
	if d.used[slug(prefix+" lane")] > 0 {
		prefix = slug(prefix + " " + first.Proxy)
	}
	who := cmp.Or(first.Proxy, "a proxy")
	d.begin(prefix, strings.TrimSpace(prefix+" "+who))
	if first.Side == flow.Server || begin > 0 {
		d.arrives(hops, begin)
	}
	d.enter("pod", d.lane.name)
	if begin == 0 && first.Side != flow.Server {
		d.caller()
	}
	for i := begin; i < end; i++ {
		d.hop = i
		d.around(hops[i], i > begin && hops[i].Inside != hops[i-1].Inside)
		d.draw(hops[i])
	}
	for len(d.open) > 1 {
		d.leave()
	}
	d.ends(hops, end)
	d.finish()
}

// around opens and closes the frame of the proxy: what a pod does outside of it are the name, the
// rules and the application.
func (d *drawer) around(h flow.Hop, again bool) {
	outside := h.Kind == flow.Resolve || h.Kind == flow.NodePort || h.Kind == flow.Redirect || h.Kind == flow.App
	for len(d.open) > 1 && (outside || again) {
		d.leave()
	}
	if outside || len(d.open) > 1 {
		return
	}
	name := "Envoy"
	if h.Inside > 0 {
		name = fmt.Sprintf("the same Envoy, internal connection %d", h.Inside)
	}
	if v := d.page.version(h.Proxy); v != "" {
		name += " " + v
	}
	d.enter("proxy", name)
}

// caller draws where the request comes from.
func (d *drawer) caller() {
	c := d.page.Path.Call
	if c.URL == "" {
		return
	}
	text := cmp.Or(c.Method, "GET") + " " + c.URL
	d.add(&box{id: d.id("application"), name: "application " + c.Container, text: text, state: "end",
		tip: "the client's application sends " + text}, 0)
}

// arrives draws what comes out of the lane before. A pod that is called from outside of the mesh
// has no lane before.
func (d *drawer) arrives(hops []flow.Hop, begin int) {
	text := "from outside of the mesh"
	if begin > 0 {
		text = "from " + heading(hops[begin-1])
	} else if d.page.Path.Call.From != "" {
		text = "from " + d.page.Path.Call.From
	}
	if wire := d.page.wire(begin); wire != "" {
		text += ": " + wire
	}
	d.add(&box{id: d.id("from"), name: "wire", text: text, state: "end", tip: text}, 0)
}

// ends draws where the lane ends: in the next pod, or where the request does.
func (d *drawer) ends(hops []flow.Hop, end int) {
	switch {
	case end < len(hops):
		text := "to " + heading(hops[end])
		if wire := d.page.wire(end); wire != "" {
			text += ": " + wire
		}
		d.add(&box{id: d.id("wire"), name: "wire", text: text, state: "end", tip: text}, 0)
	case hops[end-1].Kind != flow.App:
		text := cmp.Or(d.page.Ending, string(d.page.Path.Outcome))
		d.add(&box{id: d.id("end"), name: "the end", text: text, state: "end", tip: text}, 0)
	}
}

func heading(h flow.Hop) string { return strings.TrimSpace(string(h.Side) + " " + h.Proxy) }

// wire are the ends of the connection that leads to the hop at an index, as they were inferred.
func (p *Page) wire(at int) string {
	for i := at - 1; i >= 0; i-- {
		if h := p.Path.Hops[i]; h.Kind == flow.Connect {
			return h.Decision
		}
	}
	return ""
}

func cardID(hop int) string { return fmt.Sprintf("hop-%d", hop+1) }
