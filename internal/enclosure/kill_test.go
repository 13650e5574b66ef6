//go:build linux

package enclosure

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/internal/progress"
)

// wordOwner makes this test binary the owner of an enclosure: it launches one, and commits it
// when it is told to.
const wordOwner = "__owner"

// sleeper is a resident that starts a program and has no other work.
type sleeper struct{ *Init }

func (s sleeper) Boot() error {
	// The helper that seals mounts is the init's own program once more.
	_, ended, err := s.reaper.start("/proc/self/exe", []string{"again", "-test.run=^$"}, &os.ProcAttr{Dir: "/"})
	if err != nil {
		return err
	}
	if status := <-ended; !status.Exited() || status.ExitStatus() != 0 {
		return fmt.Errorf("run the init's own program: %v", status)
	}
	if err := s.Start(Program{Name: "sleep", Path: "/bin/sleep", Args: []string{"61234"}, Log: os.DevNull}); err !=
		nil {
		return err
	}
	s.Stage("asleep")
	return nil
}

func (s sleeper) Obey(string) error { return nil }

func init() {
	tested.Resident = func(i *Init) (Resident, error) { return sleeper{i}, nil }
	insiders[wordOwner] = func(name string) error {
		o, err := tested.Launch(context.Background(), name, nil)
		if err != nil {
			return err
		}
		if err := o.Await(context.Background(), "asleep"); err != nil {
			return err
		}
		if strings.HasSuffix(name, phaseCommitted) || strings.HasSuffix(name, phaseDown) {
			if err := o.Commit([]progress.Timing{}); err != nil {
				return err
			}
		}
		fmt.Println("up")
		_, _ = os.Stdin.Read(make([]byte, 1)) // until it is killed
		return nil
	}
}

// The phases of an enclosure's life in which its processes are killed.
const (
	phaseStarting  = "starting"  // its processes are being started
	phaseUp        = "up"        // the owner holds it
	phaseCommitted = "committed" // it outlives its owner
	phaseDown      = "down"      // it is being taken down
)

// TestAnyTwoMayBeKilled kills every process of an enclosure, and every two of them at once, in
// every phase of its life, and looks for what is left.
func TestAnyTwoMayBeKilled(t *testing.T) {
	needRoot(t)
	roles := []string{"owner", "guard", "init", wordSweeper, wordReserve, "sleep"}
	for _, phase := range []string{phaseStarting, phaseUp, phaseCommitted, phaseDown} {
		for i, first := range roles {
			for _, second := range roles[i:] { // a role with itself is one alone
				t.Run(phase+"/"+first+"+"+second, func(t *testing.T) { killed(t, phase, first, second) })
			}
		}
	}
}

func killed(t *testing.T, phase string, victims ...string) {
	name := "kill-" + phase
	t.Cleanup(func() { _ = tested.SweepLeft(context.Background(), name) })
	owner := exec.Command("/proc/self/exe", wordOwner, name)
	owner.Stderr = os.Stderr
	said, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := owner.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = owner.Process.Kill(); _ = owner.Wait() })
	if phase == phaseStarting {
		awaitRoles(t, victims...)
	} else if line, err := bufio.NewReader(said).ReadString('\n'); line != "up\n" {
		t.Fatalf("the owner says %q: %v", line, err)
	}
	down := make(chan error, 1)
	if phase == phaseDown {
		go func() { down <- tested.Down(context.Background(), name) }()
	}
	var pids []int
	for _, victim := range slices.Compact(victims) {
		pids = append(pids, pidsOf(victim)...)
	}
	for _, pid := range pids {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
	// The processes that are left may rightly go on: a sweeper is replaced, and a committed
	// enclosure does not need its owner.
	survives := !slices.Contains(victims, "guard") && !slices.Contains(victims, "init") &&
		!slices.Contains(victims, "sleep")
	switch {
	case phase == phaseDown:
		if err := <-down; err != nil {
			t.Error(err)
		}
	case survives && phase == phaseCommitted:
		if err := tested.Down(t.Context(), name); err != nil {
			t.Error(err)
		}
	case survives && !slices.Contains(victims, "owner"):
		_ = owner.Process.Kill()
	}
	_ = owner.Process.Kill()
	_ = owner.Wait()
	nothingLeft(t, name)
}

// nothingLeft waits until traces and processes are gone, for five seconds at most.
func nothingLeft(t *testing.T, name string) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for {
		left := leftOf(t, name)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left: %s", strings.Join(left, ", "))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func leftOf(t *testing.T, name string) (left []string) {
	t.Helper()
	traces, err := tested.Traces(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range traces {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			left = append(left, path)
		}
	}
	for _, role := range []string{"guard", "init", wordSweeper, wordReserve, "sleep"} {
		for _, pid := range pidsOf(role) {
			left = append(left, fmt.Sprintf("%s %d", role, pid))
		}
	}
	return left
}

// awaitRoles waits until there is a process of each role, or the enclosure is up without it.
func awaitRoles(t *testing.T, roles ...string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for _, role := range roles {
		for len(pidsOf(role)) == 0 {
			if time.Now().After(deadline) {
				t.Fatalf("no %s was started", role)
			}
			time.Sleep(100 * time.Microsecond)
		}
	}
}

// pidsOf finds the processes of a role that this test binary, or a child of its, has become.
func pidsOf(role string) (pids []int) {
	words := map[string]string{"owner": "\x00" + wordOwner + "\x00", "sleep": "/bin/sleep\x0061234\x00"}[role]
	if words == "" {
		words = "\x00" + tested.Verb + "\x00" + role + "\x00"
	}
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range lines {
		data, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(data), words) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
