package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/flowproof/lab/harness/bundle"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/harness/observe/trace/order"
	"github.com/flowproof/lab/harness/report"
	"github.com/flowproof/lab/harness/verify"
	"github.com/flowproof/lab/internal/screen"
)

// What --events can be.
const (
	eventPhases = "phases"
	eventRaw    = "raw"
)

var eventForms = []string{eventPhases, "all", "envoy", "kernel", eventRaw}

// reportTrace prints what became of a traced request; the error has the verdict's exit code and has
// been said.
func (a *app) reportTrace(kept bundle.Contents, body string, flags traceFlags) error {
	run, verdict, recording := kept.Run, kept.Verdict, kept.Recording.Trace
	result := traceResult{Schema: traceSchema, Answer: verify.Answered(run),
		Run: run, Verdict: verdict, Touched: run.Touched}
	result.Answer.Body = body
	if recording == nil {
		recording, flags.events = &trace.Recording{}, ""
	}
	if flags.events != "" || flags.filters {
		result.Filters = report.StepsOf(verdict.TakenPath(run.Path), recording, run.Call.RequestID)
	}
	about := recording.About(trace.Selection{RequestID: run.Call.RequestID})
	result.Probes, result.Counts, result.Envoys = recording.Probes, recording.Counts, recording.Envoys
	if flags.events != "" {
		result.Phases = report.PhasesOf(recording, about)
		for i := range recording.Events {
			if about(&recording.Events[i]) {
				result.Events = append(result.Events, recording.Events[i])
			}
		}
	}
	if a.page() {
		if err := a.writePage(kept); err != nil {
			return err
		}
		return flags.judge(run, verdict, result.Answer)
	}
	err := a.print(result, func(w io.Writer) error { return a.traceText(w, kept, flags, result, about) })
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return flags.judge(run, verdict, result.Answer)
}

// traceText writes the result as text: the answer and the verdict first, then what was asked for
// beside them.
func (a *app) traceText(w io.Writer, kept bundle.Contents, flags traceFlags, result traceResult,
	about func(*trace.Event) bool) error {
	options := report.Options{
		Color: screen.Colours(a.Out), Verbose: flags.verbose, Fold: true, Width: a.reportWidth(),
		Body: shown(a, result.Answer.Body),
	}
	if err := report.Text(w, shown(a, kept.Run), shown(a, kept.Verdict), options); err != nil {
		return err
	}
	if kept.Recording.Trace != nil {
		if err := printProbes(w, kept.Recording.Trace, a.reportWidth()); err != nil {
			return err
		}
	}
	if flags.events != "" {
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
		if err := a.printEvents(w, kept.Recording, flags.events, result, about); err != nil {
			return err
		}
	}
	if result.Filters == nil || flags.events == eventPhases && !flags.filters {
		return nil
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return shown(a, *result.Filters).Text(w, a.reportWidth())
}

// printEvents writes the events that are about the request: as phases, or as a timeline.
func (a *app) printEvents(w io.Writer, r *observe.Recording, form string, result traceResult,
	about func(*trace.Event) bool) error {
	if form == eventPhases {
		return report.Phases(w, shown(a, result.Phases), len(result.Events), a.reportWidth())
	}
	recording, unknown, left := r.Trace, 0, 0
	if form != eventRaw {
		recording, about, unknown = report.Logged(r, about)
		for i := range recording.Events {
			recording.Events[i].Text = shown(a, recording.Events[i].Text)
		}
	}
	err := order.Timeline(w, recording, func(e *trace.Event) bool {
		switch {
		case !about(e), form == "envoy" && !fromEnvoy(e), form == "kernel" && fromEnvoy(e):
			return false
		case e.Housekeeping():
			left++
			return false
		}
		return true
	}, a.reportWidth())
	if err != nil {
		return err
	}
	note := fmt.Sprintf("%d events of Envoy's housekeeping are left out (-o json has them)", left)
	if unknown > 0 {
		note += fmt.Sprintf("; … stands for values of %d log statements that the probes do not read and the sidecars' "+
			"logs do not have", unknown)
	}
	return screen.WriteHung(w, note, a.reportWidth())
}

// fromEnvoy says whether the probes on Envoy saw an event, and not those in the kernel.
func fromEnvoy(e *trace.Event) bool {
	switch e.Kind {
	case trace.Statement, trace.Value, trace.Dispatch, trace.NewRequest, trace.PoolReady:
		return true
	}
	return false
}

// printProbes says how the instrument fared: the honest line at the end.
func printProbes(w io.Writer, r *trace.Recording, columns int) error {
	if len(r.Probes) == 0 {
		return nil // it did not take part, which the verdict has said
	}
	var lines []string
	on := 0
	for _, p := range r.Probes {
		if p.Attached {
			on++
			continue
		}
		lines = append(lines, fmt.Sprintf("probe %s is off: %s", p.Name, p.Problem))
	}
	lines = append(lines, r.Off()...)
	lines = append(lines, fmt.Sprintf("ebpf: %d probes, %d events, %d lost, %d missed",
		on, r.Counts.Emitted, r.Counts.Lost, r.Counts.Missed))
	return screen.WriteHung(w, strings.Join(lines, "\n"), columns)
}
