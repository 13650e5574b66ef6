package fault_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/flowproof/lab/harness/fault"
)

func TestOf(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want fault.Kind
	}{
		{"nothing went wrong", nil, fault.None},
		{"a hop was refuted", fault.Mismatchf("verify run: 1 hop refuted"), fault.Mismatch},
		{"unknown scenario", fault.Usagef("find scenario %q: there is none", "inbond"), fault.Usage},
		{"no root", fault.Environmentf("check root: uid 1000 (run as root)"), fault.Environment},
		{"a hop was not observed", fault.Incompletef("verify run: 1 hop not observed"), fault.Incomplete},
		{"wrapped without a kind", fmt.Errorf("run inbound: %w", fault.Usagef("x")), fault.Usage},
		{"wrapped with another kind", fault.Incompletef("run: %w", fault.Usagef("x")), fault.Incomplete},
		{"an error without a kind", &fault.Error{Err: errors.New("x")}, fault.Environment},
		{"foreign errors are the environment's", errors.New("connection refused"), fault.Environment},
		{"Ctrl-C", fmt.Errorf("read log: %w", context.Canceled), fault.Interrupted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := fault.Of(tc.err); got != tc.want {
				t.Errorf("Of(%v) = %q, want %q", tc.err, got, tc.want)
			}
		})
	}
}

// TestIs holds that a caller can ask for a kind as for any other error, and for what is wrapped.
func TestIs(t *testing.T) {
	cause := errors.New("no such pod")
	err := fmt.Errorf("trace: %w", fault.Usagef("find pod: %w", cause))
	if !errors.Is(err, fault.Usage) || errors.Is(err, fault.Environment) || !errors.Is(err, cause) {
		t.Errorf("%v: usage %t, environment %t, its cause %t", err, errors.Is(err, fault.Usage),
			errors.Is(err, fault.Environment), errors.Is(err, cause))
	}
}
