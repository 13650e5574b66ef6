package run

import (
	"bytes"
	"context"
	"time"

	"github.com/flowproof/lab/harness/observe/accesslog"
	"github.com/flowproof/lab/harness/observe/envoylog"
	"github.com/flowproof/lab/internal/wait"
)

// besideTimeout is how long is waited for lines of the access log beside the one of the request: of
// other attempts, and of what the application called on. Envoy writes its buffer out each second;
// on a machine with much to do a line is on its way for longer.
const besideTimeout = 10 * time.Second

// awaitBeside waits until each stream with the request's id that a debug log tells of has its line
// in the access log beside it. One that does not come is missed by nothing but the instrument
// itself: what the two logs then tell does not agree.
func (s *Session) awaitBeside(ctx context.Context, id string) error {
	waiting, cancel := context.WithTimeout(ctx, besideTimeout)
	defer cancel()
	var counts []*besides
	for _, w := range s.pods {
		if w.window != nil {
			counts = append(counts, &besides{window: w.window, told: envoylog.Tally{ID: id}})
		}
	}
	_ = wait.Until(waiting, 50*time.Millisecond, func() (bool, error) {
		behind, some := false, false
		for _, c := range counts {
			c.readOn()
			behind, some = behind || c.lines < c.told.Streams, some || c.lines > 0
		}
		return !behind || !some, nil // where no line has the id, a route may have replaced it
	})
	return context.Cause(ctx)
}

// besides count in a log that grows the streams with an id and the lines of the access log of it.
type besides struct {
	window Window
	read   int // bytes
	told   envoylog.Tally
	lines  int
}

// readOn reads the whole lines that have come since. The log of a busy proxy grows by megabytes in
// a second, so nothing of it is read twice.
func (b *besides) readOn() {
	text := b.window.From(b.read)
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	b.read += len(text)
	b.told.Add(text)
	b.lines += len(accesslog.Of(text, b.told.ID))
}
