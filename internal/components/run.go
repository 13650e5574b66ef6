package components

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/flowproof/lab/internal/platform"
	"github.com/flowproof/lab/internal/progress"
	"github.com/flowproof/lab/internal/trust"
)

// nowhere is a working directory for programs that take what lies around them: Python's -m looks
// for modules there first, Go for a go.mod. Only root writes to it.
const nowhere = "/"

// A command is a host program that is run to its end.
type command struct {
	name    string
	args    []string
	dir     string
	env     []string          // added to the environment
	stdin   io.Reader         // nil: nothing
	stdout  io.Writer         // nil: joined with stderr
	line    func(line string) // called with each line of stderr (and stdout)
	started func(*os.Process) // called when the program runs, before its first line
	private bool              // in mount and PID namespaces of its own: its end takes all processes and mounts with it
}

// run starts the program and waits for it. When ctx ends, the whole process group is killed. An
// error carries the end of the program's output.
func (c command) run(ctx context.Context) error {
	cmd := c.command(ctx)
	out := &progress.Tail{Each: c.line}
	cmd.Stdout, cmd.Stderr = c.stdout, out
	if c.stdout == nil {
		cmd.Stdout = out
	}
	// The kernel sends Pdeathsig when the thread that forked ends; it must be this
	// one, and it must stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Start()
	if err == nil {
		if c.started != nil {
			c.started(cmd.Process)
		}
		err = cmd.Wait()
		spent(ctx, cmd.ProcessState)
	}
	if end := stopped(ctx); end != nil {
		return end
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("run %s: not installed (see: lab doctor)", c.name)
	}
	if c.private && errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("run %s: %w (the root directory is no mount point: leave the chroot)", c.title(), err)
	}
	return explain(fmt.Errorf("run %s: %w", c.title(), err), out.String())
}

// output is run for a program whose answer is on stdout; the answer is trimmed.
func (c command) output(ctx context.Context) (string, error) {
	var out bytes.Buffer
	c.stdout = &out
	err := c.run(ctx)
	return strings.TrimSpace(out.String()), err
}

// command is c for os/exec.
func (c command) command(ctx context.Context) *exec.Cmd {
	name, err := trust.LookPath(c.name)
	if err != nil {
		name = c.name // it fails when it is started
	}
	cmd := exec.CommandContext(ctx, name, c.args...)
	if err != nil {
		cmd.Err = err
	}
	cmd.Dir, cmd.Stdin = c.dir, c.stdin
	cmd.Env = append(os.Environ(), c.env...)
	platform.OwnGroup(cmd)
	if c.private {
		cmd.Err = errors.Join(cmd.Err, platform.OwnNamespaces(cmd))
	}
	cmd.Cancel = func() error { return platform.EndGroup(cmd) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// title is the program with its first words, enough for a person to know what was run.
func (c command) title() string {
	words := []string{c.name}
	for _, arg := range c.args {
		if strings.HasPrefix(arg, "-") && arg != "-m" {
			break
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}
