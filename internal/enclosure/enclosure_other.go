//go:build !linux

package enclosure

import (
	"context"
	"fmt"
	"os"
	"runtime"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/progress"
)

// Unsupported says of what is named that only Linux has what it is made of.
func Unsupported(what string) error {
	return fault.Environmentf("start %s: it is made of Linux's namespaces, which %s does not have "+
		"(use a Linux machine, or --backend existing with a cluster of your own)", what, runtime.GOOS)
}

// An Init is the first process of an enclosure; there is none here.
type Init struct{}

// An Owner holds an enclosure; there is none here.
type Owner struct{}

// Main is the hidden verb.
func (k Kind) Main([]string) int {
	fmt.Fprintf(os.Stderr, "lab %s: %v\n", k.Verb, Unsupported("a process of a "+k.Noun))
	return codeFailed
}

// Launch starts no enclosure.
func (k Kind) Launch(_ context.Context, name string, _ any, _ ...*os.File) (*Owner, error) {
	return nil, Unsupported(k.Noun + " " + name)
}

// Members is empty: there is no enclosure.
func (k Kind) Members(string) ([]int, error) { return nil, nil }

// Ask says that there is none.
func (k Kind) Ask(context.Context, string, int) (State, error) { return State{}, ErrNoGuard }

// Down is content: there is nothing.
func (k Kind) Down(context.Context, string) error { return nil }

// SweepLeft is content: there is nothing.
func (k Kind) SweepLeft(context.Context, string) error { return nil }

// Socket is the path of a guard's socket, which is not there.
func (k Kind) Socket(name string) string { return k.RunDir(name) }

// State is empty.
func (o *Owner) State() State { return State{} }

// Command has no enclosure to reach.
func (o *Owner) Command(string) error { return ErrNoGuard }

// Kubeconfig has no enclosure to belong to.
func (o *Owner) Kubeconfig(context.Context, []byte) (string, error) { return "", ErrNoGuard }

// Commit has nothing to keep.
func (o *Owner) Commit([]progress.Timing) error { return ErrNoGuard }

// Abandon has nothing to end.
func (o *Owner) Abandon() {}

// Await has nothing to wait for.
func (o *Owner) Await(context.Context, string) error { return ErrNoGuard }

// Watch has nothing to watch.
func (o *Owner) Watch(ctx context.Context, _ context.CancelCauseFunc) { <-ctx.Done() }
