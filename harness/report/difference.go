package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// Difference writes how two runs differ in one of ResultForms: what decides, then what differs,
// from the request to the verdict.
func Difference(w io.Writer, form string, d flow.RunDifference) error {
	return writeResult(w, form, d, func() error { return differenceText(w, d) })
}

func differenceText(w io.Writer, d flow.RunDifference) error {
	t := &textWriter{w: w}
	if d.Same {
		t.wrap(0, 2, "✓ "+d.Decides)
	} else {
		t.wrap(0, 2, "✗ what differs first is "+d.Decides)
	}
	for i, s := range d.Sides {
		t.wrap(2, 4, fmt.Sprintf("%s %s: %s", "-+"[i:i+1], cmp.Or(s.Name, "a bundle"), s.Call))
		t.wrap(4, 6, fmt.Sprintf("%s, %s", cmp.Or(s.Answer, "no answer was seen"), s.Result))
	}
	if len(d.Request) > 0 {
		t.part("the request")
	}
	for _, f := range d.Request {
		t.pair(f.Field, f.A, f.B)
	}
	if len(d.Configuration) > 0 {
		t.part("the configuration on the way")
	}
	for _, c := range d.Configuration {
		for _, change := range c.Changes {
			t.wrap(2, 4, change.String())
		}
		if c.Problem != "" {
			t.wrap(2, 4, c.Proxy+" cannot be compared: "+c.Problem)
		}
	}
	if len(d.Way) > 0 || d.Outcome != nil {
		t.part("the way that was inferred")
	}
	for _, h := range d.Way {
		t.pair(placeText(h.Side, h.Kind), h.A, h.B)
		t.wrap(textColumn+2, textColumn+2, h.WhyB)
	}
	if d.Outcome != nil {
		t.pair("outcome", d.Outcome.A, d.Outcome.B)
	}
	t.seenDiffer(d)
	return t.err
}

func (t *textWriter) seenDiffer(d flow.RunDifference) {
	if len(d.Seen) > 0 {
		t.part("what was seen")
	}
	for _, s := range d.Seen {
		var names []string
		for _, i := range s.Instruments {
			names = append(names, string(i))
		}
		t.pair(
			placeText(s.Side, s.Kind),
			s.Fact+" "+cmp.Or(strings.Join(s.A, ", "), "none"),
			s.Fact+" "+cmp.Or(strings.Join(s.B, ", "), "none")+"  ("+strings.Join(names, " ")+")",
		)
	}
	if d.Answer != nil || d.Verdict != nil || len(d.Hops) > 0 {
		t.part("what came of it")
	}
	for _, f := range []*flow.FieldDifference{d.Answer, d.Verdict} {
		if f != nil {
			t.pair(f.Field, f.A, f.B)
		}
	}
	for _, h := range d.Hops {
		t.pair(
			placeText(h.Side, h.Kind),
			strings.TrimSpace(string(h.A)+" "+h.ReasonA),
			strings.TrimSpace(string(h.B)+" "+h.ReasonB),
		)
	}
}

// placeText names a hop by its side and kind.
func placeText(side flow.Side, kind flow.HopKind) string {
	return strings.TrimSpace(string(side) + " " + string(kind))
}

// part begins a part of the comparison.
func (t *textWriter) part(heading string) {
	t.line("")
	t.wrap(0, 2, heading)
}

// pair writes one difference.
func (t *textWriter) pair(label, a, b string) {
	t.labelled(label, "- "+cmp.Or(a, "none"))
	t.wrap(textColumn, textColumn+2, "+ "+cmp.Or(b, "none"))
}
