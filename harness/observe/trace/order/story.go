package order

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/internal/screen"
)

// A Line is one event as a story tells it: thread, descriptor, and what happened. Where the event
// is about an object of Envoy's, it has the descriptor of the connection that the object is.
type Line struct {
	Event *trace.Event
	Text  string
}

// Pod is the name of the pod that the event happened in, without its namespace.
func (l *Line) Pod() string {
	pod, _, _ := strings.Cut(l.Event.Pod, ".")
	return pod
}

// Story tells the events of a recording in the order of time. keep says which; nil keeps all.
func Story(r *trace.Recording, keep func(*trace.Event) bool) []Line {
	type thread struct{ pid, tid uint32 }
	descriptors := r.Descriptors()
	threads := map[thread]string{}
	for i := range r.Events {
		e := &r.Events[i]
		threads[thread{e.PID, e.TID}] = e.Thread
	}
	var lines []Line
	for i := range r.Events {
		if e := &r.Events[i]; keep == nil || keep(e) {
			// A thread has its parent's name until it is given its own, and may have
			// begun its work before.
			named := *e
			named.Thread = threads[thread{e.PID, e.TID}]
			lines = append(lines, Line{e, named.Tell(descriptors(e))})
		}
	}
	return lines
}

// Timeline writes events in order of time, a line each: microseconds since the first, pod,
// process and thread, and what happened. keep says which; nil keeps all. What repeats
// itself at once is one line.
// columns is the width of the screen; 0: lines are as long as they are.
func Timeline(w io.Writer, r *trace.Recording, keep func(*trace.Event) bool, columns int) error {
	var lines []Line
	repeated := 1
	for _, l := range Story(r, keep) {
		if n := len(lines); n > 0 && lines[n-1].Event.Pod == l.Event.Pod &&
			strings.TrimSuffix(lines[n-1].Text, times(repeated)) == l.Text {
			repeated++
			lines[n-1].Text = l.Text + times(repeated)
			continue
		}
		repeated = 1
		lines = append(lines, l)
	}
	return WriteLines(w, lines, true, columns)
}

func times(n int) string {
	if n < 2 {
		return ""
	}
	return fmt.Sprintf(" (%d times)", n)
}

// WriteLines writes a story: microseconds since its first event, the pod unless there is one
// alone, and the line. One that is longer than the columns of the screen is folded; 0: none is.
func WriteLines(w io.Writer, lines []Line, pods bool, columns int) error {
	var start time.Time
	longest := 0
	for i := range lines {
		longest = max(longest, len(lines[i].Pod()))
	}
	for i := range lines {
		l := &lines[i]
		if i == 0 {
			start = l.Event.Time
		}
		pod := ""
		if pods {
			pod = fmt.Sprintf("%-*s  ", longest, l.Pod())
		}
		line := fmt.Sprintf("%9d µs  %s%s", l.Event.Time.Sub(start).Microseconds(), pod, l.Text)
		if err := screen.WriteHung(w, line, columns); err != nil {
			return err
		}
	}
	return nil
}
