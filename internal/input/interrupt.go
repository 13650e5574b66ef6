package input

import (
	"context"
	"io"
	"os"
)

// Interruptible returns a reader whose Read returns the cause of ctx as soon as ctx ends, also
// while the read below it waits: for the writer of a pipe, or for a terminal. That read is left
// behind and its bytes are lost, so nothing may read r afterwards. A regular file answers without
// waiting, and is asked directly.
func Interruptible(ctx context.Context, r io.Reader) io.Reader {
	waits := true
	if file, ok := r.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			waits = false
		}
	}
	return &interruptible{ctx: ctx, r: r, waits: waits}
}

type interruptible struct {
	ctx   context.Context
	r     io.Reader
	waits bool
	left  []byte // read and not handed out yet
	err   error  // that comes after what is left
}

// answer is what a read that may wait came to.
type answer struct {
	text []byte
	err  error
}

// chunk is how much is read at once where a read may wait.
const chunk = 256 << 10

func (i *interruptible) Read(p []byte) (int, error) {
	if i.ctx.Err() != nil {
		return 0, context.Cause(i.ctx)
	}
	if !i.waits {
		return i.r.Read(p)
	}
	if len(i.left) == 0 && i.err == nil {
		answered := make(chan answer, 1)
		go func() {
			b := make([]byte, chunk) // of its own: p may be in use again when an abandoned read ends
			n, err := i.r.Read(b)
			answered <- answer{b[:n], err}
		}()
		select {
		case a := <-answered:
			i.left, i.err = a.text, a.err
		case <-i.ctx.Done():
			return 0, context.Cause(i.ctx)
		}
	}
	n := copy(p, i.left)
	i.left = i.left[n:]
	if len(i.left) == 0 {
		return n, i.err
	}
	return n, nil
}

// Do runs work that cannot be interrupted, such as the reading of a large text that is in memory,
// and returns early with the cause of ctx when ctx ends. The work goes on behind; a command that
// returns ends with it.
func Do(ctx context.Context, work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
