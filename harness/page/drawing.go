package page

import (
	"fmt"
	"html"
	"strings"

	"github.com/flowproof/lab/internal/screen"
)

// Measures of a drawing, in units of its own. A lane is as wide as a small telephone, so that its
// letters stay legible there.
const (
	laneWidth  = 360
	letter     = 6.63 // of the monospaced font at 11 units: 0.602 of its size
	lineHeight = 14
	padding    = 8
	gap        = 18 // between two boxes, where the arrow is
	smallGap   = 5  // between boxes that lost
	headHeight = 15 // name of a box, with the marks
	frameName  = 36 // of a frame: its name stands to the right of the arrow that comes in
)

// A box is one thing on the way. Its id is that of its SVG element.
type box struct {
	id, card string // card: id of what a click leads to; "": nothing
	name     string // what it is
	text     string // what was decided
	lines    []string
	state    string // class: confirmed, learned, refuted, unseen, inferred, open, lost
	marks    []mark
	tip      string

	x, y, w, h int
}

// An arrow leads from one box to the next, or to one that lost.
type arrow struct {
	id     string
	points [][2]int
	label  string
	lost   bool
}

// A frame stands around the boxes of a pod, a proxy or a filter chain.
type frame struct {
	id, name, class string
	x, y, w, h      int
}

// A lane is the drawing of one pod. What is drawn later lies above.
type lane struct {
	id, name string
	frames   []*frame
	boxes    []*box
	arrows   []*arrow
	height   int
}

// svg is the lane as an SVG element of its own. linked says that its boxes lead to
// the cards of a page.
func (l *lane) svg(linked bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="lane" id="lane-%s" viewBox="0 0 %d %d" role="group" aria-label="%s">`,
		l.id, laneWidth, l.height, html.EscapeString(l.name))
	b.WriteString(tips(l.id))
	l.body(&b, linked)
	b.WriteString("</svg>")
	return b.String()
}

// tips are the heads of arrows. Each lane has its own, because a picture that is not
// shown cannot lend them.
func tips(lane string) string {
	return fmt.Sprintf(`<defs><marker id="tip-%[1]s" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" `+
		`markerHeight="7" orient="auto">`+
		`<path class="tip" d="M0 0L8 4L0 8z"/></marker><marker id="tiplost-%[1]s" viewBox="0 0 8 8" refX="7" `+
		`refY="4" markerWidth="6" `+
		`markerHeight="6" orient="auto"><path class="tiplost" d="M0 0L8 4L0 8z"/></marker></defs>`, lane)
}

func (l *lane) body(b *strings.Builder, linked bool) {
	for _, f := range l.frames {
		fmt.Fprintf(b, `<g class="frame %s" id="%s"><rect x="%d" y="%d" width="%d" height="%d" rx="6"/><text x="%d" `+
			`y="%d">%s</text></g>`,
			f.class, f.id, f.x, f.y, f.w, f.h, f.x+frameName, f.y+13, html.EscapeString(f.name))
	}
	for _, a := range l.arrows {
		a.svg(b, l.id)
	}
	for _, x := range l.boxes {
		x.svg(b, linked)
	}
}

func (a *arrow) svg(b *strings.Builder, lane string) {
	class, tip := "arrow", "tip-"
	if a.lost {
		class, tip = "arrow lost", "tiplost-"
	}
	var d strings.Builder
	for i, p := range a.points {
		fmt.Fprintf(&d, "%c%d %d", "ML"[min(i, 1)], p[0], p[1])
	}
	fmt.Fprintf(b, `<path class="%s" id="%s" d="%s" marker-end="url(#%s%s)"/>`, class, a.id, d.String(), tip, lane)
	if a.label != "" {
		p := a.points[len(a.points)-1]
		fmt.Fprintf(b, `<text class="edge" x="%d" y="%d">%s</text>`, p[0]+8, p[1]-4, html.EscapeString(a.label))
	}
}

func (x *box) svg(b *strings.Builder, linked bool) {
	element, link := "g", ""
	if linked && x.card != "" {
		element, link = "a", fmt.Sprintf(` href="#%s"`, x.card)
	}
	fmt.Fprintf(b, `<%s class="box %s" id="%s"%s><title>%s</title>`, element, x.state, x.id, link,
		html.EscapeString(x.tip))
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" rx="4"/>`, x.x, x.y, x.w, x.h)
	y := x.y + 4
	if x.name != "" {
		fmt.Fprintf(b, `<text class="name" x="%d" y="%d">%s</text>`, x.x+padding, y+9, html.EscapeString(x.name))
		y += headHeight
	}
	for i, line := range x.lines {
		fmt.Fprintf(b, `<text class="line" x="%d" y="%d">%s</text>`, x.x+padding, y+10+i*lineHeight,
			html.EscapeString(line))
	}
	for i, m := range x.marks {
		m.svg(b, x.x+x.w-padding-10*(len(x.marks)-i)+4, x.y+10)
	}
	fmt.Fprintf(b, "</%s>", element)
}

// fit breaks the text of a box into lines and gives the box its height.
func (x *box) fit() {
	x.lines = screen.Fold(x.text, int(float64(x.w-2*padding)/letter), screen.NameBreaks)
	x.h = 8 + lineHeight*len(x.lines)
	if x.name != "" {
		x.h += headHeight
	}
}

// slug is text as a part of an id: small letters, digits and hyphens.
func slug(text string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(text) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	return strings.TrimSuffix(b.String(), "-")
}
