package report

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/observe/envoylog"
	"github.com/flowproof/lab/harness/observe/instrument"
	"github.com/flowproof/lab/harness/observe/trace"
)

// How far the time of a line of Envoy's log can be from the time at which the probes saw its
// statement: they have the same clock, the probe comes first, and both are read in microseconds.
const (
	lineBefore = 50 * time.Microsecond
	lineAfter  = 500 * time.Microsecond
)

// Logged returns the recording with the values of the log statements filled in, as far as the log
// of the sidecar has the statement: the probes read a statement's format, in which {} stands for
// each value. It also says how many statements have values that stay unknown, for which a … stands:
// those of a level that was not logged, and those of which two threads had the same one at the same
// time. about says which events are looked at.
func Logged(r *observe.Recording, about func(*trace.Event) bool) (filled *trace.Recording,
	mine func(*trace.Event) bool, unknown int) {
	all := *r.Trace
	all.Events = slices.Clone(all.Events)
	lines := linesOf(r)
	places := map[place][]*trace.Event{}
	for i := range r.Trace.Events {
		if e := &r.Trace.Events[i]; e.Kind == trace.Statement {
			at := place{e.Pod, statementAt(e)}
			places[at] = append(places[at], e)
		}
	}
	chosen := map[*trace.Event]bool{}
	for i := range all.Events {
		was, is := &r.Trace.Events[i], &all.Events[i]
		if !about(was) {
			continue
		}
		chosen[is] = true
		if was.Kind != trace.Statement {
			continue
		}
		at := place{was.Pod, statementAt(was)}
		if said, ok := lineOf(was, lines[at], places[at]); ok {
			is.Text = said
			continue
		}
		is.Text = strings.ReplaceAll(strings.TrimPrefix(was.Text, "{}"), "{}", "…")
		if strings.Contains(is.Text, "…") {
			unknown++
		}
	}
	return &all, func(e *trace.Event) bool { return chosen[e] }, unknown
}

// A place is where a statement stands: the pod whose Envoy has it, and file:line.
type place struct{ pod, at string }

func statementAt(e *trace.Event) string {
	at, _, _ := strings.Cut(e.Where, " ")
	return at
}

// linesOf are the lines of all sidecars' logs by the statement that wrote them.
func linesOf(r *observe.Recording) map[place][]*envoylog.Line {
	all := map[place][]*envoylog.Line{}
	for _, pod := range r.Pods() {
		lines, err := envoylog.ReadAll(bytes.NewReader(pod.Part(instrument.LogText)))
		if err != nil {
			continue // the log's own instrument says so
		}
		for i := range lines {
			if l := &lines[i]; l.Kind == envoylog.Statement && !l.Time.IsZero() && l.Source != "" {
				at := place{pod.Name, path.Base(l.Source)}
				all[at] = append(all[at], l)
			}
		}
	}
	return all
}

// lineOf is what the log says of a statement: the message of the one line that was written at the
// time, where no other thread had the statement too.
func lineOf(e *trace.Event, lines []*envoylog.Line, same []*trace.Event) (string, bool) {
	for _, other := range same {
		if other.TID != e.TID && other.Time.Sub(e.Time).Abs() < lineAfter {
			return "", false
		}
	}
	form := formatOf(e.Text)
	best, second := lineAfter, lineAfter
	message := ""
	for _, l := range lines {
		after := l.Time.Sub(e.Time)
		if after < -lineBefore || after > lineAfter || !form.MatchString(l.Message) {
			continue
		}
		switch distance := after.Abs(); {
		case l.Message == message:
			best = min(best, distance)
		case distance < best:
			best, second, message = distance, best, l.Message
		default:
			second = min(second, distance)
		}
	}
	return message, message != "" && (second == lineAfter || second > 3*best)
}

// formatOf matches what a format of a statement (https://fmt.dev) can have become: its first line,
// without the ids that stand before it.
func formatOf(text string) *regexp.Regexp {
	text, _, _ = strings.Cut(strings.TrimPrefix(text, "{}"), "\n")
	pieces := strings.Split(text, "{}")
	for i, p := range pieces {
		pieces[i] = regexp.QuoteMeta(p)
	}
	return regexp.MustCompile("^" + strings.Join(pieces, ".*?") + "$")
}
