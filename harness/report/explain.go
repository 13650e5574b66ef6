package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/glossary"
)

// Explanation writes what became of one request in one of ResultForms. With verbose it says of
// each hop why.
func Explanation(w io.Writer, form string, e flow.Explanation, verbose bool) error {
	return writeResult(w, form, e, func() error { return explanationText(w, e, verbose) })
}

// explanationText begins with the result and its cause.
func explanationText(w io.Writer, e flow.Explanation, verbose bool) error {
	t := &textWriter{w: w}
	mark := "✓ "
	if e.Failed {
		mark = "✗ "
	}
	t.wrap(0, 2, mark+e.Result)
	t.explainedRequest(e)
	if len(e.Differ) > 0 {
		t.line("")
		t.wrap(0, 2, "The log and the inference do not agree: the configuration may have been another when "+
			"the request was sent, or the request had something that the line does not tell.")
		for _, d := range e.Differ {
			t.labelled(string(d.Hop), "log      "+d.Logged)
			t.wrap(textColumn, textColumn+9, "inferred "+d.Inferred)
		}
	}
	if len(e.Hops) > 0 {
		t.line("")
		t.wrap(0, 2, fmt.Sprintf("The way through %s, inferred from its dump:", cmp.Or(e.Proxy, "the proxy")))
		for _, h := range e.Hops {
			t.explainedHop(h, verbose)
		}
	}
	t.causes(e.Causes)
	t.listed("Open:", e.Open)
	t.listed("Taken for granted:", e.Assumed)
	t.listed("Look next at:", e.Next)
	return t.err
}

// explainedRequest says which request it was.
func (t *textWriter) explainedRequest(e flow.Explanation) {
	r := e.Request
	what := strings.TrimSpace(fmt.Sprintf("%s %s%s", r.Method, r.Authority, r.Path))
	if r.Protocol == "tcp" {
		what = "a TCP connection"
	}
	text := fmt.Sprintf("%s, %s", what, e.Direction)
	if r.Address != "" {
		text += fmt.Sprintf(", to %s:%d", r.Address, r.Port)
	}
	if r.Source != "" {
		text += " from " + r.Source
	}
	if e.Duration != "" {
		text += ", " + e.Duration + " ms"
	}
	t.wrap(2, 4, text)
	if l := e.Line; l.Number > 0 {
		from := cmp.Or(l.Source, "the log")
		t.wrap(2, 4, fmt.Sprintf("line %d of %s, read %s", l.Number, from, readBy(l.Format)))
	}
}

// readBy names a format: where it stands in a dump is of interest in JSON only.
func readBy(format string) string {
	if strings.HasPrefix(format, "/") {
		return "by the format in the dump"
	}
	return "as " + format
}

var hopMarks = map[string]string{
	flow.Passed:     "✓ ",
	flow.Ended:      "✗ ",
	flow.NotReached: "· ",
	flow.Unknown:    "  ",
}

func (t *textWriter) explainedHop(h flow.ExplainedHop, verbose bool) {
	text := cmp.Or(h.Decision, "-")
	switch {
	case h.State == flow.NotReached:
		text = "not reached"
	case h.Logged != "" && h.Agrees:
		text += "  (the log agrees)"
	case h.Logged != "":
		text += "  (the log: " + h.Logged + ")"
	}
	t.labelled(hopMarks[h.State]+openMark(h.Certainty)+string(h.Kind), text)
	if !verbose && h.State != flow.Ended || h.State == flow.NotReached {
		return
	}
	t.wrap(textColumn, textColumn+2, with("of ", h.Object))
	t.wrap(textColumn, textColumn+2, h.Why)
	t.wrap(textColumn, textColumn+2, with("from ", h.Source))
}

func (t *textWriter) causes(causes []flow.Cause) {
	if len(causes) == 0 {
		return
	}
	t.line("")
	t.wrap(0, 2, "What makes Envoy write this:")
	for _, c := range causes {
		t.cause(c, "in the dump", "the dump shows nothing of it")
	}
}

// cause writes one cause and what the dump shows of it, after the words in and nothing.
func (t *textWriter) cause(c flow.Cause, in, nothing string) {
	t.wrap(2, 4, c.Of+": "+c.Text)
	for _, f := range c.Found {
		t.wrap(6, 8, strings.TrimSuffix(in+": "+f.Text+", "+f.Source, ", "))
	}
	if c.Looked && len(c.Found) == 0 {
		t.wrap(6, 8, nothing)
	}
}

// listed writes a list under a heading.
func (t *textWriter) listed(heading string, items []string) {
	if len(items) == 0 {
		return
	}
	t.line("")
	t.wrap(0, 2, heading)
	for _, item := range items {
		t.wrap(2, 4, item)
	}
}

// Log writes what became of the requests of a log in one of ResultForms.
func Log(w io.Writer, form string, l flow.LogExplanation) error {
	return writeResult(w, form, l, func() error { return logText(w, l) })
}

func logText(w io.Writer, l flow.LogExplanation) error {
	t := &textWriter{w: w}
	t.wrap(0, 2, l.Result)
	for _, g := range l.Groups {
		t.line("")
		t.wrap(0, 2, fmt.Sprintf("%d × %s", g.Count, g.Result))
		t.wrap(2, 4, g.What)
		for _, c := range g.Causes {
			if len(c.Found) > 0 {
				t.cause(c, "in the dump", "the dump shows nothing of it")
			}
		}
		t.wrap(2, 4, "for example line "+g.Example)
	}
	return t.err
}

// A Meaning is what a word means.
type Meaning struct {
	Schema  string           `json:"schema"` // MeaningSchema
	Word    string           `json:"word"`
	Entries []glossary.Entry `json:"entries"`
	Causes  []flow.Cause     `json:"causes,omitempty"` // for the direction and the dump that were given
	Inside  []glossary.Entry `json:"inside,omitempty"` // what the string has in braces
	Dump    string           `json:"dump,omitempty"`   // whose
}

// MeaningSchema is the version of a Meaning's JSON form.
const MeaningSchema = "flowproof.dev/meaning/v1"

// labels are the words around an entry, by language.
var labels = map[string]map[string]string{
	"en": {
		"dump":    "in the dump",
		"page":    "Envoy's page",
		"lessons": "lessons",
		"see":     "see",
		"causes":  "What makes Envoy write it",
		"in":      "it stands here",
		"nothing": "nothing of it here",
		"also":    "also",
		"of":      "in the dump of",
		"forms":   "as a whole",
	},
	"zh": {
		"dump":    "dump 中",
		"page":    "Envoy 文档",
		"lessons": "课程",
		"see":     "参见",
		"causes":  "Envoy 写下它的原因",
		"in":      "这里有",
		"nothing": "这里没有",
		"also":    "又名",
		"of":      "所看的 dump",
		"forms":   "完整形式",
	},
}

// Explained writes a Meaning in one of ResultForms.
func Explained(w io.Writer, form, language string, m Meaning) error {
	return writeResult(w, form, m, func() error { return ExplainedText(w, 0, language, m) })
}

// ExplainedText writes a Meaning as text, in lines of at most some columns; 0: as many as a report
// has.
func ExplainedText(w io.Writer, columns int, language string, m Meaning) error {
	say := labels[language]
	if say == nil {
		say = labels[glossary.English]
	}
	t := &textWriter{w: w, columns: columns}
	for i, e := range slices.Concat(m.Entries, m.Inside) {
		if i > 0 {
			t.line("")
		}
		t.entry(say, e)
	}
	if len(m.Causes) > 0 {
		t.line("")
		heading := say["causes"]
		if m.Dump != "" {
			heading += " (" + say["of"] + " " + m.Dump + ")"
		}
		t.wrap(0, 2, heading+":")
		for _, c := range m.Causes {
			t.cause(c, say["in"], say["nothing"])
		}
	}
	return t.err
}

func (t *textWriter) entry(say map[string]string, e glossary.Entry) {
	t.wrap(0, 2, fmt.Sprintf("%s (%s): %s", strings.TrimSuffix(e.Name+" "+e.Long, " "), e.Kind, e.Is))
	for _, row := range []struct{ label, text string }{
		{say["forms"], e.Forms},
		{say["also"], strings.Join(e.Also, ", ")},
		{say["dump"], e.Dump},
		{say["page"], e.Page},
		{say["lessons"], strings.Join(e.Lessons, ", ")},
		{say["see"], strings.Join(e.See, ", ")},
	} {
		if row.text != "" {
			t.labelled(row.label, row.text)
		}
	}
}

// Words lists what can be explained, by kind.
func Words(w io.Writer, entries []glossary.Entry) error {
	by := map[glossary.Kind][]string{}
	for _, e := range entries {
		by[e.Kind] = append(by[e.Kind], e.Name)
	}
	t := &textWriter{w: w}
	for _, kind := range slices.Sorted(maps.Keys(by)) {
		t.labelled(string(kind), strings.Join(by[kind], ", "))
	}
	return t.err
}
