package wait_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flowproof/lab/internal/wait"
)

// TestUntil holds what a wait returns, and when it looked.
func TestUntil(t *testing.T) {
	broken, late := errors.New("broken"), errors.New("late")
	for name, c := range map[string]struct {
		done, fails int // the look that is the last one; 0: none is
		want        error
		looks       int
		took        time.Duration
	}{
		"done at once":           {done: 1, looks: 1},
		"done at the third look": {done: 3, looks: 3, took: 2 * time.Second},
		"fails":                  {fails: 2, want: broken, looks: 2, took: time.Second},
		"the context ends":       {want: late, looks: 4, took: 3500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeoutCause(t.Context(), 3500*time.Millisecond, late)
				defer cancel()
				looks, start := 0, time.Now()
				err := wait.Until(ctx, time.Second, func() (bool, error) {
					if looks++; looks == c.fails {
						return false, broken
					}
					return looks == c.done, nil
				})
				if took := time.Since(start); !errors.Is(err, c.want) || looks != c.looks || took != c.took {
					t.Errorf("%v after %d looks and %s; want %v, %d, %s", err, looks, took, c.want, c.looks, c.took)
				}
			})
		})
	}
}

// TestRetry holds that the work's own error is told, not that there was no time left for it.
func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		refused, tries := errors.New("refused"), 0
		work := func(fails int) func() error {
			tries = 0
			return func() error {
				if tries++; tries > fails {
					return nil
				}
				return refused
			}
		}
		if err := wait.Retry(ctx, time.Second, work(1)); err != nil || tries != 2 {
			t.Errorf("%v after %d tries", err, tries)
		}
		if err := wait.Retry(ctx, time.Second, work(9)); err != refused || tries != 1 {
			t.Errorf("%v after %d tries", err, tries)
		}
	})
}
