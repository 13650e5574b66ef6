package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/harness/page"
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
// and whether it stopped or answered.
func (s Steps) Text(w io.Writer) error {
	if len(s.Steps) == 0 {
		_, err := fmt.Fprintln(w, "no call of an HTTP filter was seen (the log trace is off, or the request came to "+
			"no HTTP filter)")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "side\tfilter\tgiven\tfrom µs\ttook µs\t")
	for _, step := range s.Steps {
		fmt.Fprintf(table, "%s\t%s\t%s\t%7d\t%7d\t%s\n", step.Side,
			clean(step.Filter), step.Call, step.From, step.Took, step.Remark)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("write filters: %w", err)
	}
	_, err := fmt.Fprintf(w, "\n%s\n\n", strings.Join(wrap(page.StepsNote(s.Statements), width), "\n"))
	return err
}
