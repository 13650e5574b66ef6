package undo

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/redact"
	"github.com/flowproof/lab/internal/screen"
	"github.com/flowproof/lab/internal/wait"

	"github.com/flowproof/lab/internal/platform"
	"github.com/flowproof/lab/internal/sometimes"
)

// guardDeadline bounds what the guard does after its run has ended: what fails because the
// machine or the cluster does not answer is tried again until then, so that an apiserver that
// comes back finds it waiting.
const (
	guardDeadline = 3 * time.Minute
	guardPause    = time.Second
)

// A message is one line of JSON from the run to its guards.
type message struct {
	Add  *Action `json:"add,omitempty"`
	Done int     `json:"done,omitempty"` // ID of an action that the run carried out itself
	End  bool    `json:"end,omitempty"`  // nothing is left to do
}

// guard is the run's end of the pipe to a guard.
type guard struct {
	command *exec.Cmd
	pipe    io.WriteCloser
}

// A run has two guards, a chief and a deputy, so that nothing stays when one is killed together
// with the run. Both know the list. Between them is a pipe, descriptor 3 of both: the chief writes
// to it when it has done its work; when the pipe ends without that, the deputy does it.
const (
	roleVariable = "FLOWPROOF_UNDO_GUARD" // environment variable by which a guard knows its role
	roleChief    = "chief"
	roleDeputy   = "deputy"
	betweenFD    = 3
)

// startGuards starts both in sessions of their own, so that neither Ctrl-C nor the end of the
// terminal reaches them.
func startGuards(command []string) ([]*guard, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	defer write.Close()
	chief, err := startGuard(command, roleChief, write)
	if err != nil {
		return nil, err
	}
	deputy, err := startGuard(command, roleDeputy, read)
	if err != nil {
		return nil, errors.Join(err, chief.wait())
	}
	return []*guard{chief, deputy}, nil
}

func startGuard(command []string, role string, between *os.File) (*guard, error) {
	cmd := exec.Command(command[0], command[1:]...)
	platform.OwnSession(cmd)
	cmd.Stderr = os.Stderr
	cmd.Dir = "/" // it must not hold a directory that is to be removed
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.ExtraFiles = []*os.File{between}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &guard{command: cmd, pipe: pipe}, nil
}

func (g *guard) tell(m message) error {
	line, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = g.pipe.Write(append(line, '\n'))
	return err
}

// wait closes the pipe and returns how the guard ended.
func (g *guard) wait() error {
	_ = g.pipe.Close()
	if err := g.command.Wait(); err != nil {
		return fmt.Errorf("undo guard: %w", err)
	}
	return nil
}

// Verb is the word behind the program's name that makes it a guard: a program whose runs have one
// calls Guard for it.
const Verb = "__undo"

// Guard is the whole life of a guard: it reads messages from in until the run says that nothing is
// left, or until the run is gone; then it carries out what is left, newest first, says so on out,
// and returns what failed. A deputy does so only if its chief could not.
func Guard(in io.Reader, out io.Writer, kinds Kinds) error {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	left, err := listen(in)
	if err != nil || len(left) == 0 {
		return err
	}
	role := os.Getenv(roleVariable)
	if role == roleDeputy && chiefIsDone(os.NewFile(betweenFD, "chief")) {
		return nil
	}
	sometimes.Reached("undo: the " + cmp.Or(role, roleChief) + " works the list off")
	err = carryOutAll(left, out, kinds)
	if role == roleChief {
		_, _ = os.NewFile(betweenFD, "deputy").Write([]byte{1})
	}
	return err
}

// chiefIsDone waits for the chief's word, or its end.
func chiefIsDone(between io.Reader) bool {
	n, _ := between.Read(make([]byte, 1))
	return n == 1
}

func carryOutAll(left []Action, out io.Writer, kinds Kinds) error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), guardDeadline,
		fmt.Errorf("not done within %s", guardDeadline))
	defer cancel()
	var failures []error
	for i := len(left) - 1; i >= 0; i-- {
		if err := insist(ctx, out, kinds, left[i]); err != nil {
			sometimes.Reached("undo: an action fails")
			failures = append(failures, err)
			fmt.Fprintf(out, "✗ %v\n", err)
			continue
		}
		fmt.Fprintf(out, "✓ %s, in place of the run that ended\n", left[i].What)
	}
	return errors.Join(failures...)
}

// insist carries an action out, again and again where the environment is what keeps
// it from being done.
func insist(ctx context.Context, out io.Writer, kinds Kinds, action Action) error {
	var last error
	said := false
	_ = wait.Until(ctx, guardPause, func() (bool, error) {
		if last = carryOut(ctx, kinds, action); !errors.Is(last, fault.Environment) {
			return true, nil
		}
		if deadline, _ := ctx.Deadline(); !said {
			fmt.Fprintf(out, "· %s (tried again until %s)\n", screen.Line(redact.Text(last.Error())),
				deadline.Format("15:04:05"))
		}
		said = true
		return false, nil
	})
	return last
}

func carryOut(ctx context.Context, kinds Kinds, action Action) error {
	undo := kinds[action.Kind]
	if undo == nil {
		return fmt.Errorf("%s: unknown kind %q", action.What, action.Kind)
	}
	if err := undo(ctx, action.Args); err != nil {
		return fmt.Errorf("%s: %w", action.What, err)
	}
	return nil
}

// listen follows the run's list and returns what is left on it. A line that was cut by the run's
// death is not a message.
func listen(in io.Reader) ([]Action, error) {
	var left []Action
	decoder := json.NewDecoder(in)
	for {
		var m message
		switch err := decoder.Decode(&m); {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return left, nil
		case err != nil:
			return left, fmt.Errorf("read undo list: %w", err)
		}
		switch {
		case m.End:
			return nil, nil
		case m.Add != nil:
			left = append(left, *m.Add)
		default:
			for i, a := range left {
				if a.ID == m.Done {
					left = append(left[:i], left[i+1:]...)
					break
				}
			}
		}
	}
}
