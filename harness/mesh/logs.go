package mesh

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/flowproof/lab/harness/fault"
)

// maxWindow bounds what one log window keeps. A request at debug level takes a hundred
// lines, not millions.
const maxWindow = 256 << 20

// A Window is what a container writes to its log from the moment the window is opened
// until it is closed.
type Window struct {
	pod     *Pod
	cancel  context.CancelFunc
	ended   chan struct{}
	mu      sync.Mutex
	changed chan struct{} // closed and replaced at each line
	text    []byte
	err     error
}

// Follow opens a window onto a container's log. Lines that were written before it opened are
// not part of it: the window begins after the last line that the apiserver has when Follow is
// called, by the container runtime's own timestamps, so that no two clocks are compared. When
// ctx ends the window closes.
func (p *Pod) Follow(ctx context.Context, container string) (*Window, error) {
	last, err := p.lastLine(ctx, container)
	if err != nil {
		return nil, err
	}
	options := &v1.PodLogOptions{Container: container, Follow: true, Timestamps: true}
	if !last.IsZero() {
		since := metav1.NewTime(last)
		options.SinceTime = &since
	}
	ctx, cancel := context.WithCancel(ctx)
	stream, err := p.mesh.core.Pods(p.Namespace()).GetLogs(p.Name(), options).Stream(ctx)
	if err != nil {
		cancel()
		return nil, fault.Environmentf("follow log of %s/%s: %w", p.Ref(), container, err)
	}
	w := &Window{pod: p, cancel: cancel, ended: make(chan struct{}), changed: make(chan struct{})}
	go w.read(stream, last)
	return w, nil
}

// lastLine is the runtime's timestamp of the newest line of a container's log; zero
// when there is none.
func (p *Pod) lastLine(ctx context.Context, container string) (time.Time, error) {
	one := int64(1)
	text, err := p.mesh.core.Pods(p.Namespace()).GetLogs(p.Name(),
		&v1.PodLogOptions{Container: container, Timestamps: true, TailLines: &one}).DoRaw(ctx)
	if err != nil {
		return time.Time{}, fault.Environmentf("read log of %s/%s: %w", p.Ref(), container, err)
	}
	at, _, _ := splitTimestamp(strings.TrimRight(string(text), "\n"))
	return at, nil
}

// read keeps the lines after last until the stream ends. SinceTime has whole seconds, so lines up
// to last may come again.
func (w *Window) read(stream io.ReadCloser, last time.Time) {
	defer close(w.ended)
	defer stream.Close()
	reader := bufio.NewReaderSize(stream, 64<<10)
	for {
		line, err := reader.ReadString('\n')
		if at, text, ok := splitTimestamp(strings.TrimSuffix(line, "\n")); ok && at.After(last) {
			w.add(text)
		} else if line != "" && !ok {
			w.add(strings.TrimSuffix(line, "\n")) // keep what cannot be dated: its reader will say what it is
		}
		if err != nil {
			w.end(err)
			return
		}
	}
}

func (w *Window) add(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.text)+len(line) > maxWindow {
		w.err = fault.Incompletef("follow log of %s: more than %d MiB in one window", w.pod.Ref(), maxWindow>>20)
		w.cancel()
		return
	}
	w.text = append(append(w.text, line...), '\n')
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *Window) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil && !errors.Is(err, io.EOF) && !errors.Is(err, context.Canceled) {
		w.err = fault.Incompletef("follow log of %s: %w", w.pod.Ref(), err)
	} else if w.err == nil && errors.Is(err, io.EOF) {
		w.err = fault.Incompletef("follow log of %s: the stream ended by itself (the container restarted?)",
			w.pod.Ref())
	}
}

// Text returns the lines so far, each with its newline, without the runtime's timestamps.
func (w *Window) Text() []byte { return w.From(0) }

// From returns what Text does but for its first bytes. It is not to be changed.
func (w *Window) From(at int) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text[at:len(w.text):len(w.text)] // which is not written to again
}

// WaitFor returns when the window holds one of the texts, and fails when ctx or the
// stream ends before that.
func (w *Window) WaitFor(ctx context.Context, texts ...string) error {
	longest := 0
	for _, text := range texts {
		longest = max(longest, len(text))
	}
	for seen := 0; ; {
		w.mu.Lock()
		fresh := w.text[seen:]
		found := slices.ContainsFunc(texts, func(text string) bool { return bytes.Contains(fresh, []byte(text)) })
		changed, err := w.changed, w.err
		seen = max(0, len(w.text)-longest)
		w.mu.Unlock()
		if found {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-changed:
		case <-w.ended:
			if err := w.Err(); err != nil {
				return err
			}
			return fault.Incompletef("follow log of %s: closed before %q came", w.pod.Ref(), texts)
		case <-ctx.Done():
			return fmt.Errorf("wait for %q in the log of %s: %w", texts, w.pod.Ref(), context.Cause(ctx))
		}
	}
}

// Err says why the window is not whole; nil while it is.
func (w *Window) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Close ends the window and returns what kept it from being whole.
func (w *Window) Close() error {
	err := w.Err()
	w.cancel()
	<-w.ended
	return err
}

// fenceTimeout bounds how long Envoy and the log's way through kubelet and apiserver may hold a
// line back. Envoy flushes its log once a second (--file-flush-interval-msec).
const fenceTimeout = 15 * time.Second

// Fence returns when the window has everything that Envoy had logged before the call. It asks the
// admin interface a question with a mark of its own and waits until Envoy's line about it has come
// through the same log; then does so once more, because a worker may still be writing about a
// request whose answer is already out while the main thread logs the first mark. It needs the
// logger admin at debug level or below.
func (s *Sidecar) Fence(ctx context.Context, w *Window) error {
	ctx, cancel := context.WithTimeoutCause(ctx, fenceTimeout,
		fault.Incompletef("Envoy's own line has not come within %s (is its log level debug?)", fenceTimeout))
	defer cancel()
	for range 2 {
		mark := "/ready?fence=" + rand.Text()
		if _, err := s.get(ctx, mark); err != nil {
			return err
		}
		if err := w.WaitFor(ctx, "request complete: path: "+mark); err != nil {
			return err
		}
	}
	return nil
}

// splitTimestamp takes the RFC 3339 timestamp off a line that the apiserver was asked to put there.
func splitTimestamp(line string) (time.Time, string, bool) {
	stamp, text, _ := strings.Cut(line, " ")
	at, err := time.Parse(time.RFC3339Nano, stamp)
	return at, text, err == nil
}

// Log is what a container has written to its log, up to most bytes of its end.
func (p *Pod) Log(ctx context.Context, container string, most int64) ([]byte, error) {
	const lines = 200_000 // the apiserver counts them from the end; bytes it counts from the beginning
	tail := int64(lines)
	stream, err := p.mesh.core.Pods(p.Namespace()).GetLogs(p.Name(),
		&v1.PodLogOptions{Container: container, TailLines: &tail}).Stream(ctx)
	if err != nil {
		return nil, fault.Environmentf("read log of %s/%s: %w", p.Ref(), container, err)
	}
	defer stream.Close()
	text, err := io.ReadAll(io.LimitReader(stream, most))
	if err != nil {
		return nil, fault.Environmentf("read log of %s/%s: %w", p.Ref(), container, err)
	}
	return text, nil
}
