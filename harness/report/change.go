package report

import (
	"cmp"
	"fmt"
	"io"

	"github.com/flowproof/lab/harness/flow"
)

// ResultForms returns the names of the forms of a result that is its data or a text to read: of a
// change, a difference and an explanation.
func ResultForms() []string { return []string{"json", "text", "yaml"} }

// writeResult writes a result in one of ResultForms. JSON is one line.
func writeResult(w io.Writer, form string, value any, text func() error) error {
	switch form {
	case "json":
		return writeJSON(w, value)
	case "yaml":
		return writeYAML(w, value)
	case "text":
		return text()
	}
	return unknownForm(form, ResultForms())
}

// Change writes how the way of a request changes in one of ResultForms.
func Change(w io.Writer, form string, c *flow.WayChange) error {
	return writeResult(w, form, c, func() error { return changeText(w, c) })
}

// changeText writes a change to be read, in 100 columns.
func changeText(w io.Writer, c *flow.WayChange) error {
	t := &textWriter{w: w}
	if c.Error != "" {
		t.wrap(0, 2, c.Error)
		return t.err
	}
	r := c.Request
	t.wrap(0, 2, fmt.Sprintf("%s %s %s %s to %s", cmp.Or(c.ID, "none"), cmp.Or(r.Method, "GET"), r.Authority,
		cmp.Or(r.Path, "/"), fmt.Sprintf("%s:%d", r.Address, r.Port)))
	for _, h := range c.Hops {
		t.labelled(string(h.Kind), "- "+cmp.Or(h.Before, "none"))
		t.wrap(textColumn, textColumn+2, "+ "+cmp.Or(h.After, "none"))
		t.wrap(textColumn+2, textColumn+2, h.Why)
	}
	if was, is := decisionEnding(&c.Before), decisionEnding(&c.After); was != is {
		t.labelled("outcome", "- "+was)
		t.wrap(textColumn, textColumn+2, "+ "+is)
	}
	t.line("")
	return t.err
}

// decisionEnding says how a request ends.
func decisionEnding(d *flow.Decision) string {
	return endingText(d.Outcome, d.Failure, d.Flag, d.Status, d.Location)
}
