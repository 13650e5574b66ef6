package walk

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/script"
	"github.com/flowproof/lab/internal/screen"
)

// Begin says where a walk that was left goes on.
func (w *Walker) Begin(*script.Scenario) {
	if w.until > len(w.lesson.Phases) {
		w.until = 0
	}
	if w.until > 1 && !w.NoInput {
		w.say("resumed", w.until, len(w.lesson.Phases))
	}
}

// Comment begins a step: its sentences are shown, and what is typed by hand, and the learner
// says when to go on.
func (w *Walker) Comment(lines []string) {
	if w.ctx.Err() != nil {
		return
	}
	w.flush()
	n := slices.IndexFunc(w.lesson.Phases[w.step:], func(p script.Phase) bool { return slices.Equal(p.Comment, lines) })
	w.step += max(n, 0) + 1
	for len(w.pages) < w.step {
		w.pages = append(w.pages, shownStep{})
	}
	if w.step < w.until {
		return
	}
	w.heading("step", w.step)
	if !w.NoInput {
		w.progress.Step = w.step
		w.keep()
		if !w.asksOnly() {
			w.goOn()
		}
	}
}

// heading shows the number, the sentences and the commands of a step.
func (w *Walker) heading(key string, step int) {
	phase := w.lesson.Phases[step-1]
	w.blank()
	w.para("", dim, w.Language.Say(key, step, len(w.lesson.Phases)))
	w.sentences(w.lesson.Words(phase, w.Language.Code))
	typed := phase.ByHand(w.Namespace)
	if len(typed) > 0 {
		w.para("  ", dim, w.Language.Say("by.hand"))
	}
	for _, hand := range typed {
		if program, _, _ := strings.Cut(hand, " "); program == "bpftrace" && w.Installed != nil &&
			!w.Installed(program) {
			hand += "   " + w.Language.Say("not.installed", program)
		}
		w.verbatim("    ", hand)
	}
}

// asksOnly reports whether a step does nothing but ask: its first question stops by itself.
func (w *Walker) asksOnly() bool {
	lines := w.lesson.Phases[w.step-1].Lines
	return len(lines) > 0 && !slices.ContainsFunc(lines, func(l script.Line) bool {
		_, asks := l.Question()
		return !asks
	})
}

// goOn waits until the learner says so.
func (w *Walker) goOn() {
	back := w.step
	for {
		typed, ok := w.prompt("prompt.go")
		switch {
		case !ok:
			return
		case typed == "":
			return
		case typed == "b" || typed == "back":
			if back <= 1 {
				w.say("no.back")
				continue
			}
			back--
			w.again(back)
		default:
			w.unknown(typed)
		}
	}
}

// again shows a step that is done once more.
func (w *Walker) again(step int) {
	w.heading("again", step)
	for _, done := range w.pages[step-1].done {
		w.result(done)
	}
	for _, a := range w.pages[step-1].answers {
		w.para("  ", "", w.words(a.Question, step))
		w.truth(a.Question)
	}
}

// Start shows nothing: no line of a walk is ever taken back.
func (w *Walker) Start(string) {}

// Done shows a command and what it found. What infer found waits for the questions about it.
func (w *Walker) Done(step script.StepResult) {
	if w.ctx.Err() != nil {
		return // the learner has left, and it failed of that
	}
	if w.step == 0 { // commands before the first sentence
		w.step, w.pages = 1, append(w.pages, shownStep{})
	}
	shown := &w.pages[w.step-1]
	word, _, _ := strings.Cut(strings.TrimLeft(step.Command, "!? "), " ")
	if word == "predict" && step.Error == "" {
		if until := w.lesson.holds(); !w.NoInput {
			w.release(step.Line, until)
			return
		}
	}
	if step.Error == "" && !w.NoInput && w.waits(word, step.Line) {
		if len(w.held) == 0 && w.step >= w.until {
			w.para("  ", dim, w.Language.Say("held"))
		}
		w.held = append(w.held, step)
		return
	}
	shown.done = append(shown.done, step)
	if w.step >= w.until || step.Error != "" {
		w.result(step)
	}
}

// waits reports whether what a command found would answer a question that is still to come.
func (w *Walker) waits(word string, line int) bool {
	if word == "infer" {
		return w.lesson.holds()[line] > line
	}
	return len(w.held) > 0 && slices.Contains([]string{"stdout", "stderr", "cmp", "grep", "infer"}, word)
}

// release shows what was held when the last question about it is answered.
func (w *Walker) release(line int, until map[int]int) {
	for _, held := range w.held {
		if until[held.Line] == line {
			w.flush()
			return
		}
	}
}

// flush shows what is held.
func (w *Walker) flush() {
	if len(w.held) == 0 {
		return
	}
	for _, held := range w.held {
		if until, waits := w.lesson.holds()[held.Line]; waits && w.step > 0 && w.before(until) {
			return
		}
	}
	for _, held := range w.held {
		w.pages[w.step-1].done = append(w.pages[w.step-1].done, held)
		if w.step >= w.until {
			w.result(held)
		}
	}
	w.held = nil
}

// before reports whether a line of the scenario is in a step that is still to come.
func (w *Walker) before(line int) bool {
	for _, p := range w.lesson.Phases[min(w.step, len(w.lesson.Phases)):] {
		if slices.ContainsFunc(p.Lines, func(l script.Line) bool { return l.Number == line }) {
			return true
		}
	}
	return false
}

func (w *Walker) result(step script.StepResult) {
	mark := screen.SGR(green, "✓")
	if step.Error != "" {
		mark = screen.SGR(red, "✗")
	}
	elapsed := ""
	if d := time.Duration(step.Elapsed); d >= 100*time.Millisecond {
		elapsed = screen.SGR(dim, fmt.Sprintf("  (%.1f s)", d.Seconds()))
	}
	fmt.Fprintf(w.Out, "  %s %s%s\n", mark, step.Command, elapsed)
	for _, line := range script.Lines(step, w.Width) {
		fmt.Fprintln(w.Out, line)
	}
	for line := range strings.Lines(step.Error) {
		fmt.Fprintf(w.Out, "      %s\n", screen.SGR(red, strings.TrimRight(line, "\n")))
	}
}

// Restored shows what was undone.
func (w *Walker) Restored(what string) {
	if !w.begun {
		w.begun = true
		w.blank()
	}
	fmt.Fprintf(w.Out, "  %s %s\n", screen.SGR(green, "✓"), what)
}

// Note shows a line beside the lesson.
func (w *Walker) Note(format string, a ...any) {
	w.para("  ", dim, "· "+fmt.Sprintf(format, a...))
}

// End shows why a lesson broke off; a whole one ends with its table.
func (w *Walker) End(r *script.Result) {
	if w.ctx.Err() != nil {
		return
	}
	w.flush()
	if r.Status == script.Skipped {
		w.para("", "", "· "+r.Scenario+": "+r.Reason)
	}
}
