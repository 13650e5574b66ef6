package script

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/flowproof/lab/harness/report"
	"github.com/flowproof/lab/internal/screen"
)

// Live is the Events that prints a run as a report while it goes on: the comments as sentences, and
// beneath each what its commands found.
type Live struct {
	Width int // columns of the terminal; 0: lines are as long as they are

	mu        sync.Mutex
	w         io.Writer
	terminal  bool // may move its cursor: a running command is shown before it has ended
	pending   bool
	restoring bool
}

// NewLive returns a Live for w, which shows colours and a running command where it is an
// screen.Writer on a terminal. On a terminal no line is longer than it is wide.
func NewLive(w io.Writer) *Live {
	return &Live{w: screen.New(w), terminal: screen.IsTerminal(w), Width: screen.Width(w)}
}

// The colours of a report, as SGR parameters (ECMA-48).
const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
)

func (l *Live) paint(colour, text string) string { return screen.SGR(colour, text) }

// Begin prints nothing: the first comment says what the scenario is.
func (l *Live) Begin(*Scenario) {}

// Comment prints a paragraph.
func (l *Live) Comment(lines []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(l.w)
	for _, line := range Sentences(lines, l.Width) {
		fmt.Fprintln(l.w, l.paint(bold, line))
	}
}

// Start shows the command that runs, on a terminal only.
func (l *Live) Start(command string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.terminal {
		fmt.Fprintf(l.w, "  … %s", command)
		l.pending = true
	}
}

// Done prints a command with its result: the summary on its own line, the rest beneath.
func (l *Live) Done(step StepResult) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wipe()
	mark := l.paint(green, "✓")
	if step.Error != "" {
		mark = l.paint(red, "✗")
	}
	fmt.Fprintf(l.w, "  %s %s%s\n", mark, step.Command, l.elapsed(step.Elapsed))
	for _, line := range Lines(step, l.Width) {
		fmt.Fprintln(l.w, line)
	}
	for line := range strings.Lines(step.Error) {
		for _, line := range screen.Hang("      ", strings.TrimRight(line, "\n"), l.Width) {
			fmt.Fprintln(l.w, l.paint(red, line))
		}
	}
}

// Restored prints what was undone, under a heading of its own.
func (l *Live) Restored(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wipe()
	if !l.restoring {
		l.restoring = true
		fmt.Fprintf(l.w, "\n%s\n", l.paint(bold, "The lab is again as it was."))
	}
	fmt.Fprintf(l.w, "  %s %s\n", l.paint(green, "✓"), what)
}

// Note prints a line beside the script.
func (l *Live) Note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wipe()
	fmt.Fprintln(l.w, l.paint(dim, "  · "+fmt.Sprintf(format, args...)))
}

// End prints how the scenario ended.
func (l *Live) End(r *Result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wipe()
	elapsed := time.Duration(r.Elapsed).Round(10 * time.Millisecond)
	if len(r.Touched) > 0 {
		fmt.Fprintf(l.w, "\n%s\n", report.Touched(r.Touched))
	}
	switch r.Status {
	case Passed:
		fmt.Fprintf(l.w, "\n%s %s passed in %s\n", l.paint(green, "✓"), r.Scenario, elapsed)
	case Skipped:
		fmt.Fprintf(l.w, "\n· %s skipped: %s\n", r.Scenario, r.Reason)
	default:
		fmt.Fprintf(l.w, "\n%s %s failed after %s%s\n", l.paint(red, "✗"), r.Scenario, elapsed, place(r))
		if !told(r) {
			fmt.Fprintf(l.w, "  %s\n", l.paint(red, r.Reason))
		}
	}
}

// place names the line of a file that a scenario failed at; "": it failed outside of its commands.
func place(r *Result) string {
	for _, p := range r.Phases {
		for _, step := range p.Steps {
			if step.Error != "" && step.Line > 0 {
				return fmt.Sprintf(", at %s.txtar:%d", r.Scenario, step.Line)
			}
		}
	}
	return ""
}

// told says whether a command's line has the reason already; what failed outside of the
// script has no such line.
func told(r *Result) bool {
	for _, p := range r.Phases {
		for _, step := range p.Steps {
			if step.Error != "" && strings.HasSuffix(r.Reason, step.Error) {
				return true // a failed assertion's reason has its place in the file before it
			}
		}
	}
	return false
}

// wipe takes the line of the running command away.
func (l *Live) wipe() {
	if l.pending {
		fmt.Fprint(l.w, screen.EraseLine())
		l.pending = false
	}
}

// elapsed is shown when it was long enough to be noticed.
func (l *Live) elapsed(s Seconds) string {
	d := time.Duration(s)
	if d < 100*time.Millisecond {
		return ""
	}
	return l.paint(dim, fmt.Sprintf("  (%.1f s)", d.Seconds()))
}
