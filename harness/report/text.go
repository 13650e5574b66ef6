// Package report writes what was inferred, seen and judged: as text for a terminal, as JSON with a
// schema version, as JUnit XML for a CI, and as a Mermaid diagram. It decides nothing.
package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/verify"
	"github.com/flowproof/lab/internal/redact"
	"github.com/flowproof/lab/internal/screen"
)

// Options say how a text report looks.
type Options struct {
	Color   bool    // escape sequences for a terminal that wants them
	Verbose bool    // why each hop was inferred, from which field, what lost, and every piece of evidence
	Fold    bool    // one line for a pod all of whose hops are confirmed, unless Verbose
	Width   int     // columns of the terminal; 0: width
	Sources Sources // for a page
	Body    string  // beginning of the answer's body, which stands below the answer; "": it is not shown
}

// width is the most columns that a line takes where no terminal says how many it has.
const width = 100

// narrowest is how many columns a line may take at least, however narrow the terminal is.
const narrowest = 60

// Text writes the run and its verdict as a table with one line a hop, and beneath what
// the verdicts rest on.
func Text(w io.Writer, run flow.Run, verdict flow.RunVerdict, opts Options) error {
	run.Path = verdict.TakenPath(run.Path)
	t := &text{opts: opts, run: run}
	t.heading(verdict)
	t.table(verdict)
	for _, hop := range verdict.Hops {
		t.detail(hop)
	}
	t.ending(verdict)
	if opts.Color {
		w = screen.Coloured(w)
	}
	_, err := io.WriteString(w, t.b.String())
	return err
}

type text struct {
	b    strings.Builder
	opts Options
	run  flow.Run
}

// width is how many columns a line takes at most.
func (t *text) width() int {
	if t.opts.Width == 0 {
		return width
	}
	return max(t.opts.Width, narrowest)
}

// line writes one line, without blanks at its end.
func (t *text) line(format string, args ...any) {
	t.b.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " "))
	t.b.WriteByte('\n')
}

// heading says first what was answered and whether the way is as inferred, and then
// of which request.
func (t *text) heading(verdict flow.RunVerdict) {
	answer := verify.Answered(t.run)
	if len(t.run.Observations) > 0 {
		t.headline(t.answerMark(answer), verify.AnswerText(answer))
		if ground := verify.Ground(t.run.Path, answer); ground != "" {
			t.headline(" ", ground)
		}
	}
	t.headline(t.resultMark(verdict.Result), verify.WayText(verdict))
	t.line("%s", clean(callName(t.run.Call)))
	t.attempts(answer)
	t.body(answer)
	t.line("")
}

// headline writes one of the first lines, which is folded on a terminal only: what reads a report
// finds it whole.
func (t *text) headline(begin, content string) {
	if t.opts.Width == 0 {
		t.line("%s %s", begin, clean(content))
		return
	}
	t.folded(begin, content)
}

// answerMark is the sign of an answer. A failed request is no success, also where it went the
// inferred way.
func (t *text) answerMark(a flow.Answer) string {
	if a.Failed() {
		return t.mark(flow.Refuted)
	}
	return t.mark(flow.Confirmed)
}

func (t *text) resultMark(r flow.Result) string {
	switch r {
	case flow.Verified, flow.Consistent:
		return t.mark(flow.Confirmed)
	case flow.Mismatch:
		return t.mark(flow.Refuted)
	}
	return t.mark(flow.NotObserved)
}

// callName says a call in one line, without secrets: "netshoot.mark ➔ GET
// http://fortio-server:8080/".
func callName(call flow.Call) string {
	call = redactCall(call)
	from := call.From
	if call.Namespace != "" {
		from += "." + call.Namespace
	}
	return from + " ➔ " + cmp.Or(call.Method, "GET") + " " + call.URL
}

// redactCall returns the call without the secrets that its URL or its headers hold.
func redactCall(call flow.Call) flow.Call { return redact.Value(call) }

// marked writes text behind the sign of a state, on as many lines as it takes.
func (t *text) marked(state flow.State, content string) {
	t.folded(t.mark(state), content)
}

// folded writes text behind a sign.
func (t *text) folded(begin, content string) {
	for _, line := range screen.Fold(clean(content), t.width()-len("  "), screen.NameBreaks) {
		t.line("%s %s", begin, line)
		begin = " "
	}
}

// gist says in short where a proxy sends the request on to: the cluster, the endpoint, and the
// object of Istio's that its route is of.
func (t *text) gist(hops []flow.HopVerdict) string {
	where := map[flow.HopKind]flow.Hop{}
	for _, v := range hops {
		where[t.hop(v).Kind] = t.hop(v)
	}
	cluster := cmp.Or(where[flow.Cluster].Decision, where[flow.Route].Decision)
	text := with(" → ", cluster) + with(", ", where[flow.Endpoint].Decision) + with(", by ", where[flow.Route].Object)
	if last := t.hop(hops[len(hops)-1]); last.Kind != flow.Connect && last.Kind != flow.App {
		text = fmt.Sprintf(", ends at %s: %s%s", last.Kind, last.Decision, with(", by ", last.Object))
	}
	return strings.ReplaceAll(clean(text), "\n", " ")
}

// mark is the sign of a state, coloured when asked for.
func (t *text) mark(state flow.State) string {
	if !t.opts.Color {
		return sign(state)
	}
	color := "33"
	switch state {
	case flow.Confirmed:
		color = "32"
	case flow.Learned:
		color = "36"
	case flow.Refuted:
		color = "31"
	}
	return screen.SGR(color, sign(state))
}

func sign(state flow.State) string {
	switch state {
	case flow.Confirmed:
		return "✓"
	case flow.Learned:
		return "?"
	case flow.Refuted:
		return "✗"
	case flow.Unreached:
		return "–"
	}
	return "·"
}

// detail writes what a hop's verdict rests on: always for one that is not confirmed,
// for all when verbose.
func (t *text) detail(v flow.HopVerdict) {
	if v.State == flow.Confirmed && !t.opts.Verbose {
		return
	}
	hop := t.hop(v)
	t.line("")
	t.line("%s %s", t.mark(v.State), clean(hopName(hop)))
	t.paragraph("object   ", hop.Object)
	if v.Reason != "" {
		t.paragraph("", v.Reason)
	}
	for _, e := range v.Evidence {
		if !e.Agrees {
			t.paragraph("expected ", e.Fact+" "+e.Expected)
			t.paragraph("seen     ", e.Seen+" ("+string(e.Instrument)+")")
			t.raw(e)
		}
	}
	if t.opts.Verbose {
		t.verbose(hop, v)
	}
}

func (t *text) verbose(hop flow.Hop, v flow.HopVerdict) {
	t.paragraph("why      ", hop.Why)
	t.paragraph("field    ", hop.Source)
	t.paragraph("that is  ", hop.Field)
	for _, r := range hop.Rejected {
		t.paragraph("not      ", r.Name+with(" of ", r.Object)+": "+r.Why)
	}
	for _, c := range hop.Choices {
		t.paragraph("choice   ", fmt.Sprintf("%s (%.0f %%)", c.Name, c.Share*100))
	}
	for _, e := range v.Evidence {
		if e.Agrees {
			t.paragraph("seen     ", fmt.Sprintf("%s %s (%s)", e.Fact, e.Seen, e.Instrument))
		}
	}
}

// raw writes the first line of the observation that a piece of evidence comes from.
func (t *text) raw(e flow.Evidence) {
	if e.Observation < 0 || e.Observation >= len(t.run.Observations) ||
		e.Seen == t.run.Observations[e.Observation].Raw {
		return
	}
	first, _, _ := strings.Cut(t.run.Observations[e.Observation].Raw, "\n")
	t.paragraph("in       ", first)
}

// paragraph writes indented text, broken at blanks so that no line is wider than the table.
func (t *text) paragraph(label, content string) {
	if content == "" {
		return
	}
	const indent = "    "
	rest := clean(strings.ReplaceAll(content, "\t", " "))
	for _, piece := range wrap(rest, t.width()-len(indent)-len(label)) {
		t.line("%s%s%s", indent, label, piece)
		label = strings.Repeat(" ", len(label))
	}
}

func (t *text) ending(verdict flow.RunVerdict) {
	t.line("")
	for _, p := range verdict.Problems {
		t.paragraph("! ", p)
	}
	for _, w := range verdict.Without {
		t.paragraph("· ", w)
	}
	if t.run.Touched != nil {
		t.paragraph("", Touched(t.run.Touched))
	}
	if len(t.run.Reads) > 0 {
		t.paragraph("", Reads(t.run.Reads))
	}
	accepted := ""
	if len(t.run.Accepted) > 0 {
		accepted = "; accepted without evidence: " + clean(strings.Join(t.run.Accepted, ", "))
	}
	t.line("%s: %s%s", verdict.Result, verify.Summary(verdict), accepted)
}

// hop returns the hop that a verdict is about. A verdict that names none comes from a damaged file.
func (t *text) hop(v flow.HopVerdict) flow.Hop { return hopOf(t.run, v) }

func hopOf(run flow.Run, v flow.HopVerdict) flow.Hop {
	if v.Hop >= 0 && v.Hop < len(run.Path.Hops) {
		return run.Path.Hops[v.Hop]
	}
	return flow.Hop{Kind: v.Kind, Side: v.Side, Decision: "(no such hop in the path)"}
}

// hopName names a hop as the reports do: "server redirect".
func hopName(hop flow.Hop) string {
	if hop.Side == "" {
		return string(hop.Kind)
	}
	return string(hop.Side) + " " + string(hop.Kind)
}

// clean makes text safe for a terminal.
func clean(s string) string { return screen.Visible(s) }

// cut shortens text to n columns.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// pad fills text to n columns.
func pad(s string, n int) string {
	return s + strings.Repeat(" ", max(0, n-utf8.RuneCountInString(s)))
}

// wrap breaks text at blanks and newlines into pieces of at most n columns; a longer word is
// broken where it must.
func wrap(s string, n int) []string {
	var pieces []string
	for paragraph := range strings.SplitSeq(s, "\n") {
		pieces = append(pieces, screen.Fold(paragraph, n, screen.NameBreaks)...)
	}
	return pieces
}
