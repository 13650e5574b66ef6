package components

import (
	"context"
	"errors"
)

// errSibling is why work stops that has no use any more.
var errSibling = errors.New("stopped, because another part failed")

// A stop is the end of work whose context has ended: it reads as the context's cause and is also
// its error, so that callers who ask for context.Canceled find it.
type stop struct{ cause, err error }

func (s *stop) Error() string   { return s.cause.Error() }
func (s *stop) Unwrap() []error { return []error{s.cause, s.err} }

// stopped returns nil while ctx is alive, and then why it is not.
func stopped(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return &stop{context.Cause(ctx), ctx.Err()}
}
