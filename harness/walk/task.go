package walk

import (
	"context"
	"strings"

	"github.com/flowproof/lab/harness/script"
)

// attempt lets the learner mend what the lesson has broken. The hints are the verdict itself: first
// the hop that is not as it should be, then the field that decides it, then the solution.
func (w *Walker) attempt(ctx context.Context, t *script.Task) (solved bool, err error) {
	if w.step < w.until {
		return false, nil // it was mended in a walk before
	}
	w.failure(t.Failure)
	hints := w.taskHints(t)
	for {
		typed, ok := w.prompt("prompt.task")
		switch {
		case !ok:
			return false, context.Cause(w.ctx)
		case typed == "h" || typed == "hint":
			if len(hints) > 0 {
				hints[0]()
				hints = hints[1:]
			} else {
				w.say("hint.none")
			}
		case typed == "s" || typed == "skip":
			w.say("task.solved")
			w.verbatim("    ", t.Solution)
			return false, nil
		case typed == "":
			result := t.Check(ctx)
			if result.Err == nil {
				w.say("task.passes")
				return true, nil
			}
			if err := context.Cause(w.ctx); err != nil {
				return false, err // it was broken off, and says nothing of the cluster
			}
			t.Failure = result
			w.failure(result)
			hints = w.taskHints(t)
		default:
			w.unknown(typed)
		}
	}
}

// failure says what the check says.
func (w *Walker) failure(r *script.Result) {
	text, _, _ := strings.Cut(r.Reason, "\n")
	if r.Missed != nil {
		text = r.Missed.Error()
	}
	w.para("  ", red, "✗ "+w.Language.Say("task.fails", text))
}

func (w *Walker) taskHints(t *script.Task) []func() {
	var hints []func()
	if m := t.Failure.Missed; m != nil {
		hints = append(hints,
			func() { w.para("  ", "", w.Language.Say("task.hint.hop", m.Hop)) },
			func() {
				why, _ := w.Language.Because(m.Why)
				w.para("  ", "", w.Language.Say("why", why))
				if m.Source != "" {
					w.para("  ", "", w.Language.Say("from", m.Source, m.Proxy))
					w.verbatim("    ", w.look(m.Proxy, m.Source))
				}
			})
	} else {
		hints = append(hints, func() { w.para("  ", "", w.Language.Say("task.nothing", t.Failure.Reason)) })
	}
	return append(hints, func() {
		w.say("task.hint.last")
		w.verbatim("    ", t.Solution)
	})
}
