package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/flowproof/lab/harness/flow"
)

// changeForms are the forms of a change; JSON is one line.
var changeForms = map[string]func(io.Writer, *flow.WayChange) error{
	"text": changeText,
	"json": func(w io.Writer, c *flow.WayChange) error { return writeJSON(w, c) },
	"yaml": func(w io.Writer, c *flow.WayChange) error { return writeYAML(w, c) },
}

// ChangeForms returns the names of the forms that Change knows.
func ChangeForms() []string { return slices.Sorted(maps.Keys(changeForms)) }

// Change writes how the way of a request changes in one of ChangeForms.
func Change(w io.Writer, form string, c *flow.WayChange) error {
	if changeForms[form] == nil {
		return unknownForm(form, ChangeForms())
	}
	return changeForms[form](w, c)
}

// changeText writes a change to be read, in 100 columns.
func changeText(w io.Writer, c *flow.WayChange) error {
	t := &textWriter{w: w}
	if c.Error != "" {
		t.wrap(0, 2, c.Error)
		return t.err
	}
	r := c.Request
	t.wrap(0, 2, fmt.Sprintf("%s %s %s %s to %s", cmp.Or(c.ID, "none"), cmp.Or(r.Method, "GET"), r.Authority, cmp.Or(r.Path, "/"),
		fmt.Sprintf("%s:%d", r.Address, r.Port)))
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
