package main

import (
	"context"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/script"
	"github.com/flowproof/lab/harness/walk"
)

// page writes the walk of one lesson as a page, with what the learner has said so far.
func (w *walkOf) page(ctx context.Context, c *course) error {
	if len(c.lessons) != 1 {
		return fault.Usagef(
			"write page: it is of one lesson, and there are %d (`lab walk --site DIR` writes them all)",
			len(c.lessons),
		)
	}
	l := c.lessons[0]
	result, err := w.resultOf(ctx, c, l)
	if err != nil {
		return err
	}
	walk.Remember(result.Answers, w.store.Load(ctx, l.Name, l.Sum))
	p := walk.Page{
		Lesson:    l,
		Language:  w.options.Language,
		Namespace: w.options.Namespace,
		Result:    shownResult(w.app, result),
	}
	return p.Write(w.Out)
}

// resultOf is a run of a lesson in which no question is put: the recorded one, or one on the lab.
func (w *walkOf) resultOf(ctx context.Context, c *course, l *walk.Lesson) (*script.Result, error) {
	if c.recorded != nil {
		result := script.Replay(ctx, l.Scenario, *c.recorded, script.Options{ShowSecrets: w.showSecrets})
		return result, result.Err
	}
	lab, err := w.labFor(w.cmd, l.Scenario, w.flags.up, w.flags.asked)
	if err != nil {
		return nil, err
	}
	result := script.Run(ctx, lab, l.Scenario, script.Options{ShowSecrets: w.showSecrets})
	return result, result.Err
}

// shownResult is a result as a page may show it.
func shownResult(a *app, r *script.Result) *script.Result {
	out := *r
	out.Reason, out.Phases = shown(a, r.Reason), shown(a, r.Phases)
	out.Answers = shown(a, r.Answers)
	if r.Run != nil {
		run := shown(a, *r.Run)
		out.Run = &run
	}
	return &out
}
