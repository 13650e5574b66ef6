// Package certainty tells what is decided from what is open. A walk asks questions where neither
// dump nor request decides; the walk is repeated with each answer, and what all come to is
// certain.
package certainty

import (
	"fmt"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
)

// What neither dump nor request decides is a question. A walk asks it and goes on with one of the
// answers, at first with the first. The request is then walked again with each other answer: what
// all walks come to is certain with any of the answers, and what differs is open. So a filter
// that may answer opens the outcome and not the route, and a header that a filter may set opens the
// route only where a route asks for it.

// Questions are those that a walk has asked so far, with the answers that it goes by, and the
// conditions of the hop that is being decided.
type Questions struct {
	Deciding flow.HopKind // the hop that is being decided
	// answers to the questions, in the order in which they are asked; a question beyond them gets
	// its first
	Given   []int
	asked   []Question
	unasked bool             // there were more questions than may be asked
	Explain bool             // every condition is kept
	Trail   []flow.Condition // conditions of the hop that is being decided, with explain
}

// maxQuestions bounds how many questions one walk asks.
const maxQuestions = 32

// A Question is something that is open, with the answers that it may have.
type Question struct {
	Key     string // the same question has the same answer
	About   flow.Dependency
	Answers int
	shares  []float64 // of the answers, where chance decides
	given   int
	unnamed bool // the question has answers that cannot be followed
}

// chance says whether a random number decides.
func (q *Question) chance() bool { return q.shares != nil }

// Ask returns which of its answers the question has in this walk: at first 0.
func (s *Questions) Ask(q Question) int {
	for _, old := range s.asked {
		if old.Key == q.Key {
			return min(old.given, q.Answers-1)
		}
	}
	if q.About.Hop == "" {
		q.About.Hop = s.Deciding
	}
	if len(s.asked) == maxQuestions { // as if nothing intervened, and said so
		s.unasked = true
		return 0
	}
	if n := len(s.asked); n < len(s.Given) {
		q.given = min(s.Given[n], q.Answers-1)
	}
	s.asked = append(s.asked, q)
	return q.given
}

// May asks a question that is answered no or yes, at first no. at is what asks for it in the dump.
func (s *Questions) May(what flow.What, on, why string, at configdump.Value) bool {
	about := flow.Dependency{On: on, What: what, Why: why, Source: at.Pointer()}
	return s.Ask(Question{Key: on + "\n" + why, About: about, Answers: 2}) == 1
}

// Open notes something that decides and whose outcomes cannot be named. The walk goes on
// with its best guess.
func (s *Questions) Open(what flow.What, on, why string, at configdump.Value) {
	about := flow.Dependency{On: on, What: what, Why: why, Source: at.Pointer()}
	s.Ask(Question{Key: on + "\n" + why + "\n" + string(what), About: about, Answers: 1, unnamed: true})
}

// Draw lets chance decide between outcomes with the given shares, and returns which is taken: at
// first 0. key tells it from other draws.
func (s *Questions) Draw(what flow.What, key, why string, at configdump.Value, shares ...float64) int {
	about := flow.Dependency{On: "chance", What: what, Why: why, Source: at.Pointer()}
	return s.Ask(Question{Key: "chance\n" + key, About: about, Answers: len(shares), shares: shares})
}

// Lot draws for something that happens to so many of so many requests. The likelier of
// both is taken first.
func (s *Questions) Lot(what flow.What, at configdump.Value, numerator, of uint64, why string) bool {
	share := float64(numerator) / float64(of)
	if share > 0.5 {
		return s.Draw(what, why, why, at, share, 1-share) == 0
	}
	return s.Draw(what, why, why, at, 1-share, share) == 1
}

// Settle turns an answer into a decision: one that depends becomes a question, at first answered as
// it would be if nothing intervened. text names the condition.
func (s *Questions) Settle(t match.Truth, what flow.What, at configdump.Value, text string) bool {
	if !t.Open() {
		return t.Yes()
	}
	about := flow.Dependency{On: t.On, What: what, Why: t.Why, Source: at.Pointer()}
	turned := s.Ask(Question{Key: t.On + "\n" + text, About: about, Answers: 2}) == 1
	return t.Guess != turned
}

// Holds is Settle for a condition that is shown with Options.Explain.
func (s *Questions) Holds(t match.Truth, what flow.What, at configdump.Value, format string, args ...any) bool {
	if !t.Open() {
		return s.Check(at, t.Yes(), format, args...)
	}
	text := fmt.Sprintf(format, args...)
	result := s.Settle(t, what, at, text)
	s.Guessed(at, result, t.On, "%s", text)
	return result
}

// Check keeps one evaluated condition when the caller wants all of them, and
// returns whether it holds.
func (s *Questions) Check(at configdump.Value, holds bool, format string, args ...any) bool {
	if s.Explain {
		s.Trail = append(s.Trail, flow.Condition{Text: fmt.Sprintf(format, args...), Source: at.Pointer(),
			Holds: holds})
	}
	return holds
}

// Compared says of the last condition which value it was held against, where conditions are kept.
func (s *Questions) Compared(value string) {
	if n := len(s.Trail); s.Explain && n > 0 {
		s.Trail[n-1].Value = value
	}
}

// Guessed keeps a condition that depends on something, and how it was taken.
func (s *Questions) Guessed(at configdump.Value, holds bool, on, format string, args ...any) {
	if s.Explain {
		s.Trail = append(s.Trail, flow.Condition{Text: fmt.Sprintf(format, args...), Source: at.Pointer(),
			Holds: holds, Depends: on})
	}
}

// Asked are the questions so far, in their order.
func (s *Questions) Asked() []Question { return s.asked }

// Unasked says whether there were more questions than may be asked.
func (s *Questions) Unasked() bool { return s.unasked }
