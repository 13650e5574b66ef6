package script

import (
	"strconv"
	"time"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
	"github.com/flowproof/lab/harness/lesson"
	"github.com/flowproof/lab/harness/observe"
)

// ResultSchema is the version of the Result's JSON form.
const ResultSchema = "flowproof.dev/scenario/v1"

// The ways a scenario can end.
const (
	Passed  = "passed"
	Failed  = "failed"
	Skipped = "skipped"
)

// A Result is what came of one run of a scenario.
type Result struct {
	Schema   string           `json:"schema"`
	Scenario string           `json:"scenario"`
	Status   string           `json:"status"`           // passed, failed, skipped
	Reason   string           `json:"reason,omitempty"` // why it failed or was skipped
	Elapsed  Seconds          `json:"elapsed"`
	Phases   []PhaseResult    `json:"phases"`
	Run      *flow.Run        `json:"run,omitempty"`
	Verdict  *flow.RunVerdict `json:"verdict,omitempty"`
	// Touched is what the scenario changed in the cluster, and which of it is again as it was.
	Touched []flow.Touch `json:"touched"`
	// Answers are the questions that the scenario asks, and what a learner said
	// where one was asked.
	Answers []lesson.Answer `json:"answers,omitempty"`
	// Missed is the hop that was not as expect says; nil: there is none.
	Missed *Missed `json:"missed,omitempty"`
	// config dumps by "pod.namespace"; those that inference read, where it came to that
	Dumps map[string][]byte `json:"-"`
	// DumpsAfter are the config dumps of the same sidecars after the request; nil before observe.
	DumpsAfter map[string][]byte `json:"-"`
	Question   infer.Question    `json:"-"` // that inference was asked; zero: it was not
	Recording  observe.Recording `json:"-"` // the raw evidence, without secrets; zero before observe
	Updated    []byte            `json:"-"` // the scenario's text with rewritten goldens; nil when nothing changed
	Err        error             `json:"-"` // of a kind of package fault; nil unless failed
}

// A PhaseResult is a comment and what the commands under it did.
type PhaseResult struct {
	Comment []string     `json:"comment"`
	Steps   []StepResult `json:"steps"`
	Elapsed Seconds      `json:"elapsed"`
}

// A StepResult is one command that was run.
type StepResult struct {
	Line    int     `json:"line"`
	Command string  `json:"command"`
	Output  string  `json:"output,omitempty"` // its first line is the summary
	Folded  string  `json:"-"`                // the same for a screen of Options.Width; "": Output is
	Error   string  `json:"error,omitempty"`
	Elapsed Seconds `json:"elapsed"`
}

// Seconds is a duration that is written as a number of seconds in JSON.
type Seconds time.Duration

// MarshalJSON writes 1.234, to the millisecond.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, time.Duration(s).Seconds(), 'f', 3, 64), nil
}
