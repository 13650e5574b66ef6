package report

import (
	"fmt"
	"io"
	"time"

	"github.com/flowproof/lab/harness/flow"
)

// A Suite is the outcome of one scenario for a CI.
type Suite struct {
	Name    string
	Cases   []Case
	Run     *flow.Run        // nil: the scenario is about no request
	Verdict *flow.RunVerdict // nil: nothing was judged
}

// A Case is one paragraph of a scenario with the commands beneath it.
type Case struct {
	Name    string
	Elapsed time.Duration
	Failure string // why it failed; empty: it did not
	Skipped string // why it was skipped; empty: it was not
	Output  string
}

// ScenarioJUnit writes scenarios as JUnit XML: a suite for the paragraphs of each, and where a
// request was judged a suite for its hops, as JUnit has it.
func ScenarioJUnit(w io.Writer, scenarios []Suite) error {
	var suites []testSuite
	for _, s := range scenarios {
		suite := testSuite{Name: clean(s.Name), Tests: len(s.Cases)}
		for _, c := range s.Cases {
			suite.Cases = append(suite.Cases, c.testCase(s.Name))
			switch {
			case c.Failure != "":
				suite.Failures++
			case c.Skipped != "":
				suite.Skipped++
			}
		}
		suites = append(suites, suite)
		if s.Run != nil && s.Verdict != nil {
			suites = append(suites, hopSuite(*s.Run, *s.Verdict))
		}
	}
	return writeSuites(w, fmt.Sprintf("scenarios: %d", len(scenarios)), suites...)
}

func (c Case) testCase(class string) testCase {
	t := testCase{Class: clean(class), Name: clean(c.Name), Time: fmt.Sprintf("%.3f", c.Elapsed.Seconds()),
		Out: clean(c.Output)}
	switch {
	case c.Failure != "":
		t.Failure = &message{Message: cut(clean(c.Failure), width), Text: clean(c.Failure)}
	case c.Skipped != "":
		t.Skipped = &message{Message: clean(c.Skipped)}
	}
	return t
}
