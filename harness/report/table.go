package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/screen"
)

// A column is one of the table of hops, behind the sign and the kind of each.
type column struct {
	text   func(*text, flow.HopVerdict) string
	breaks string // behind which of these a text may be broken, beside blanks
	part   int    // it takes a line's part-th part at most; 0, of one column: what the others leave
}

// columns are those of the table, from the left. A new one is a row.
var columns = []column{
	{(*text).decision, screen.NameBreaks, 0},
	{(*text).witnesses, "-", 3},
}

// gap is what stands between two columns.
const gap = "  "

// lead is how many columns of the table come before the decision: the sign and the kind of the hop.
const lead = len("  v network-filters   ")

// table writes the hops, those of each proxy under its name.
func (t *text) table(verdict flow.RunVerdict) {
	for rest := verdict.Hops; len(rest) > 0; {
		proxy := t.owner(rest[0])
		n := slices.IndexFunc(rest, func(v flow.HopVerdict) bool { return t.owner(v) != proxy })
		if n < 0 {
			n = len(rest)
		}
		t.proxy(proxy, rest[:n])
		rest = rest[n:]
	}
}

// owner names the proxy, or else the side, that a verdict's hop belongs to.
func (t *text) owner(v flow.HopVerdict) string {
	hop := t.hop(v)
	return cmp.Or(hop.Proxy, cmp.Or(string(hop.Side), "the way"))
}

// proxy writes the hops of one proxy: one line for all, where all are confirmed and that is wanted.
func (t *text) proxy(name string, hops []flow.HopVerdict) {
	fine := !slices.ContainsFunc(hops, func(v flow.HopVerdict) bool { return v.State != flow.Confirmed })
	if fine && t.opts.Fold && !t.opts.Verbose {
		t.marked(flow.Confirmed, fmt.Sprintf("%s  %d hops, all seen%s", clean(name), len(hops), t.gist(hops)))
		return
	}
	t.line("%s", clean(name))
	widths := t.widths(hops)
	for _, v := range hops {
		cells, height := make([][]string, len(columns)), 1
		for i, c := range columns {
			cells[i] = screen.Fold(c.text(t, v), widths[i], c.breaks)
			height = max(height, len(cells[i]))
		}
		begin := fmt.Sprintf("  %s %s", t.mark(v.State), pad(string(t.hop(v).Kind), lead-6))
		for row := range height {
			line := begin
			for i, cell := range cells {
				line += gap + pad(at(cell, row), widths[i])
			}
			t.line("%s", line)
			begin = strings.Repeat(" ", lead-len(gap))
		}
	}
}

// widths are how wide each column is for some hops: as wide as its longest text, at most.
func (t *text) widths(hops []flow.HopVerdict) []int {
	widths, room, widest := make([]int, len(columns)), t.width()-lead+len(gap), 0
	for i, c := range columns {
		for _, v := range hops {
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text(t, v)))
		}
		if c.part > 0 {
			widths[i] = min(widths[i], t.width()/c.part)
			room -= widths[i]
		} else {
			widest = i
		}
		room -= len(gap)
	}
	widths[widest] = min(widths[widest], room)
	return widths
}

// at is the i-th of some lines; "" where there are fewer.
func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

// decision is what a hop decides, on one line.
func (t *text) decision(v flow.HopVerdict) string {
	return strings.ReplaceAll(clean(t.hop(v).Decision), "\n", " ")
}

// witnesses are the instruments that saw a hop, on one line.
func (t *text) witnesses(v flow.HopVerdict) string { return strings.Join(seenBy(v), " ") }

// seenBy lists the instruments whose evidence a verdict has.
func seenBy(v flow.HopVerdict) []string {
	var names []string
	for _, e := range v.Evidence {
		if n := string(e.Instrument); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}
