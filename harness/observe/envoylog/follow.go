package envoylog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/flowproof/lab/harness/redact"
)

// maxFollowed is how many bytes of log a Follower keeps. Of a longer log it drops what is oldest, and says so.
const maxFollowed = 64 << 20

// A Follower reads a log while it is written, and lets others wait for what it says.
type Follower struct {
	mu      sync.Mutex
	changed chan struct{} // closed, and replaced, when lines were added or the log ended
	lines   []Line
	size    int
	dropped int
	ended   error // why the log ended; nil while it is read
}

// Follow reads r until it ends or ctx does; then r is closed, if it can be. A log that was opened to be followed must be
// opened before the log level is raised, because what was printed before is not printed again.
func Follow(ctx context.Context, r io.Reader) *Follower {
	f := &Follower{changed: make(chan struct{})}
	stop := func() bool { return true }
	if closer, ok := r.(io.Closer); ok {
		stop = context.AfterFunc(ctx, func() { _ = closer.Close() })
	}
	go func() {
		defer stop()
		f.read(ctx, NewReader(r))
	}()
	return f
}

func (f *Follower) read(ctx context.Context, r *Reader) {
	for {
		line, err := r.Next()
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			f.add(r.Rest(), err)
			return
		}
		f.add([]Line{line}, nil)
	}
}

func (f *Follower) add(lines []Line, ended error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, line := range lines {
		f.size += sizeOf(line)
	}
	f.lines, f.ended = append(f.lines, lines...), ended
	for f.size > maxFollowed && len(f.lines) > 0 {
		f.size -= sizeOf(f.lines[0])
		f.lines = f.lines[1:]
		f.dropped++
	}
	close(f.changed)
	f.changed = make(chan struct{})
}

func sizeOf(line Line) int {
	size := len(line.Text)
	for _, text := range line.Block {
		size += len(text)
	}
	return size
}

// Lines returns the statements that were read so far. The slice is the caller's own.
func (f *Follower) Lines() []Line {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Line(nil), f.lines...)
}

// Dropped returns how many statements were forgotten because the log was too long to be kept.
func (f *Follower) Dropped() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dropped
}

// WaitStream waits until the log shows the last line of every stream that carries the x-request-id, and at least of
// one. When ctx ends before that, or the log does, the error says which line was the last.
func (f *Follower) WaitStream(ctx context.Context, requestID string) error {
	streams := map[string]*ending{}
	creating := map[string]string{}
	err := f.wait(ctx, func(s step) bool {
		if s.event == RequestHeaders && s.Stream != "" {
			if id, _ := s.Header("x-request-id"); SameRequestID(id, requestID) {
				streams[s.Stream] = &ending{stream: s.Stream, creating: creating}
			}
		}
		if s.event == CreatingStream {
			creating[s.Thread] = s.Connection
		}
		open := 0
		for _, e := range streams {
			if e.add(s); !e.done {
				open++
			}
		}
		return len(streams) > 0 && open == 0
	})
	if err != nil {
		return fmt.Errorf("wait for the end of request %s in the log: %w", requestID, err)
	}
	return nil
}

// WaitAfter waits until the log shows a statement that is younger than t: proof that it was watched until then. Asking
// the sidecar's admin interface for anything makes it print one.
func (f *Follower) WaitAfter(ctx context.Context, t time.Time) error {
	err := f.wait(ctx, func(s step) bool { return s.Kind == Statement && s.Time.After(t) })
	if err != nil {
		return fmt.Errorf("wait for a line after %s in the log: %w", t.Format(time.RFC3339Nano), err)
	}
	return nil
}

// wait gives every line, from the first, to done until done is content.
func (f *Follower) wait(ctx context.Context, done func(step) bool) error {
	next := 0
	for {
		f.mu.Lock()
		fresh, changed, ended := f.lines[min(max(next-f.dropped, 0), len(f.lines)):], f.changed, f.ended
		next = f.dropped + len(f.lines)
		var last Line
		if len(f.lines) > 0 {
			last = f.lines[len(f.lines)-1]
		}
		f.mu.Unlock()
		for i := range fresh {
			event, rest := eventOf(&fresh[i])
			if done(step{Line: &fresh[i], event: event, rest: rest}) {
				return nil
			}
		}
		if ended != nil {
			if errors.Is(ended, io.EOF) {
				ended = errors.New("the log ended")
			}
			return fmt.Errorf("%w (%s)", ended, lastLine(last))
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w (%s)", ctx.Err(), lastLine(last))
		}
	}
}

func lastLine(line Line) string {
	if line.Text == "" {
		return "no line was seen: is the log level debug?"
	}
	return fmt.Sprintf("the last line seen is line %d: %s", line.Number, brief(line))
}

// Text returns the lines as text in their own form, without secrets: what a bundle keeps, and what ReadAll reads again.
func Text(lines []Line) string {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(line.Text)
		b.WriteByte('\n')
		if line.format == formatJSON || line.Kind == Unknown {
			continue
		}
		for _, text := range line.Block {
			b.WriteString(text)
			b.WriteByte('\n')
		}
		switch _, _, threaded := cutThread(line.Text); {
		case line.format != formatPlain && line.Thread != "" && !threaded:
			b.WriteString("\tthread=" + line.Thread + "\n")
		case line.format != formatPilot && !line.complete():
			b.WriteByte('\n')
		}
	}
	return redact.Text(b.String())
}
