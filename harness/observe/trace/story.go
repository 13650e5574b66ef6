package trace

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// A Line is one event as a story tells it: thread, descriptor, and what happened. Where the event is about an object of Envoy's,
// it has the descriptor of the connection that the object is.
type Line struct {
	Event *Event
	Text  string
}

// Pod is the name of the pod that the event happened in, without its namespace.
func (l *Line) Pod() string {
	pod, _, _ := strings.Cut(l.Event.Pod, ".")
	return pod
}

// Story tells events in the order of time. keep says which; nil keeps all.
func (r *Recording) Story(keep func(*Event) bool) []Line {
	j := newJournal(r.Events)
	threads := map[threadID]string{}
	for i := range r.Events {
		e := &r.Events[i]
		threads[threadID{e.PID, e.TID}] = e.Thread
	}
	var lines []Line
	for i := range r.Events {
		if e := &r.Events[i]; keep == nil || keep(e) {
			// A thread has its parent's name until it is given its own, and may have begun its work before.
			named := *e
			named.Thread = threads[threadID{e.PID, e.TID}]
			lines = append(lines, Line{e, j.tell(e, &named)})
		}
	}
	return lines
}

// tell says an event, which named is too, with descriptors in the place of Envoy's objects, where they are known.
func (j *journal) tell(e, named *Event) string {
	at, to := j.places[e].fds()
	if at < 0 || e.FD >= 0 {
		return named.String()
	}
	what := e.what()
	switch e.Kind {
	case Dispatch:
		what = "turns to the connection"
	case NewRequest:
		what = "upstream request begins"
	case PoolReady:
		what = "upstream request is given a connection" + e.Ends.text()
		if to >= 0 {
			what = fmt.Sprintf("upstream request is given fd %d", to)
		}
	}
	return named.line(at, what)
}

// Timeline writes events in order of time, a line each: microseconds since the first, pod, process and thread, and what
// happened. keep says which; nil keeps all. What repeats itself at once is one line.
func (r *Recording) Timeline(w io.Writer, keep func(*Event) bool) error {
	var lines []Line
	repeated := 1
	for _, l := range r.Story(keep) {
		if n := len(lines); n > 0 && lines[n-1].Event.Pod == l.Event.Pod && strings.TrimSuffix(lines[n-1].Text, times(repeated)) == l.Text {
			repeated++
			lines[n-1].Text = l.Text + times(repeated)
			continue
		}
		repeated = 1
		lines = append(lines, l)
	}
	return WriteLines(w, lines, true)
}

func times(n int) string {
	if n < 2 {
		return ""
	}
	return fmt.Sprintf(" (%d times)", n)
}

// housekeeping begins the log statements that say nothing of a request: timers, deferred deletion, points of overload.
var housekeeping = []string{"LoadShedPoint ", "enableTimer called on ", "item added to deferred deletion list", "clearing deferred deletion list"}

// Housekeeping says of an event that it is Envoy's own business, whatever request is served.
func (e *Event) Housekeeping() bool {
	return e.Kind == Statement && slices.ContainsFunc(housekeeping, func(prefix string) bool { return strings.HasPrefix(e.Text, prefix) })
}

// WriteLines writes a story: microseconds since its first event, the pod unless there is one alone, and the line.
func WriteLines(w io.Writer, lines []Line, pods bool) error {
	var start time.Time
	for i := range lines {
		l := &lines[i]
		if i == 0 {
			start = l.Event.Time
		}
		pod := ""
		if pods {
			pod = fmt.Sprintf("%-14s ", l.Pod())
		}
		if _, err := fmt.Fprintf(w, "%9d µs  %s%s\n", l.Event.Time.Sub(start).Microseconds(), pod, l.Text); err != nil {
			return err
		}
	}
	return nil
}
