//go:build linux

package enclosure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/internal/sometimes"
	"github.com/flowproof/lab/internal/wait"
)

// A Program is one that the init starts and watches: its end is the end of the enclosure.
type Program struct {
	Name string
	Path string
	Args []string // without the program's own name
	Env  []string // the whole environment
	Log  string   // file that its output goes to
	// Withhold keeps from it what would reach beyond the enclosure: loading modules, setting the
	// clock, the kernel's log.
	Withhold bool
}

// Start runs a program with its output in a log file, and reports its end, whenever that is.
func (i *Init) Start(p Program) error {
	logFile, err := os.OpenFile(p.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the log of %s: %w", p.Name, err)
	}
	defer logFile.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	if p.Withhold {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread() // others may use the thread: it only lacks what they do not need
		if err := withhold(); err != nil {
			return fmt.Errorf("start %s: %w", p.Name, err)
		}
	}
	pid, exit, err := i.reaper.start(p.Path, append([]string{p.Path}, p.Args...), &os.ProcAttr{
		Dir: "/", Env: p.Env, Files: []*os.File{null, logFile, logFile}, Sys: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		return err
	}
	i.mu.Lock()
	i.running[p.Name] = pid
	i.mu.Unlock()
	i.tell(event{Component: p.Name, PID: pid})
	go i.watch(p, exit)
	return nil
}

func (i *Init) watch(p Program, exit <-chan syscall.WaitStatus) {
	status := <-exit
	i.mu.Lock()
	delete(i.running, p.Name)
	wanted := i.quiet
	i.mu.Unlock()
	if !wanted {
		sometimes.Reached("enclosure: a component ended")
		i.Fail(fmt.Errorf("%s ended: %s\n%s", p.Name, describeExit(status), logTail(p.Log, 12)))
	}
}

func describeExit(status syscall.WaitStatus) string {
	if status.Signaled() {
		return fmt.Sprintf("killed by signal %d (%s)", status.Signal(), status.Signal())
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}

// Await waits until ready says so, or for the first program to end. It is for programs that do not
// announce that they are ready.
func (i *Init) Await(ctx context.Context, p Program, ready func() error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var last, failed error
	ended := wait.Until(ctx, 20*time.Millisecond, func() (bool, error) {
		if last = ready(); last == nil {
			return true, nil
		}
		select {
		case failed = <-i.failed:
		default:
		}
		return failed != nil, nil
	})
	if ended != nil {
		return fmt.Errorf("wait for %s to be ready: %w\n%s", p.Name, last, logTail(p.Log, 12))
	}
	return failed
}

// Quiesce ends programs in order and in peace, so that their data are whole on their file system.
func (i *Init) Quiesce(ctx context.Context, names ...string) error {
	i.mu.Lock()
	i.quiet = true
	i.mu.Unlock()
	for _, name := range names {
		i.mu.Lock()
		pid := i.running[name]
		i.mu.Unlock()
		if pid == 0 {
			return fmt.Errorf("stop %s: it does not run", name)
		}
		if err := unix.Kill(pid, unix.SIGTERM); err != nil {
			return fmt.Errorf("stop %s: %w", name, err)
		}
		if err := i.awaitEnd(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (i *Init) awaitEnd(ctx context.Context, name string) error {
	err := wait.Until(ctx, 5*time.Millisecond, func() (bool, error) {
		i.mu.Lock()
		defer i.mu.Unlock()
		_, runs := i.running[name]
		return !runs, nil
	})
	if err != nil {
		return fmt.Errorf("wait for %s to stop: %w", name, err)
	}
	return nil
}

// logTail returns the last lines of a log, for an error message.
func logTail(path string, lines int) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	const most = 8 << 10
	if info, err := f.Stat(); err == nil && info.Size() > most {
		_, _ = f.Seek(-most, io.SeekEnd)
	}
	data, err := io.ReadAll(f)
	if err != nil && !errors.Is(err, io.EOF) {
		return ""
	}
	return lastLines(string(data), lines)
}

// LogPath is where the log of a program lies below dir.
func LogPath(dir, name string) string { return filepath.Join(dir, name+".log") }
