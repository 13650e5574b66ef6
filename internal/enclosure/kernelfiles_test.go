//go:build linux

package enclosure

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/internal/platform"
)

// Words that make this test binary the first process of namespaces of its own,
// where a test can mount.
const (
	wordKernel   = "__kernel"
	wordDevices  = "__devices"
	wordWithhold = "__withhold"
)

// insiders are what this test binary does in namespaces of its own; what goes wrong is printed.
var insiders = map[string]func(root string) error{
	wordKernel: insideKernel, wordDevices: insideDevices, wordWithhold: insideWithhold,
}

// inside runs one of the insiders with a directory that it may mount on, and fails the test
// with what it printed.
func inside(t *testing.T, word string) {
	t.Helper()
	needRoot(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, word, t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL, Unshareflags: unix.CLONE_NEWNS,
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// needRoot skips a test that makes namespaces or cgroups where that is not allowed;
// in CI it has to run.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		if _, err := alone(); err != nil {
			t.Fatal(err)
		}
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("makes namespaces, mounts or cgroups: needs root, and CI has to run it")
	}
	t.Skip("makes namespaces, mounts or cgroups: needs root")
}

// alone waits until no other process runs these tests on this machine, of another checkout perhaps:
// their enclosures have the same names, and they kill processes by what those were started as. It
// returns what holds the others off until this process ends.
var alone = sync.OnceValues(func() (*os.File, error) {
	dir, err := platform.OpenDir("/sys/fs/cgroup")
	if err != nil {
		return nil, err
	}
	return dir, platform.LockWait(dir, platform.Exclusive)
})

// beInsider is for TestMain.
func beInsider(args []string) {
	if len(args) != 3 || insiders[args[1]] == nil {
		return
	}
	if err := insiders[args[1]](args[2]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

var answered = map[string]string{"kernel/panic": "10", "vm/overcommit_memory": "1", "vm/no_such_sysctl": "1"}

func TestGuardKernel(t *testing.T) {
	before := sysctls(t, answered)
	inside(t, wordKernel)
	if after := sysctls(t, answered); after != before {
		t.Errorf("the machine's sysctls were %s and are %s", before, after)
	}
}

func sysctls(t *testing.T, names map[string]string) string {
	t.Helper()
	var out []string
	for name := range names {
		value, _ := os.ReadFile(filepath.Join("/proc/sys", name))
		out = append(out, name+"="+strings.TrimSpace(string(value)))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// insideKernel writes to the answers, and opens every file of proc's for writing
// that is no process's.
func insideKernel(root string) error {
	if err := mountProc(root); err != nil {
		return err
	}
	if err := GuardKernel(root, filepath.Join(root, "kept"), answered); err != nil {
		return err
	}
	sys := filepath.Join(root, "proc/sys")
	for name, value := range answered {
		if name == "vm/no_such_sysctl" {
			continue
		}
		got, err := os.ReadFile(filepath.Join(sys, name))
		if err != nil || strings.TrimSpace(string(got)) != value {
			return fmt.Errorf("%s reads as %q, %v; want %s", name, got, err, value)
		}
		if err := os.WriteFile(filepath.Join(sys, name), []byte("0"), 0o644); err != nil {
			return fmt.Errorf("a program cannot set %s: %w", name, err)
		}
	}
	writable := 0
	proc := filepath.Join(root, "proc")
	err := filepath.WalkDir(proc, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(proc, path)
		if err != nil {
			return nil
		}
		if _, err := strconv.Atoi(name); err == nil {
			return fs.SkipDir // a process
		}
		if !d.Type().IsRegular() {
			return nil
		}
		if info, err := d.Info(); err != nil || info.Mode().Perm()&0o222 == 0 {
			return nil // root can open it, and it has nothing that takes what is written
		}
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return nil
		}
		f.Close()
		writable++
		if _, ok := answered[strings.TrimPrefix(name, "sys/")]; !ok && !strings.HasPrefix(name, "sys/net/") ||
			slices.Contains(sharedNet, strings.TrimPrefix(name, "sys/net/")) {
			return fmt.Errorf("%s can be written to", name)
		}
		return nil
	})
	if err == nil && writable < 50 {
		return fmt.Errorf("only %d files can be written to: those of the network are missing", writable)
	}
	return err
}

func mountProc(root string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	return Mount{Source: "proc", Target: "/proc", Kind: "proc"}.Make(root)
}

// TestNetSysctlsAreTheNamespacesOwn writes another number to every one that stays writable in
// an enclosure's network namespace, and compares the machine's. One that were the machine's
// would be put back at once.
func TestNetSysctlsAreTheNamespacesOwn(t *testing.T) {
	needRoot(t)
	before := numbers(t, "/proc/sys/net")
	done := make(chan error, 1)
	go func() { done <- inNetNS(func() error { return changeNumbers("/proc/thread-self/root/proc/sys/net") }) }()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for path, now := range numbers(t, "/proc/sys/net") {
		if was, ok := before[path]; ok && now == was+1 && !volatile(path) {
			t.Errorf("%s of the machine was %d and is %d", path, was, now)
			_ = os.WriteFile(path, []byte(strconv.Itoa(was)), 0o644)
		}
	}
}

// volatile sysctls count something.
func volatile(path string) bool { return strings.HasSuffix(path, "_count") }

func numbers(t *testing.T, dir string) map[string]int {
	t.Helper()
	all := map[string]int{}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		data, err := os.ReadFile(path)
		if n, convErr := strconv.Atoi(string(bytes.TrimSpace(data))); err == nil && convErr == nil {
			all[path] = n
		}
		return nil
	})
	return all
}

// inNetNS runs f in a thread with a network namespace of its own, which ends with it.
func inNetNS(f func() error) error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	return f()
}

func changeNumbers(dir string) error {
	changed := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		name, _ := filepath.Rel(dir, path)
		if n, err := strconv.Atoi(string(bytes.TrimSpace(data))); err == nil && !slices.Contains(sharedNet, name) {
			if os.WriteFile(path, []byte(strconv.Itoa(n+1)), 0o644) == nil {
				changed++
			}
		}
		return nil
	})
	if err == nil && changed < 50 {
		return fmt.Errorf("only %d sysctls of the network could be changed", changed)
	}
	return err
}

func TestMountDevices(t *testing.T) {
	name := fmt.Sprintf("enclosure-test-%d", os.Getpid())
	t.Setenv("ENCLOSURE_TEST_NAME", name)
	inside(t, wordDevices)
	for _, path := range []string{"/dev/" + name, "/dev/shm/" + name, "/dev/mqueue/" + name} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v; want that it is not there", path, err)
			_ = os.Remove(path)
		}
	}
}

// insideDevices writes to /dev wherever it can, and to the devices.
func insideDevices(root string) error {
	if err := mountProc(root); err != nil {
		return err
	}
	if err := MountDevices(root); err != nil {
		return err
	}
	name := os.Getenv("ENCLOSURE_TEST_NAME")
	for _, dir := range []string{"dev", "dev/shm", "dev/mqueue"} {
		f, err := os.OpenFile(filepath.Join(root, dir, name), os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		f.Close()
	}
	for _, device := range []string{"null", "zero", "kmsg"} {
		if err := os.WriteFile(filepath.Join(root, "dev", device), []byte("<6>enclosure test\n"), 0); err != nil {
			return err
		}
	}
	if log, err := os.ReadFile(filepath.Join(root, "dev/kmsg")); err != nil || len(log) > 0 {
		return fmt.Errorf("the kernel's log can be read: %d bytes, %v", len(log), err)
	}
	if _, err := os.OpenFile(filepath.Join(root, "dev/ptmx"), os.O_RDWR, 0); err != nil {
		return fmt.Errorf("no terminal can be made: %w", err)
	}
	terminals, err := os.ReadDir(filepath.Join(root, "dev/pts"))
	if err != nil || len(terminals) != 2 { // ptmx and the one that was made
		return fmt.Errorf("terminals of others are seen: %v, %v", terminals, err)
	}
	return nil
}

func TestWithhold(t *testing.T) { inside(t, wordWithhold) }

// insideWithhold lets a child say what it may: as much as before, but for what is withheld.
func insideWithhold(string) error {
	runtime.LockOSThread()
	was, err := childCapabilities()
	if err != nil {
		return err
	}
	if err := withhold(); err != nil {
		return err
	}
	is, err := childCapabilities()
	if err != nil {
		return err
	}
	want := was
	for c := range withheld {
		want &^= 1 << c
	}
	if is != want || is == was {
		return fmt.Errorf("a child had %#x and has %#x, want %#x", was, is, want)
	}
	return nil
}

func childCapabilities() (uint64, error) {
	out, err := exec.Command("sed", "-n", "s/^CapEff:\t//p", "/proc/self/status").Output()
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(out)), 16, 64)
}
