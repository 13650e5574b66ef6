//go:build linux

package enclosure

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// tested is a kind whose guards this test binary becomes. Its init is never started by them: a
// Resident is not needed.
var tested = Kind{Name: "tested", Suffix: ".tested", Noun: "lab", Verb: "__tested", Exposed: true}

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == tested.Verb {
		os.Exit(tested.Main(os.Args[2:]))
	}
	beInsider(os.Args)
	os.Exit(m.Run())
}

// TestLaunchFindsTheNameTaken by another guard: one that answers, and one that is
// gone when it is asked.
func TestLaunchFindsTheNameTaken(t *testing.T) {
	for name, answers := range map[string]bool{"answers": true, "silent": false} {
		t.Run(name, func(t *testing.T) {
			l, err := tested.listen(name)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if answers {
				g := &guard{kind: tested, board: newBoard(), stop: make(chan string, 1)}
				go g.serveControl(l)
			} else {
				go func() { // each client is turned away, as when the other guard ends
					for {
						conn, err := l.Accept()
						if err != nil {
							return
						}
						_ = conn.Close()
					}
				}()
			}
			if o, err := tested.Launch(t.Context(), name, nil); !errors.Is(err, ErrTaken) || o != nil {
				t.Errorf("%v, %v; want that it is taken", o, err)
			}
		})
	}
}

// TestLaunchIsGivenUpWithItsContext while a process that does not answer has the name.
func TestLaunchIsGivenUpWithItsContext(t *testing.T) {
	l, err := tested.listen("given-up")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if o, err := tested.Launch(ctx, "given-up", nil); !errors.Is(err, context.Canceled) || o != nil {
		t.Errorf("%v, %v; want the context's end", o, err)
	}
}

func TestAwaitGone(t *testing.T) {
	const name = "awaited"
	if err := tested.AwaitGone(t.Context(), name); err != nil {
		t.Errorf("there is none: %v", err)
	}
	l, err := tested.listen(name)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := tested.AwaitGone(ctx, name); !errors.Is(err, context.DeadlineExceeded) ||
		!strings.Contains(err.Error(), "lab awaited") {
		t.Errorf("there is one: %v, want the context's end", err)
	}
	gone := make(chan error, 1)
	go func() { gone <- tested.AwaitGone(t.Context(), name) }()
	_ = l.Close()
	if err := <-gone; err != nil {
		t.Errorf("it ended: %v", err)
	}
}
