package run

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The test program's second words: what starts a container, whose root is an overlay, and a process
// that waits for its input to end.
const (
	starterWord = "__starter"
	waitWord    = "__wait"
)

func init() {
	if len(os.Args) != 3 {
		return
	}
	switch os.Args[1] {
	case starterWord:
		if err := startBoth(os.Args[2]); err != nil {
			fmt.Println(err)
		}
	case waitWord:
	default:
		return
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// startBoth makes an overlay over dir/base the root of this process, whose mount namespace is its
// own, and starts a process in a PID namespace of its own and one in this one. It prints their ids.
func startBoth(dir string) error {
	layers := fmt.Sprintf("lowerdir=%[1]s/base,upperdir=%[1]s/over/upper,workdir=%[1]s/over/work", dir)
	before, err := os.Open("/")
	for _, step := range []func() error{
		func() error { return err },
		func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") },
		func() error { return unix.Mount("tmpfs", dir+"/over", "tmpfs", 0, "") },
		func() error { return os.Mkdir(dir+"/over/upper", 0o755) },
		func() error { return os.Mkdir(dir+"/over/work", 0o755) },
		func() error { return os.Mkdir(dir+"/over/root", 0o755) },
		func() error { return unix.Mount("overlay", dir+"/over/root", "overlay", 0, layers) },
		func() error { return unix.Chroot(dir + "/over/root") },
		func() error { return unix.Mount("proc", "/proc", "proc", 0, "") },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	for _, flags := range []uintptr{unix.CLONE_NEWPID, 0} {
		c := exec.Command("/proc/self/exe", waitWord, "-")
		c.Stdin, c.Stdout, c.Stderr, c.Dir = os.Stdin, os.Stderr, os.Stderr, "/"
		c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Chroot: fmt.Sprintf("/proc/self/fd/%d", before.Fd())}
		if err := c.Start(); err != nil {
			return err
		}
		fmt.Println(c.Process.Pid)
	}
	return nil
}

// TestBaseOfWhatStarts holds that a container's first process leads to the base of what started it,
// and a process that a pod started to no base: its root would be an image's.
func TestBaseOfWhatStarts(t *testing.T) {
	asRoot(t)
	dir := t.TempDir()
	for _, name := range []string{"base/proc", "over"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command("/proc/self/exe", starterWord, dir)
	c.Stderr, c.SysProcAttr = os.Stderr, &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	stdin, _ := c.StdinPipe()
	stdout, _ := c.StdoutPipe()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Wait() }()
	defer stdin.Close()
	lines := bufio.NewReader(stdout)
	for _, want := range []string{dir + "/base", ""} {
		line, _ := lines.ReadString('\n')
		pid, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			t.Fatalf("no process was started: %q", line)
		}
		if got := baseOf(pid); got != want {
			t.Errorf("base %q, want %q", got, want)
		}
	}
}
