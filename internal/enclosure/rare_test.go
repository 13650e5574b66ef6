//go:build linux

package enclosure

import (
	"context"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// launched is an enclosure that this test owns.
func launched(t *testing.T, name string) *Owner {
	t.Helper()
	needRoot(t)
	t.Cleanup(func() { _ = tested.SweepLeft(context.Background(), name) })
	o, err := tested.Launch(t.Context(), name, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Await(t.Context(), "asleep"); err != nil {
		t.Fatal(err)
	}
	return o
}

// TestGuardIsKilledBesideItsOwner kills the guard while its owner waits: that says so,
// and nothing is left.
func TestGuardIsKilledBesideItsOwner(t *testing.T) {
	const name = "rare-gone"
	o := launched(t, name)
	if err := unix.Kill(o.State().GuardPID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := o.Await(t.Context(), "a stage that never comes"); err == nil ||
		!strings.Contains(err.Error(), "its guard was killed") {
		t.Errorf("%v", err)
	}
	o.Abandon()
	nothingLeft(t, name)
}

// TestDownOfAGuardThatHangs stops a guard, so that it does not answer: its enclosure is swept, and
// when it goes on it finds nothing.
func TestDownOfAGuardThatHangs(t *testing.T) {
	const name = "rare-hangs"
	o := launched(t, name)
	if err := o.Commit(nil); err != nil {
		t.Fatal(err)
	}
	pid := o.State().GuardPID
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Kill(pid, unix.SIGCONT) })
	if err := tested.Down(t.Context(), name); err != nil {
		t.Error(err)
	}
	if pids := pidsOf("sleep"); len(pids) > 0 {
		t.Errorf("a program of the enclosure is left: %v", pids)
	}
	_ = unix.Kill(pid, unix.SIGCONT)
	nothingLeft(t, name)
}
