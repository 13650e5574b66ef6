//go:build linux

// Package trusttest is for tests of what another user of the machine can do.
package trusttest

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// Stranger is the user of Unix systems to whom nothing belongs.
const Stranger = 65534

// variable tells the test program that it runs as the stranger.
const variable = "FLOWPROOF_STRANGER"

// IsStranger says whether this process is one that As has started.
func IsStranger() bool { return os.Getenv(variable) != "" }

// NeedRoot skips a test that runs processes as another user, where that cannot be; in CI it can.
func NeedRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	const why = "acts as another user: needs root"
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// As is a command that runs one test of this test program again, as the stranger, with words in
// FLOWPROOF_STRANGER. The program is reached through /proc, since a stranger may not enter the
// directory that it lies in.
func As(t *testing.T, test, words string) *exec.Cmd {
	t.Helper()
	NeedRoot(t)
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+test+"$", "-test.v")
	cmd.Env = append(os.Environ(), variable+"="+words)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: Stranger, Gid: Stranger}}
	return cmd
}

// Words are what As was given.
func Words() string { return os.Getenv(variable) }
