//go:build linux

package node

import (
	"context"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/internal/enclosure"
	"github.com/flowproof/lab/internal/enclosure/enclosuretest"
	"github.com/flowproof/lab/internal/progress"
)

// TestKilledLabLeavesNothing ends a lab by SIGKILL to one or two of its processes and looks for
// what is left on the host.
func TestKilledLabLeavesNothing(t *testing.T) {
	needRoot(t)
	const name = "killed"
	backend := New()
	for _, tt := range []struct {
		victim string
		pids   func(enclosure.State) []int
	}{
		{"guard", func(s enclosure.State) []int { return []int{s.GuardPID} }},
		{"init", func(s enclosure.State) []int { return []int{s.InitPID} }},
		{"guard and init", func(s enclosure.State) []int { return []int{s.GuardPID, s.InitPID} }},
	} {
		t.Run(tt.victim, func(t *testing.T) {
			before := hostMounts(t)
			if _, err := backend.Up(t.Context(), cluster.Options{Name: name}, progress.Quiet); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = backend.Down(context.Background(), name, progress.Quiet) })
			s, err := enclosed.Ask(t.Context(), name, -1)
			if err != nil {
				t.Fatal(err)
			}
			for _, pid := range tt.pids(s) {
				if err := unix.Kill(pid, unix.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
			enclosuretest.AwaitNothing(t, enclosed, name)
			if after := hostMounts(t); after != before {
				t.Errorf("mounts before:\n%s\nafter:\n%s", before, after)
			}
		})
	}
	if err := backend.Down(t.Context(), name, progress.Quiet); err != nil {
		t.Errorf("down of a lab that is gone: %v", err)
	}
}

// hostMounts are the host's mount points that a lab could have made.
func hostMounts(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var ours []string
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 4 && (strings.Contains(line, "flowproof") ||
			strings.HasPrefix(f[4], "/run")) {
			ours = append(ours, f[4])
		}
	}
	return strings.Join(ours, "\n")
}
