package walk

import (
	"context"
	"fmt"

	"github.com/flowproof/lab/harness/lesson"
)

// ask puts a question and explains the answer. A question that was answered in a walk
// before is not asked again.
func (w *Walker) ask(_ context.Context, q lesson.Question) (lesson.Answer, error) {
	w.asked++
	key := fmt.Sprintf("%d/%d %s", w.step, w.asked, q.Key())
	answer, kept := w.progress.Answers[key]
	answer.Question = q
	if !kept || w.step >= w.until && answer.Guess == "" && !answer.Skipped {
		answer = w.put(q)
		if err := context.Cause(w.ctx); err != nil {
			return answer, err
		}
	}
	w.progress.Answers[key] = answer
	shown := &w.pages[w.step-1]
	shown.answers = append(shown.answers, answer)
	return answer, nil
}

// words are a question's words in the learner's language.
func (w *Walker) words(q lesson.Question, step int) string {
	return w.lesson.words(w.lesson.Phases[max(step, 1)-1], q, w.Language)
}

// pose shows a question and what can be chosen from.
func (w *Walker) pose(q lesson.Question) {
	w.blank()
	w.para("  ", dim, w.Language.Say("question", w.asked, w.lesson.Questions()))
	w.para("  ", bold, w.words(q, w.step))
	for i, c := range q.Choices {
		lead := fmt.Sprintf("    %d  ", i+1)
		for _, line := range folded(c.Name, w.Width-len(lead)) {
			fmt.Fprintln(w.Out, lead+line)
			lead = "       "
		}
	}
}

// put asks until there is an answer.
func (w *Walker) put(q lesson.Question) lesson.Answer {
	w.pose(q)
	answer := lesson.Answer{Question: q}
	q = q.In(w.Language)
	hints := w.hints(q)
	for {
		typed, ok := w.promptFor(q)
		switch {
		case !ok:
			return answer
		case typed == "h" || typed == "hint":
			hint := func() { w.para("  ", "", w.Language.Say("hint.none")) }
			if len(hints) > 0 {
				hint, hints = hints[0], hints[1:]
			}
			hint()
			continue
		case typed == "b" || typed == "back":
			if w.step > 1 {
				w.again(w.step - 1)
				w.pose(q)
			} else {
				w.say("no.back")
			}
			continue
		case typed == "s" || typed == "skip":
			answer.Skipped = true
			w.say("skipped")
		case typed == "" && len(q.Choices) > 0:
			w.say("empty.choice")
			continue
		case typed == "":
			w.say("empty.value")
			continue
		case len(q.Choices) > 0:
			c, known := q.Choose(typed)
			if !known {
				w.unknown(typed)
				continue
			}
			answer.Guess, answer.Right = c.Name, c.Right
			w.grade(answer, w.Language.Lost(q, c), "wrong")
		default:
			answer.Guess, answer.Right = typed, q.Right(typed)
			w.grade(answer, "", "wrong.value")
		}
		answer.Tries++
		w.truth(q)
		return answer
	}
}

func (w *Walker) promptFor(q lesson.Question) (string, bool) {
	if len(q.Choices) > 0 {
		return w.prompt("prompt.choice", len(q.Choices))
	}
	return w.prompt("prompt.value")
}

// hints are what can be said before an answer, one after the other: the lesson's own, then why one
// wrong answer is wrong, or where a value is decided.
func (w *Walker) hints(q lesson.Question) []func() {
	var hints []func()
	add := func(text string) { hints = append(hints, func() { w.para("  ", "", text) }) }
	if q.Hint != "" {
		add(q.Hint)
	}
	if len(q.Choices) > 2 {
		for _, c := range q.Choices {
			if !c.Right && c.Why != "" {
				add(w.Language.Say("eliminated", c.Name, w.Language.Lost(q, c)))
				break
			}
		}
	}
	if q.Source != "" && q.Proxy != "" {
		hints = append(hints, func() {
			w.para("  ", "", w.Language.Say("hint.value", q.Source, q.Proxy))
			w.verbatim("    ", w.look(q.Proxy, q.Source))
		})
	}
	return hints
}

// grade says whether an answer is right, and of a wrong one why it is not: the reason for
// which it really lost.
func (w *Walker) grade(a lesson.Answer, why, wrong string) {
	if a.Right {
		w.para("  ", green, w.Language.Say("right"))
		return
	}
	w.para("  ", red, w.Language.Say(wrong, a.Guess))
	if why != "" {
		w.para("    ", "", why)
	}
}

// truth says what was inferred, why, and from which field.
func (w *Walker) truth(q lesson.Question) {
	w.para("  ", "", w.Language.Say("inferred", q.Answer))
	if q.Why != "" {
		w.para("    ", "", w.Language.Say("why", q.Why))
	}
	if q.Source != "" {
		w.para("    ", dim, w.Language.Say("from", q.Source, q.Proxy))
	}
}

// look is the command that shows a field: of the sidecar, or of its dump in the recorded run.
func (w *Walker) look(proxy, source string) string {
	if w.Dump != nil {
		return w.Language.Say("look.kept", w.Dump(proxy), source)
	}
	return w.Language.Say("look", proxy, source)
}
