package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/internal/sometimes"
)

// The lines between which the table stands in a document.
const (
	begins = "<!-- make nightly writes from here -->"
	ends   = "<!-- to here -->"
)

// headings are the columns of the table.
var headings = []string{"Search", "Done in all runs", "Wanted", "Turns that failed", "Done since",
	"Last turn", "Command"}

// rows are the lines of the table.
func (s kept) rows() [][]string {
	var all [][]string
	for _, p := range parts {
		t := s.of(p.name)
		last := "never"
		if !t.Last.IsZero() {
			last = t.Last.Format(time.DateOnly)
		}
		all = append(all, []string{p.name, fmt.Sprintf("%d %s", t.Done, p.unit), strconv.Itoa(p.goal),
			strconv.Itoa(t.Found), strconv.Itoa(t.Since), last, "make nightly ONLY=" + p.name})
	}
	cases := rare()
	reached := len(cases) - len(sometimes.Missing(cases, s.Reached))
	return append(all, []string{"sometimes", fmt.Sprintf("%d rare cases", reached),
		strconv.Itoa(len(cases)), "", "", "", "make nightly"})
}

// rare are the cases that a night has to come to.
func rare() []string {
	var names []string
	for _, i := range observe.Instruments() {
		names = append(names, string(i.Name()))
	}
	return sometimes.Catalogue(names)
}

// print prints the table, and what is still short.
func (n *night) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(headings, "\t"))
	for _, row := range n.state.rows() {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

// wanting says of each part that has done less than is wanted how much is missing.
func (s kept) wanting() []string {
	var all []string
	for _, p := range parts {
		if t := s.of(p.name); t.Done < p.goal {
			all = append(all, fmt.Sprintf("%s: %d of %d %s", p.name, p.goal-t.Done, p.goal, p.unit))
		}
	}
	if missing := sometimes.Missing(rare(), s.Reached); len(missing) > 0 {
		all = append(all, fmt.Sprintf("sometimes: %d rare cases: %s", len(missing), strings.Join(missing, "; ")))
	}
	return all
}

// short is an error where anything is missing.
func (n *night) short() error {
	wanting := n.state.wanting()
	if len(wanting) == 0 {
		return nil
	}
	return errors.New("still short\n  " + strings.Join(wanting, "\n  "))
}

// document is the table for a document, in Markdown, with what is short below it.
func (s kept) document() string {
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(headings)
	line(slices.Repeat([]string{"---"}, len(headings)))
	for _, row := range s.rows() {
		row[len(row)-1] = "`" + row[len(row)-1] + "`"
		line(row)
	}
	if wanting := s.wanting(); len(wanting) > 0 {
		fmt.Fprintf(&b, "\nStill short: %s.\n", strings.Join(wanting, "; "))
	}
	return b.String()
}

// writeInto puts the table into a file, in the place of the one that is there.
func (n *night) writeInto(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), begins+"\n")
	_, after, closed := strings.Cut(rest, ends)
	if !found || !closed {
		return fmt.Errorf("write the table into %s: it has no lines %q and %q", path, begins, ends)
	}
	return os.WriteFile(path, []byte(before+begins+"\n"+n.state.document()+ends+after), 0o644)
}
