//go:build linux

// Package probetest is what the tests of all probes share: they are skipped where the kernel or the
// user cannot, and they fail when something of BPF stays behind.
package probetest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netns"
)

// Main runs a package's tests and fails them when they leave a descriptor of a BPF object, or a
// pin. A program of ours is held by descriptors alone, so without one nothing is attached.
func Main(m *testing.M) {
	pins := pinned()
	code := m.Run()
	var left []string
	left = append(left, descriptors()...)
	for _, pin := range pinned() {
		if !slices.Contains(pins, pin) {
			left = append(left, "pin "+pin)
		}
	}
	if code == 0 && len(left) > 0 {
		fmt.Fprintf(os.Stderr, "the tests leave behind:\n\t%s\n", strings.Join(left, "\n\t"))
		code = exitLeft
	}
	os.Exit(code)
}

// exitLeft is the exit status of tests that leave something behind.
const exitLeft = 99

// descriptors lists this process's descriptors of BPF objects and perf events.
func descriptors() []string {
	var found []string
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && (strings.Contains(target, "bpf") || strings.Contains(target, "perf_event")) &&
			!strings.HasPrefix(target, "/") {
			found = append(found, "fd "+e.Name()+" "+target)
		}
	}
	return found
}

// pinned lists what is pinned in the BPF file system.
func pinned() []string {
	var pins []string
	_ = filepath.WalkDir("/sys/fs/bpf", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			pins = append(pins, path)
		}
		return nil
	})
	return pins
}

// Require skips the test with the reason where BPF cannot be used here; where
// CI=true it fails instead.
func Require(t testing.TB) {
	t.Helper()
	reason := ""
	if os.Geteuid() != 0 {
		reason = "root is needed to attach probes"
	} else if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		reason = "the kernel has no BTF"
	}
	Skip(t, reason)
}

// Skip skips the test for a reason, or fails it where CI=true. An empty reason does nothing.
func Skip(t testing.TB, reason string) {
	t.Helper()
	switch {
	case reason == "":
	case os.Getenv("CI") == "true":
		t.Fatal(reason)
	default:
		t.Skip(reason)
	}
}

// Namespace moves the test's thread into a network namespace of its own, in which loopback is
// up, and returns its inode number. Connections have to be made by this goroutine or by
// programs that it starts.
func Namespace(t testing.TB) uint32 {
	t.Helper()
	runtime.LockOSThread()
	before, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	own, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = own.Close()
		if err := netns.Set(before); err != nil {
			t.Fatal(err) // the thread stays locked, and ends with its goroutine
		}
		_ = before.Close()
		runtime.UnlockOSThread()
	})
	if err := loopback(); err != nil {
		t.Fatal(err)
	}
	link, err := os.Readlink(fmt.Sprintf("/proc/self/task/%d/ns/net", threadID()))
	if err != nil {
		t.Fatal(err)
	}
	var inode uint32
	if _, err := fmt.Sscanf(link, "net:[%d]", &inode); err != nil {
		t.Fatal(err)
	}
	return inode
}

// KernelPIDs says whether processes are numbered here as the kernel and its probes number them.
// Source: PROC_PID_INIT_INO of include/linux/proc_ns.h.
func KernelPIDs(t testing.TB) bool {
	t.Helper()
	const initial = 0xEFFFFFFC
	link, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		t.Fatal(err)
	}
	return link == fmt.Sprintf("pid:[%d]", initial)
}
