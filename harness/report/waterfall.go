package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/mattn/go-runewidth"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/harness/page"
	"github.com/flowproof/lab/internal/screen"
)

// Steps are the calls of the HTTP filters of a request, in their order.
type Steps struct {
	Statements int    `json:"statements"` // log statements that were traced meanwhile
	Cost       int64  `json:"costMicroseconds"`
	Steps      []Step `json:"steps"`
}

// A Step is one call of a filter.
type Step struct {
	page.NamedStep
	Filter string `json:"filter"`
	From   int64  `json:"fromMicroseconds"` // since the first step began
	Took   int64  `json:"tookMicroseconds"`
	Remark string `json:"remark,omitempty"`
}

// StepsOf reads the calls of HTTP filters out of a recording. The way gives them their names.
func StepsOf(path flow.Path, r *trace.Recording, requestID string) *Steps {
	steps, statements := r.FilterSteps(trace.Selection{RequestID: requestID})
	all := &Steps{Statements: statements, Cost: trace.StatementCost(statements).Microseconds(), Steps: []Step{}}
	for _, s := range page.NameSteps(path, steps) {
		all.Steps = append(all.Steps,
			Step{NamedStep: s, Filter: s.Name, From: s.Begin.Sub(steps[0].Begin).Microseconds(),
				Took: s.FilterStep.Took().Microseconds(), Remark: s.Remark()})
	}
	return all
}

// Text writes the calls as a table: side, filter, what it was given, when it began, what it took,
// and whether it stopped or answered. Where a row with its remark is wider than the screen, the
// remarks stand below; columns 0: the table is as wide as it is.
func (s Steps) Text(w io.Writer, columns int) error {
	if len(s.Steps) == 0 {
		none := "no call of an HTTP filter was seen (the log trace is off, or the request came to no HTTP filter)"
		_, err := fmt.Fprintln(w, strings.Join(wrap(none, cmp.Or(columns, width)), "\n"))
		return err
	}
	var table strings.Builder
	rows := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(rows, "side\tfilter\tgiven\tfrom µs\ttook µs\t")
	for _, step := range s.Steps {
		fmt.Fprintf(rows, "%s\t%s\t%s\t%7d\t%7d\t\n", step.Side, clean(step.Filter), step.Call, step.From, step.Took)
	}
	if err := rows.Flush(); err != nil {
		return fmt.Errorf("write filters: %w", err)
	}
	lines := strings.Split(strings.TrimSuffix(table.String(), "\n"), "\n")
	for i, line := range lines {
		remark := ""
		if i > 0 {
			remark = clean(s.Steps[i-1].Remark)
		}
		for _, part := range s.row(line, remark, columns) {
			if _, err := fmt.Fprintln(w, part); err != nil {
				return fmt.Errorf("write filters: %w", err)
			}
		}
	}
	_, err := fmt.Fprintf(w, "\n%s\n\n", strings.Join(wrap(page.StepsNote(s.Statements), cmp.Or(columns, width)), "\n"))
	return err
}

// row is a row of the table with its remark, as lines of a screen.
func (s Steps) row(line, remark string, columns int) []string {
	if beside := strings.TrimRight(line+remark, " "); columns == 0 || runewidth.StringWidth(beside) <= columns {
		return []string{beside}
	}
	lines := screen.Hang("", strings.TrimRight(line, " "), columns)
	if remark != "" {
		lines = append(lines, screen.Hang("          ", remark, columns)...)
	}
	return lines
}
