// Package wait waits for what has no event: it looks again and again.
package wait

import (
	"context"
	"time"
)

// Until looks at once, and again after each pause, until look is done or fails. It returns the
// error of look, or, when ctx ends before, why it did.
func Until(ctx context.Context, pause time.Duration, look func() (done bool, err error)) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		if done, err := look(); done || err != nil {
			return err
		}
		timer.Reset(pause)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
}

// Retry does work at once, and again after each pause, until it succeeds. It returns the last error
// of work when ctx ends before.
func Retry(ctx context.Context, pause time.Duration, work func() error) error {
	var last error
	ended := Until(ctx, pause, func() (bool, error) {
		last = work()
		return last == nil, nil
	})
	if ended == nil {
		return nil
	}
	return last
}
