package script

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/lazyregexp"
)

// Events hears of a run while it goes on. Its methods are called one after the other.
type Events interface {
	Begin(s *Scenario)
	Comment(lines []string)       // a phase begins
	Start(command string)         // a command begins
	Done(step StepResult)         // it ended
	End(result *Result)           // the scenario ended and everything is restored
	Restored(what string)         // a change to the lab was undone
	Note(format string, a ...any) // something beside the script
}

// Options say how a scenario is run.
type Options struct {
	Update bool   // rewrite the scenario's golden files in Result.Updated instead of failing
	Events Events // nil: none are told
	Width  int    // columns of the screen that Events shows results on; 0: any
	// ShowSecrets tells Events what is hidden from it otherwise. The Result is never without its
	// secrets: who shows it takes them out.
	ShowSecrets bool
	// Ask puts the scenario's questions to a learner; nil: there is no learner.
	Ask Ask
	// Attempt lets a learner mend what a task has broken; nil: its solution is applied.
	Attempt Attempt
	within  *session // that waits for this one; nil: there is none
}

// Run runs a scenario on a lab. It returns when everything that the scenario changed outside itself
// is restored; when ctx ends, the command that runs is cancelled and the scenario ends so. The
// Result is never nil.
func Run(ctx context.Context, lab Lab, s *Scenario, opts Options) *Result {
	r := &runner{
		ctx: ctx, scenario: s, events: opts.Events, result: &Result{Schema: ResultSchema, Scenario: s.Name,
			Status: Passed, Phases: []PhaseResult{}},
	}
	switch {
	case r.events == nil:
		r.events = silent{}
	case !opts.ShowSecrets:
		r.events = hiding{r.events}
	}
	r.events.Begin(s)
	start := time.Now()
	r.session = newSession(ctx, lab, r.events)
	r.session.script, r.session.ask, r.session.attempt, r.session.columns = s.words(), opts.Ask,
		opts.Attempt, opts.Width
	if opts.within != nil {
		r.session.Inside(opts.within.Session)
	}
	if err := r.run(opts); err != nil {
		r.fail(err)
	}
	r.finishStep("")
	for r.result.Status == Passed && r.phase < len(r.scenario.phases)-1 { // comments after the last command
		r.finishPhase()
		r.beginPhase()
	}
	r.finishPhase()
	if err := r.session.close(); err != nil {
		r.fail(fault.Environmentf("restore what the scenario changed: %w", err))
	}
	if r.result.Err != nil && ctx.Err() != nil {
		r.result.Err = &fault.Error{Kind: fault.Interrupted, Err: r.result.Err}
	}
	r.session.fill(r.result)
	r.result.Elapsed = Seconds(time.Since(start))
	r.events.End(r.result)
	return r.result
}

// runner runs one scenario through testscript and keeps the account of it.
type runner struct {
	ctx        context.Context
	scenario   *Scenario
	session    *session
	events     Events
	result     *Result
	step       *StepResult // the command that runs
	stepStart  time.Time
	phase      int // index into the scenario's phases; -1 before the first
	phaseStart time.Time
	log        string
	failed     bool
}

// run gives testscript the instrumented scenario in a directory of its own.
func (r *runner) run(opts Options) error {
	r.phase = -1
	if r.scenario.broken != nil {
		return r.scenario.broken
	}
	dir, err := r.session.workDir()
	if err != nil {
		return err
	}
	file := filepath.Join(dir, r.scenario.Name+".txtar")
	text := r.scenario.instrumented()
	if n := r.scenario.misspelt(); n > 0 {
		text = onlyLine(text, n)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return fault.Environmentf("write scenario: %w (is the disk full? TMPDIR names another)", err)
	}
	params := testscript.Params{
		Files: []string{file}, WorkdirRoot: dir, UpdateScripts: opts.Update, RequireUniqueNames: true,
		Cmds: r.commands(), Condition: r.condition,
		Setup: func(env *testscript.Env) error {
			r.session.dir = env.WorkDir
			env.Setenv("HOME", env.WorkDir)
			if r.session.Lab.Mesh != nil {
				path, err := r.session.kubeconfig(dir)
				if err != nil {
					return err
				}
				env.Setenv("KUBECONFIG", path)
			}
			if r.scenario.Files != nil {
				return os.CopyFS(env.WorkDir, r.scenario.Files)
			}
			return nil
		},
	}
	t := &scriptT{runner: r}
	t.Run(r.scenario.Name, func(t testscript.T) { testscript.RunT(t, params) })
	if r.failed && r.result.Reason == "" {
		r.fail(r.logError())
	}
	if opts.Update {
		if rewritten, err := os.ReadFile(file); err == nil && string(rewritten) != string(text) {
			r.result.Updated = r.scenario.updated(rewritten)
		}
	}
	return nil
}

// fail keeps the first failure: what follows is often its consequence.
func (r *runner) fail(err error) {
	if r.result.Err != nil {
		r.result.Err = errors.Join(r.result.Err, err)
		r.result.Reason = r.result.Err.Error()
		return
	}
	r.result.Status, r.result.Err, r.result.Reason = Failed, err, err.Error()
}

// condition answers for the conditions of the table, and is how the runner learns which line runs.
func (r *runner) condition(cond string) (bool, error) {
	if text, ok := strings.CutPrefix(cond, lineCondition); ok {
		number, err := strconv.Atoi(text)
		if err != nil {
			return false, err
		}
		r.reach(number)
		return true, nil
	}
	return r.session.condition(cond)
}

// reach notes that a line is about to run: the one before has ended well, and maybe
// a phase with it.
func (r *runner) reach(number int) {
	r.finishStep("")
	for i, p := range r.scenario.phases {
		for _, st := range p.lines {
			if st.number != number {
				continue
			}
			for r.phase < i {
				r.finishPhase()
				r.beginPhase()
			}
			r.step = &StepResult{Line: number, Command: conditions.ReplaceAllString(st.text, "")}
			r.stepStart = time.Now()
			r.events.Start(r.step.Command)
		}
	}
}

func (r *runner) beginPhase() {
	r.phase++
	r.phaseStart = time.Now()
	r.result.Phases = append(r.result.Phases, PhaseResult{Comment: r.scenario.phases[r.phase].comment,
		Steps: []StepResult{}})
	if comment := r.scenario.phases[r.phase].comment; len(comment) > 0 {
		r.events.Comment(comment)
	}
}

func (r *runner) finishPhase() {
	if len(r.result.Phases) > 0 {
		r.result.Phases[len(r.result.Phases)-1].Elapsed = Seconds(time.Since(r.phaseStart))
	}
}

// finishStep ends the command that runs, with the error that it ended with, or none.
func (r *runner) finishStep(failure string) {
	if r.step == nil {
		return
	}
	r.step.Elapsed = Seconds(time.Since(r.stepStart))
	r.step.Error = failure
	phase := &r.result.Phases[len(r.result.Phases)-1]
	phase.Steps = append(phase.Steps, *r.step)
	r.events.Done(*r.step)
	r.step = nil
}

// commands binds the table of commands to the run.
func (r *runner) commands() map[string]func(*testscript.TestScript, bool, []string) {
	bound := map[string]func(*testscript.TestScript, bool, []string){}
	for _, c := range Commands() {
		bound[c.Name] = func(ts *testscript.TestScript, neg bool, args []string) { r.call(ts, c, neg, args) }
	}
	return bound
}

// call runs one of our commands. With ! before it the command has to fail, and its error is
// what stderr then holds.
func (r *runner) call(ts *testscript.TestScript, c Command, neg bool, args []string) {
	out, err := r.session.call(c, args)
	_, _ = ts.Stdout().Write([]byte(out))
	for name, value := range r.session.variables {
		ts.Setenv(name, value)
	}
	if r.step != nil {
		r.step.Output, r.step.Folded = out, r.session.folded
	}
	switch {
	case err != nil && neg && r.ctx.Err() == nil:
		_, _ = fmt.Fprintln(ts.Stderr(), err)
	case err != nil:
		r.fail(err)
		r.finishStep(err.Error())
		ts.Fatalf("%v", err)
	case neg:
		err := fault.Mismatchf("%s: it succeeded, and the scenario says it must not", c.Name)
		r.fail(err)
		r.finishStep(err.Error())
		ts.Fatalf("%v", err)
	}
}

// failLine is how testscript ends the log of a failed script.
var failLine = lazyregexp.New(`(?m)^FAIL: (?:[^\n]*?):(\d+): (.*)$`)

// logError makes an error of a failure that none of our commands reported: a failed assertion such
// as stdout or cmp is a mismatch, a line that is no script is bad input.
func (r *runner) logError() error {
	m := failLine.FindStringSubmatch(r.log)
	if m == nil {
		return fault.Usagef("run %s: %s", r.scenario.Name, strings.TrimSpace(r.log))
	}
	number, _ := strconv.Atoi(m[1])
	if r.step == nil { // a condition failed, so the line was never reached
		r.reach(number)
	}
	failure := fault.Mismatchf
	for _, word := range []string{"unknown command", "unknown condition", "bad condition", "usage:", "unterminated",
		"missing command", "! on line"} {
		if strings.HasPrefix(m[2], word) {
			failure = fault.Usagef
		}
	}
	r.finishStep(m[2])
	return failure("%s.txtar:%d: %s", r.scenario.Name, number, m[2])
}
