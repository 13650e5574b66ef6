// Package walk takes a learner through a lesson: it stops before each phase of a scenario, shows
// its sentences, asks its questions before anything is shown, runs it, and holds what was guessed
// beside what was inferred and what was seen. Everything is lines of text, one after the other, so
// that a screen reader can read it and any program can write the answers.
package walk

import (
	"context"
	"errors"
	"io"

	"github.com/flowproof/lab/harness/lesson"
	"github.com/flowproof/lab/harness/script"
	"github.com/flowproof/lab/internal/screen"
)

// Options say how a lesson is walked.
type Options struct {
	In       io.Reader
	Out      io.Writer // a screen.Writer has colours where its stream shows them
	Width    int       // columns to wrap at; 0: 80
	Language lesson.Language
	Echo     bool // show what is read: the input is no terminal, which does it by itself
	NoInput  bool // read on without stopping; nothing is asked
	// Namespace is where pods are that a lesson names without one.
	Namespace string
	// Shell runs one line of a shell in the lab, or an open one for ""; nil: there is none.
	Shell func(ctx context.Context, line string) error
	// Explain says what a term is; nil: there is no glossary.
	Explain func(term string) (string, error)
	// Dump is the file of a sidecar's dump where the walk is of a recorded run;
	// nil: it is of a lab.
	Dump func(proxy string) string
	// Installed reports whether a program is on this machine; nil: any is.
	Installed func(program string) bool
	// Again is the command line that goes on with this lesson.
	Again string
}

// ErrQuit ends a walk that the learner has left; what was reached is kept.
var ErrQuit = errors.New("the lesson was left")

// A Walker takes one learner through one lesson. It hears the scenario's run as script.Events and
// answers its questions.
type Walker struct {
	Options
	lesson   *Lesson
	progress *lesson.Progress
	save     func(*lesson.Progress) error
	lines    *lines
	leave    context.CancelCauseFunc
	ctx      context.Context

	until int // steps before this one are done again without stopping
	step  int // that goes on, from 1
	pages []shownStep
	asked int  // questions so far
	begun bool // Restored has been told under its heading
	saved error
	held  []script.StepResult // what infer found, until its questions are answered
}

// shownStep is what was shown of one step, for who goes back.
type shownStep struct {
	done    []script.StepResult
	answers []lesson.Answer
}

var _ script.Events = (*Walker)(nil)

// New makes a Walker of a lesson. save keeps progress as the walk goes on.
func New(l *Lesson, progress *lesson.Progress, save func(*lesson.Progress) error, opts Options) *Walker {
	if opts.Width <= 0 {
		opts.Width = 80
	}
	opts.Out = screen.New(opts.Out)
	if progress.Done {
		progress.Step, progress.Done = 0, false
		progress.Answers = map[string]lesson.Answer{}
	}
	return &Walker{
		Options:  opts,
		lesson:   l,
		progress: progress,
		save:     save,
		lines:    newLines(opts.In),
		until:    progress.Step,
	}
}

// Replay walks a lesson beside a recorded run of it: no lab is needed, and nothing is sent.
func (w *Walker) Replay(ctx context.Context, rec script.Recorded, opts script.Options) (*script.Result, error) {
	ctx, w.leave = context.WithCancelCause(ctx)
	defer w.leave(nil)
	w.ctx, w.Shell = ctx, nil
	opts.Events, opts.Ask, opts.Width = w, w.ask, w.Width-len(script.ResultIndent)
	if w.NoInput {
		opts.Ask = nil
	}
	w.say("recorded", rec.Run.Call.URL, rec.Run.Sent.UTC().Format("2006-01-02 15:04:05 UTC"))
	result := script.Replay(ctx, w.lesson.Scenario, rec, opts)
	return result, w.finish(result)
}

// Walk runs a lesson's scenario on a lab, or on none where it needs none, and returns its result
// when everything is restored. An error that is ErrQuit says that the learner has left.
func (w *Walker) Walk(ctx context.Context, lab script.Lab, opts script.Options) (*script.Result, error) {
	ctx, w.leave = context.WithCancelCause(ctx)
	defer w.leave(nil)
	w.ctx = ctx
	opts.Events, opts.Ask, opts.Attempt, opts.Width = w, w.ask, w.attempt, w.Width-len(script.ResultIndent)
	if w.NoInput {
		opts.Ask, opts.Attempt = nil, nil
	}
	result := script.Run(ctx, lab, w.lesson.Scenario, opts)
	return result, w.finish(result)
}

// finish keeps the progress and shows the table of the end.
func (w *Walker) finish(result *script.Result) error {
	if errors.Is(context.Cause(w.ctx), ErrQuit) {
		w.keep()
		w.say("quit", w.step, len(w.lesson.Phases), w.Again)
		return errors.Join(ErrQuit, w.saved)
	}
	if result.Err == nil {
		w.answers(result)
		w.progress.Done, w.progress.Step = true, 0
	}
	w.keep()
	return errors.Join(result.Err, w.saved)
}

// keep keeps the progress; the first failure is told at the end, since a lesson can be walked
// without being kept.
func (w *Walker) keep() {
	if w.NoInput || w.save == nil {
		return
	}
	if err := w.save(w.progress); err != nil && w.saved == nil {
		w.saved = err
	}
}

// quit ends the run: what was changed is restored before Walk returns.
func (w *Walker) quit() { w.leave(ErrQuit) }
