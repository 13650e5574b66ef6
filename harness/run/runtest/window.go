package runtest

import (
	"context"
	"slices"
	"strings"
)

// window is onto the log that a pod was given.
type window struct{ *Pod }

func (w window) Text() []byte { return []byte(w.Lines) }

func (w window) From(at int) []byte { return []byte(w.Lines[at:]) }

func (w window) WaitFor(ctx context.Context, texts ...string) error {
	if slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(w.Lines, text) }) {
		return nil
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

func (w window) Close() error { return nil }
