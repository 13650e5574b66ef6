package script

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/observe/curl"
	"github.com/flowproof/lab/harness/observe/instrument"
	"github.com/flowproof/lab/harness/observe/sockets"
	"github.com/flowproof/lab/harness/observe/stats"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/internal/bytesize"
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
	s := r.session
	switch words[0] {
	case "dump":
		dump := s.KeptDump(s.FullName(words[len(words)-1]))
		if dump == nil {
			return errNothing
		}
		sections, err := sectionsOf(dump)
		s.print("%s in %d sections: %s", bytesize.Text(int64(len(dump))), len(sections), strings.Join(sections, ", "))
		return err
	case "infer":
		s.print("%s, %s", ending(r.rec.Run.Path), plural(len(r.rec.Run.Path.Hops), "hop"))
		for _, hop := range r.rec.Run.Path.Hops {
			s.print("%-24s %s", nameOf(hop), hop.Decision)
		}
		return nil
	case "predict":
		return predictCommand.run(s, words[1:])
	case "request":
		r.sent = true
		return r.request()
	case "observe":
		s.printWatches()
		return nil
	case "verify":
		if r.judged {
			return errNothing
		}
		r.judged = true
		if err := s.printVerdict(r.rec.Verdict); err != nil {
			return err
		}
		return s.judgeAnswers(r.rec.Verdict)
	case "events":
		return r.events(words[1:])
	case "sockets":
		return r.sockets(words[1:])
	case "stats":
		return r.stats(words[1:])
	}
	return errNothing
}

func (r *replay) request() error {
	if r.rec.Recording == nil || r.rec.Recording.Curl == nil {
		return errNothing
	}
	told, err := curl.Parse(r.rec.Recording.Curl)
	if err != nil {
		return fmt.Errorf("read what curl said: %w", err)
	}
	if told.Status == 0 {
		r.session.print("no answer: %s", told.Failure)
		return nil
	}
	r.session.print("status %d, from %s to %s", told.Status, told.Local, told.Remote)
	return nil
}

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

// events holds the orders of events against the recorded ones. A line that needs a name that only
// the cluster had is left out, and so is one about a pod that was not traced.
func (r *replay) events(args []string) error {
	recording := r.rec.Recording
	if recording == nil || recording.Trace == nil || len(args) < 2 || args[0] == "-all" ||
		!slices.ContainsFunc(recording.Trace.Pods, func(p trace.Pod) bool {
			return p.Name == r.session.FullName(args[0])
		}) {
		return errNothing
	}
	if _, err := r.session.patterns(fileNames(args[1:])); err != nil {
		return errNothing
	}
	return r.session.eventsOf(recording.Trace, args[0], fileNames(args[1:]), false)
}

func (r *replay) sockets(args []string) error {
	pod := r.pod(args[0])
	if pod == nil {
		return errNothing
	}
	text := pod.Part(instrument.SocketsBefore)
	if r.sent {
		text = pod.Part(instrument.SocketsAfter)
	}
	if text == nil {
		return errNothing
	}
	rows, err := sockets.Parse(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("read the socket table of %s: %w", pod.Name, err)
	}
	if len(args) != 3 {
		r.session.printTable(rows)
		return nil
	}
	ref, port, _ := strings.Cut(args[2], ":")
	server := r.pod(ref)
	if server == nil {
		return errNothing
	}
	target, err := netip.ParseAddrPort(net.JoinHostPort(server.IP, port))
	if err != nil {
		return fmt.Errorf("read the target %s: %w", args[2], err)
	}
	return r.session.printConnections(pod.Name, rows, target)
}

func (r *replay) stats(refs []string) error {
	shown := false
	for _, ref := range refs {
		pod := r.pod(ref)
		if pod == nil || pod.Part(instrument.StatsBefore) == nil {
			continue
		}
		shown = true
		before, _ := stats.Parse(bytes.NewReader(pod.Part(instrument.StatsBefore))) // what is kept can be read
		after, _ := stats.Parse(bytes.NewReader(pod.Part(instrument.StatsAfter)))
		if r.sent {
			r.session.printMoved(pod.Name, before, after)
		} else {
			r.session.print("%s: %s", pod.Name, plural(len(before), "counter"))
		}
	}
	if !shown {
		return errNothing
	}
	return nil
}
