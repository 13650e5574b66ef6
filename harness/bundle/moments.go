package bundle

import (
	"bytes"
	"time"
)

// behind is how much older than a statement above it a statement of a log may be: each thread takes
// the time of its own, and waits for the others before it writes.
const behind = 5 * time.Second

// moments holds that a log is in the order in which it was written, so that it is of one time and
// not put together from several.
func (r *recordingCheck) moments(pod string, log []byte) {
	var last time.Time
	for line := range bytes.Lines(log) {
		at, ok := stated(line)
		switch {
		case !ok:
		case at.Before(last.Add(-behind)):
			r.wrong("the log of %s has a statement of %s below one of %s, and it is written in the order of time",
				pod, at.Format(time.RFC3339Nano), last.Format(time.RFC3339Nano))
			return
		case at.After(last):
			last = at
		}
	}
}

// stated is the time of a line that Envoy itself wrote, in the format that Istio gives its log:
// time, level, "envoy", logger. The access log and pilot-agent write of their own.
func stated(line []byte) (time.Time, bool) {
	stamp, rest, _ := bytes.Cut(line, []byte{'\t'})
	_, rest, _ = bytes.Cut(rest, []byte{'\t'})
	if !bytes.HasPrefix(rest, []byte("envoy ")) {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, string(stamp))
	return at, err == nil
}
