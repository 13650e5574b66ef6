package progress

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Marks at the start of a line.
const (
	running   = "•"
	succeeded = "✓"
	failed    = "✗"
)

// state is what a task has been told so far.
type state struct {
	title   string
	started time.Time
	total   int64
	done    int64
	note    string
}

// steps is "120/565", or nothing when the total is unknown.
func (s state) steps() string {
	if s.total <= 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", min(s.done, s.total), s.total)
}

// elapsed is the time since the start, or nothing in the first second.
func (s state) elapsed() string {
	d := time.Since(s.started)
	if d < time.Second {
		return ""
	}
	return round(d).String()
}

// round keeps two or three digits: tenths of seconds below ten seconds, whole seconds above.
func round(d time.Duration) time.Duration {
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Second)
}

// end is the line that a finished task leaves.
func (s state) end(err error) (mark, line string) {
	mark, line = succeeded, s.title
	if e := s.elapsed(); e != "" {
		line += " (" + e + ")"
	}
	if err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		mark, line = failed, line+": "+clean(first)
	}
	return mark, line
}

// clean makes one line without control characters out of anything: notes carry what
// child processes print.
func clean(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s))
}
