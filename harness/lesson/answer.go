package lesson

import (
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// An Answer is what a learner said to a question, and what became of it.
type Answer struct {
	Question Question `json:"question"`
	Guess    string   `json:"guess,omitempty"`   // in the question's own words; "": none
	Right    bool     `json:"right,omitempty"`   // it is what was inferred
	Skipped  bool     `json:"skipped,omitempty"` // the learner let it go
	Tries    int      `json:"tries,omitempty"`
	// Seen says what became of it: "": not judged yet, or the value that was seen, or
	// the state of the hop.
	Seen string `json:"seen,omitempty"`
	By   string `json:"by,omitempty"` // which instruments saw it
}

// Choose finds the choice that a learner means: its number, or its name or the only one that begins
// so. ok is false where it is none.
func (q Question) Choose(typed string) (choice Choice, ok bool) {
	typed = strings.TrimSpace(typed)
	if n, err := strconv.Atoi(typed); err == nil && n >= 1 && n <= len(q.Choices) {
		return q.Choices[n-1], true
	}
	for _, c := range q.Choices {
		switch {
		case strings.EqualFold(c.Name, typed):
			return c, true
		case len(typed) > 2 && strings.HasPrefix(strings.ToLower(c.Name), strings.ToLower(typed)):
			if ok {
				return Choice{}, false
			}
			choice, ok = c, true
		}
	}
	return choice, ok
}

// Right reports whether a typed value is the question's. A part of it that is left open, such as an
// ephemeral port, may be typed in any form or not at all.
func (q Question) Right(typed string) bool {
	typed, want := strings.TrimSpace(typed), q.Answer
	if strings.EqualFold(typed, want) || Match(strings.ToLower(want), strings.ToLower(typed)) {
		return true
	}
	fixed := strings.TrimRight(strings.TrimRight(want, "*"), ":")
	return strings.HasSuffix(want, "*") && strings.EqualFold(typed, fixed)
}

// Match reports whether text is a pattern's, in which * stands for any run of characters.
func Match(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	rest, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

// Judge says of an answer what became of its question, by the verdict on the run
// and what was observed.
func (a *Answer) Judge(run flow.Run, verdict flow.RunVerdict) {
	if a.Question.File != "" {
		return // the pattern itself was held against the events
	}
	a.Seen, a.By = "", ""
	for _, hop := range verdict.Hops {
		if hop.Hop != a.Question.Hop {
			continue
		}
		a.Seen = string(hop.State)
		var by []string
		for _, e := range hop.Evidence {
			if a.Question.Subject.Fact != "" && e.Fact != a.Question.Subject.Fact {
				continue
			}
			if a.Question.Subject.Fact != "" && e.Seen != "" {
				a.Seen = e.Seen
			}
			if name := string(e.Instrument); !strings.Contains(" "+strings.Join(by, " ")+" ", " "+name+" ") {
				by = append(by, name)
			}
		}
		if a.Question.Subject.Fact != "" && len(by) == 0 {
			a.Seen = string(flow.NotObserved)
		}
		a.By = strings.Join(by, ", ")
	}
}
