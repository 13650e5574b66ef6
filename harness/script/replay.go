package script

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe"
)

// Recorded is a run that was made before, as a bundle keeps it and judges it again.
type Recorded struct {
	Run       flow.Run
	Verdict   flow.RunVerdict
	Dumps     map[string][]byte // that inference read, by "pod.namespace"
	Recording *observe.Recording
}

// Replay goes through a scenario beside a recorded run of it: every command shows what the
// recording has of it, nothing is sent and nothing is changed. Events and Ask hear of it as of a
// run.
func Replay(ctx context.Context, s *Scenario, rec Recorded, opts Options) *Result {
	events := opts.Events
	switch {
	case events == nil:
		events = silent{}
	case !opts.ShowSecrets:
		events = hiding{events}
	}
	r := &replay{session: newSession(ctx, Lab{}, events), rec: rec,
		result: &Result{Schema: ResultSchema, Scenario: s.Name, Status: Passed, Phases: []PhaseResult{}}}
	defer r.session.Close()
	r.session.ask, r.session.Flow, r.session.columns = opts.Ask, rec.Run, opts.Width
	r.session.script, r.session.archive = s.words(), s.archive
	for pod, dump := range rec.Dumps {
		r.session.KeepDump(pod, dump)
		r.address(dump)
	}
	events.Begin(s)
	start := time.Now()
	for _, phase := range s.Phases() {
		if r.result.Err != nil || ctx.Err() != nil {
			break
		}
		if len(phase.Comment) > 0 {
			events.Comment(phase.Comment)
		}
		r.result.Phases = append(r.result.Phases, PhaseResult{Comment: phase.Comment, Steps: []StepResult{}})
		for _, line := range phase.Lines {
			if r.result.Err = cmp.Or(r.result.Err, context.Cause(ctx)); r.result.Err != nil {
				break
			}
			r.line(line, events)
		}
	}
	r.session.fill(r.result)
	r.result.Run, r.result.Verdict = &rec.Run, &rec.Verdict
	if r.result.Err != nil {
		r.result.Status, r.result.Reason = Failed, r.result.Err.Error()
	}
	r.result.Elapsed = Seconds(time.Since(start))
	events.End(r.result)
	return r.result
}

// replay is one Replay that goes on.
type replay struct {
	session *session
	rec     Recorded
	result  *Result
	sent    bool // the request's line was passed
	judged  bool
}

// address gives the address of a dump's pod its name, as show pod does.
func (r *replay) address(text []byte) {
	dump, err := configdump.Parse(text)
	if err != nil {
		return // infer has said so
	}
	defer dump.Close()
	if node := dump.Node(); node.Pod != "" && len(node.IPs) > 0 {
		r.session.variables[addressVariable(node.Pod)] = node.IPs[0]
	}
}

// errNothing says that a recording has nothing to show for a line.
var errNothing = errors.New("nothing of it is recorded")

// line shows what the recording has of one line.
func (r *replay) line(line Line, events Events) {
	r.session.out.Reset()
	r.session.folded = ""
	err := r.show(line.Words)
	if errors.Is(err, errNothing) {
		return
	}
	step := StepResult{Line: line.Number, Command: line.Text, Output: r.session.out.String(), Folded: r.session.folded}
	if err != nil {
		step.Error = err.Error()
		r.result.Err = cmp.Or(r.result.Err, err)
	}
	phase := &r.result.Phases[len(r.result.Phases)-1]
	phase.Steps = append(phase.Steps, step)
	events.Start(step.Command)
	events.Done(step)
}

func (r *replay) show(words []string) error {
	c := commandOf(words)
	if c == nil {
		return errNothing // a command of testscript's own
	}
	return c.replay(r, words[1:])
}

// nothingRecorded is the replay of a command of which a recording has nothing to show.
func nothingRecorded(*replay, []string) error { return errNothing }

// pod finds what is recorded of a pod.
func (r *replay) pod(ref string) *observe.Pod {
	if r.rec.Recording == nil {
		return nil
	}
	pods := r.rec.Recording.Pods()
	i := slices.IndexFunc(pods, func(p *observe.Pod) bool { return p.Name == r.session.FullName(ref) })
	if i < 0 {
		return nil
	}
	return pods[i]
}
