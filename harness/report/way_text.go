package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/screen"
)

// wayText writes a way to be read from top to bottom: how it ends, and then each hop with its
// decision, why, the place in the dump, and what lost; or a line each.
func wayText(w io.Writer, path flow.Path, opts WayOptions) error {
	t := &textWriter{w: w, opts: opts, columns: opts.Width}
	if opts.Hop == "" {
		end := conclusion{path.Outcome, path.Failure, path.Flag, 0, "", path.Certainty, path.Beyond, path.Hops}
		t.wrap(0, 2, end.headline())
		t.wrap(0, 2, fmt.Sprintf("%s %s from %s", cmp.Or(path.Call.Method, "GET"), path.Call.URL, from(path.Call)))
	}
	t.hops(path.Hops)
	if opts.Hop == "" {
		t.openEnding(path.Certainty, path.Depends, path.Possible, path.Others)
	}
	return t.err
}

func from(c flow.Call) string {
	if c.From == "" {
		return "the client"
	}
	return strings.TrimSuffix(c.From+"."+c.Namespace, ".")
}

// decisionText writes the way of one request through one proxy as wayText writes a whole way.
func decisionText(w io.Writer, d *flow.Decision, opts WayOptions) error {
	t := &textWriter{w: w, opts: opts, columns: opts.Width}
	if d.Error != "" {
		t.wrap(0, 2, d.Error)
		return t.err
	}
	if opts.Hop == "" {
		end := conclusion{d.Outcome, d.Failure, d.Flag, d.Status, d.Location, d.Certainty, "", d.Hops}
		t.wrap(0, 2, end.headline())
		if d.ID != "" {
			t.wrap(0, 2, "request "+d.ID)
		}
	}
	t.hops(d.Hops)
	if opts.Hop == "" {
		t.openEnding(d.Certainty, d.Depends, d.Possible, d.Others)
	}
	return t.err
}

// endingText says how the way ends.
func endingText(o flow.Outcome, f flow.Failure, flag string, status int, location string) string {
	text := string(o)
	if f != "" {
		text += ": " + strings.ReplaceAll(string(f), "_", " ")
	}
	if flag != "" {
		text += " (response flag " + flag + ")"
	}
	if status != 0 {
		text += fmt.Sprintf(", status %d", status)
	}
	if location != "" {
		text += ", location " + location
	}
	return text
}

// A textWriter keeps the first error, so that the writing code reads straight.
type textWriter struct {
	w       io.Writer
	opts    WayOptions
	columns int // of a line at most; 0: the terminal's, or else width
	err     error
}

// width is how many columns a line takes at most.
func (t *textWriter) width() int {
	if columns := cmp.Or(t.columns, screen.Width(t.w)); columns > 0 {
		return max(columns, narrowest)
	}
	return width
}

func (t *textWriter) line(s string) {
	if t.err == nil {
		_, t.err = fmt.Fprintln(t.w, strings.TrimRight(s, " "))
	}
}

// Columns of the text output.
const (
	kindColumn = 2
	textColumn = 20
)

func (t *textWriter) hops(hops []flow.Hop) {
	if t.opts.Short {
		t.short(hops)
		return
	}
	proxy := "\x00"
	for _, h := range hops {
		if t.opts.Hop != "" && h.Kind != t.opts.Hop {
			continue
		}
		if head := heading(h); head != proxy {
			proxy = head
			t.line("")
			t.wrap(0, 2, head)
		}
		t.hop(h)
	}
}

// heading names the proxy that a hop belongs to.
func heading(h flow.Hop) string {
	if h.Side == "" {
		return cmp.Or(h.Proxy, "proxy")
	}
	return strings.TrimSpace(string(h.Side) + " " + h.Proxy)
}

func (t *textWriter) hop(h flow.Hop) {
	t.labelled(openMark(h.Certainty)+string(h.Kind), cmp.Or(h.Decision, "-"))
	t.wrap(textColumn, textColumn+2, with("of ", h.Object))
	t.wrap(textColumn, textColumn+2, openText(h))
	t.wrap(textColumn, textColumn+2, h.Why)
	for _, c := range h.Choices {
		t.wrap(textColumn, textColumn+2, fmt.Sprintf("%5.1f %%  %s", c.Share*100, c.Name))
	}
	t.wrap(textColumn, textColumn+2, with("from ", h.Source))
	t.wrap(textColumn, textColumn+2, with("that is ", h.Field))
	for i, r := range h.Rejected {
		if t.opts.Rejected >= 0 && i == t.opts.Rejected {
			t.wrap(textColumn, textColumn+2, fmt.Sprintf("not … and %d more", len(h.Rejected)-i))
			break
		}
		t.wrap(textColumn, textColumn+2, "not "+r.Name+with(" of ", r.Object)+": "+r.Why)
	}
	for _, c := range h.Conditions {
		mark := "no "
		if c.Holds {
			mark = "yes"
		}
		t.wrap(textColumn, textColumn+4, mark+" "+conditionText(c))
	}
}

// openMark stands before a hop that is not certain.
func openMark(c flow.Certainty) string {
	if c == flow.Depends || c == flow.Chance {
		return "? "
	}
	return ""
}

func conditionText(c flow.Condition) string {
	text := c.Text
	if c.Value != "" {
		text += " (it is " + c.Value + ")"
	}
	if c.Depends != "" {
		text += ", assumed: that depends on " + c.Depends
	}
	return text
}

// openEnding says under a way what it depends on and what else is possible.
func (t *textWriter) openEnding(c flow.Certainty, depends []flow.Dependency, possible []flow.Possibility, others bool) {
	if c == flow.Certain || c == "" {
		return
	}
	t.line("")
	t.wrap(0, 2, map[flow.Certainty]string{flow.Depends: "not certain:", flow.Chance: "left to chance:"}[c])
	for _, d := range depends {
		t.wrap(2, 4, fmt.Sprintf("%s of %s: %s", d.What, d.Hop, d.Why))
		if d.Source != "" {
			t.wrap(4, 6, "from "+d.Source)
		}
	}
	if len(possible) > 0 {
		t.line("possible:")
	}
	for _, p := range possible {
		t.wrap(2, 4, possibleText(p))
	}
	if others {
		t.wrap(2, 4, "and what cannot be named")
	}
}

// possibleText says one outcome in a line.
func possibleText(p flow.Possibility) string {
	text := endingText(p.Outcome, p.Failure, p.Flag, p.Status, p.Location)
	if p.Cluster != "" && p.Outcome == flow.Forwarded {
		text += " to cluster " + p.Cluster
	}
	if p.Route != "" {
		text += ", route " + p.Route
	}
	if p.FilterChain != "" {
		text += ", filter chain " + p.FilterChain
	}
	if p.Share > 0 {
		text = fmt.Sprintf("%5.1f %%  ", p.Share*100) + text
	}
	return text
}

// labelled writes a hop's first line: its kind and, in the text column, its decision.
func (t *textWriter) labelled(kind, decision string) {
	lead := strings.Repeat(" ", kindColumn) + kind
	if mark, _, ok := strings.Cut(kind, " "); ok && strings.Contains("?✓✗·", mark) {
		lead = kind // the mark stands before the column
	}
	lead = pad(lead, max(textColumn, runewidth.StringWidth(lead)+1))
	for i, line := range screen.Fold(decision, t.width()-runewidth.StringWidth(lead), "/|,") {
		if i > 0 {
			lead = strings.Repeat(" ", textColumn)
		}
		t.line(lead + line)
	}
}

// wrap writes text from a column on, with later lines indented further.
func (t *textWriter) wrap(indent, more int, text string) {
	if text == "" {
		return
	}
	for i, line := range screen.Fold(text, t.width()-more, "/|,") {
		if i > 0 {
			indent = more
		}
		t.line(strings.Repeat(" ", indent) + line)
	}
}

// openText says in a sentence what a hop depends on, or "".
func openText(h flow.Hop) string {
	if len(h.Open) == 0 {
		return ""
	}
	return "open: depends on " + strings.Join(h.Open, ", ")
}
