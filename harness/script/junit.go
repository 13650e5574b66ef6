package script

import (
	"fmt"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/report"
)

// Suite is the result as a CI sees it: a case for each paragraph, and one for the
// restoring when that failed.
func (r *Result) Suite() report.Suite {
	suite := report.Suite{Name: r.Scenario, Run: r.Run, Verdict: r.Verdict}
	blamed := false
	for i, p := range r.Phases {
		c := report.Case{Name: strings.Join(p.Comment, " "), Elapsed: time.Duration(p.Elapsed), Output: p.transcript()}
		if c.Name == "" {
			c.Name = fmt.Sprintf("part %d", i+1)
		}
		for _, step := range p.Steps {
			if step.Error != "" {
				c.Failure, blamed = step.Command+": "+step.Error, true
			}
		}
		suite.Cases = append(suite.Cases, c)
	}
	switch {
	case r.Status == Skipped:
		suite.Cases = append(suite.Cases, report.Case{Name: "the whole scenario", Skipped: r.Reason})
	case r.Status == Failed && !blamed:
		suite.Cases = append(suite.Cases, report.Case{Name: "what no command of the scenario did", Failure: r.Reason})
	}
	return suite
}

// transcript is what the commands of a phase said.
func (p PhaseResult) transcript() string {
	var b strings.Builder
	for _, step := range p.Steps {
		fmt.Fprintf(&b, "> %s\n%s", step.Command, step.Output)
		if step.Error != "" {
			fmt.Fprintln(&b, step.Error)
		}
	}
	return b.String()
}
