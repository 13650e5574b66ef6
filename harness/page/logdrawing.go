package page

import (
	"fmt"
	"html"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/observe/envoylog"
	"github.com/flowproof/lab/internal/screen"
)

// Measures of the drawing of a log, beside those of a way.
const (
	trackWidth = 7  // between two arrows that pass beside the boxes
	numberRoom = 26 // of a line's number, before its words
	lineGap    = 6  // between two lines of one part
	mostSaid   = 200
)

// A LogLine is a line of a log as the drawing shows it.
type LogLine struct {
	envoylog.Said
	ID   string // of the row that its number leads to
	Link string // where its words lead; "": to the row too
}

// A drawnLine is a line with its place in the drawing.
type drawnLine struct {
	LogLine
	number int // from 1
	words  []string
	y, h   int
}

// middle is where the number of the line stands and where arrows begin and end.
func (l drawnLine) middle() int { return l.y + lineHeight/2 + 1 }

// LogDrawing draws a request's lines of a log: a box for each part of Envoy, in the order in
// which a request meets them, with the lines that it wrote, and an arrow from each line to the
// next. Those to a part further down pass on the left, those to one further up on the right. id
// is the drawing's, and name says what it shows. No lines give no drawing.
func LogDrawing(id, name string, said []LogLine) string {
	if len(said) == 0 {
		return ""
	}
	left, right := jumps(said)
	x := 6 + trackWidth*tracks(left)
	width := laneWidth - x - 6 - trackWidth*tracks(right)
	lines, parts, height := stacked(id, said, x, width)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="lane log" id="%s" viewBox="0 0 %d %d" role="group" aria-label="%s">%s`,
		id, laneWidth, height, html.EscapeString(name), tips(id))
	for _, p := range parts {
		p.svg(&b, lines)
	}
	for n := range lines[1:] {
		leads(&b, id, lines[n], lines[n+1], x, x+width, left, right)
	}
	b.WriteString("</svg>")
	return b.String()
}

// A part is a box of the drawing: a part of Envoy with the indexes of its lines.
type part struct {
	box
	lines []int
}

// stacked lays the parts that have lines below each other, and their lines in them. The lines stay
// in the order of the log.
func stacked(id string, said []LogLine, x, width int) (lines []drawnLine, parts []part, height int) {
	lines = make([]drawnLine, len(said))
	columns := int(float64(width-numberRoom-padding) / letter)
	y := 4
	for _, c := range envoylog.Components {
		p := part{box: box{id: id + "-part-" + slug(string(c)), name: string(c), x: x, y: y, w: width}}
		y += 4 + headHeight
		for i, s := range said {
			if s.Component != c {
				continue
			}
			words := screen.Fold(cut(s.Message, mostSaid), columns, screen.NameBreaks)
			lines[i] = drawnLine{LogLine: s, number: i + 1, words: words, y: y, h: lineHeight * max(len(words), 1)}
			p.lines = append(p.lines, i)
			y += lines[i].h + lineGap
		}
		if len(p.lines) == 0 {
			y = p.y
			continue
		}
		p.h = y - p.y
		y += smallGap + 3
		parts = append(parts, p)
	}
	return lines, parts, y
}

func (p part) svg(b *strings.Builder, lines []drawnLine) {
	fmt.Fprintf(b, `<g class="box part" id="%s"><rect x="%d" y="%d" width="%d" height="%d" rx="4"/>`,
		p.id, p.x, p.y, p.w, p.h)
	fmt.Fprintf(b, `<text class="name" x="%d" y="%d">%s</text>`, p.x+padding, p.y+13, html.EscapeString(p.name))
	for _, i := range p.lines {
		lines[i].svg(b, p.x)
	}
	b.WriteString("</g>")
}

// svg draws a line: its number, which leads to its row, and its words, which lead to Envoy's
// source.
func (l drawnLine) svg(b *strings.Builder, x int) {
	fmt.Fprintf(b, `<a class="number" href="#%[1]s" aria-label="line %[2]d"><circle cx="%[3]d" cy="%[4]d" r="8"/>`+
		`<text x="%[3]d" y="%[5]d">%[2]d</text></a>`, l.ID, l.number, x+13, l.middle(), l.middle()+4)
	link, rel := "#"+l.ID, ""
	if l.Link != "" {
		link, rel = l.Link, ` rel="noreferrer"`
	}
	fmt.Fprintf(b, `<a class="says"%s href="%s">`, rel, html.EscapeString(link))
	if l.Source != "" {
		fmt.Fprintf(b, `<title>%s</title>`, html.EscapeString(l.Source))
	}
	for i, words := range l.words {
		fmt.Fprintf(b, `<text class="line" x="%d" y="%d">%s</text>`,
			x+numberRoom, l.y+11+i*lineHeight, html.EscapeString(words))
	}
	b.WriteString("</a>")
}

// A jump is an arrow between lines of two parts: the places of both parts, and the track that it
// has.
type jump struct{ from, to, track int }

// jumps are the arrows to a part further down and to one further up, by the index of the line
// that each comes from. No two that pass the same part have the same track, and the short ones
// are inside.
func jumps(said []LogLine) (down, up map[int]*jump) {
	down, up = map[int]*jump{}, map[int]*jump{}
	for i := range said[1:] {
		from, to := partOf(said[i]), partOf(said[i+1])
		switch {
		case from < to:
			down[i] = &jump{from: from, to: to}
		case from > to:
			up[i] = &jump{from: to, to: from}
		}
	}
	assign(down)
	assign(up)
	return down, up
}

func partOf(l LogLine) int { return slices.Index(envoylog.Components, l.Component) }

func assign(all map[int]*jump) {
	order := make([]int, 0, len(all))
	for i := range all {
		order = append(order, i)
	}
	slices.SortFunc(order, func(a, b int) int {
		x, y := all[a], all[b]
		if longer := (x.to - x.from) - (y.to - y.from); longer != 0 {
			return longer
		}
		return a - b
	})
	for n, i := range order {
		taken := map[int]bool{}
		for _, j := range order[:n] {
			if all[j].from <= all[i].to && all[i].from <= all[j].to {
				taken[all[j].track] = true
			}
		}
		for taken[all[i].track] {
			all[i].track++
		}
	}
}

// tracks is how many tracks arrows have.
func tracks(all map[int]*jump) int {
	n := 0
	for _, j := range all {
		n = max(n, j.track+1)
	}
	return n
}

// leads draws the arrow from a line to the next. Within a part it has no tip: the numbers follow
// each other there.
func leads(b *strings.Builder, id string, from, to drawnLine, left, right int, down, up map[int]*jump) {
	i := from.number - 1
	a := arrow{id: fmt.Sprintf("%s-to-%d", id, to.number)}
	switch {
	case down[i] != nil:
		x, begin, end := left-4-trackWidth*(down[i].track+1), from.middle()+3, to.middle()-3
		a.points = [][2]int{{left, begin}, {x, begin}, {x, end}, {left - 1, end}}
	case up[i] != nil:
		x, begin, end := right+4+trackWidth*(up[i].track+1), from.middle()-3, to.middle()+3
		a.points = [][2]int{{right, begin}, {x, begin}, {x, end}, {right + 1, end}}
	default:
		fmt.Fprintf(b, `<path class="arrow" id="%s" d="M%d %dV%d"/>`, a.id, left+13, from.middle()+8, to.middle()-8)
		return
	}
	a.svg(b, id)
}
