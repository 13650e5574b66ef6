// Package terminaltest sits at a pseudo-terminal for tests, and types where a program waits for it.
package terminaltest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// A Terminal is a pseudo-terminal (pty(7)): a program has the one end, and the test the other.
type Terminal struct {
	// Program is the end that the program reads and writes.
	Program *os.File

	own    *os.File
	prompt string
	answer func(screen string) string
	ended  chan error
	screen bytes.Buffer
}

// patience bounds how long a prompt may take; it is for a machine that has other work.
const patience = 5 * time.Minute

// Open opens a terminal of 80 columns. Whenever prompt stands at the end of its screen, what answer
// returns is typed, and Enter behind it; answer is given the screen since the prompt before.
func Open(t testing.TB, prompt string, answer func(screen string) string) *Terminal {
	t.Helper()
	own, program, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = own.Close() })
	if err := pty.Setsize(own, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	terminal := &Terminal{Program: program, own: own, prompt: prompt, answer: answer, ended: make(chan error, 1)}
	go func() { terminal.ended <- terminal.sit() }()
	return terminal
}

// Answers answers prompts with lines, one after the other, and with last when there is none left.
func Answers(last string, lines ...string) func(string) string {
	return func(string) string {
		if len(lines) == 0 {
			return last
		}
		line := lines[0]
		lines = lines[1:]
		return line
	}
}

// sit types until the other end of the terminal is closed.
func (terminal *Terminal) sit() error {
	if err := terminal.own.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	buffer := make([]byte, 4096)
	seen := 0
	for {
		n, err := terminal.own.Read(buffer)
		terminal.screen.Write(buffer[:n])
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				text := terminal.screen.String()
				return fmt.Errorf(
					"no prompt within %s; the screen ends with %q",
					patience,
					text[max(0, len(text)-200):],
				)
			}
			return nil // EIO: no process has the terminal open any more
		}
		if !bytes.HasSuffix(terminal.screen.Bytes(), []byte(terminal.prompt)) {
			continue
		}
		since := terminal.screen.String()[seen:]
		seen = terminal.screen.Len()
		if _, err := terminal.own.WriteString(terminal.answer(since) + "\n"); err != nil {
			return err
		}
	}
}

// Close closes the program's end, and returns what stood on the screen when all of it was read.
func (terminal *Terminal) Close(t testing.TB) string {
	t.Helper()
	_ = terminal.Program.Close()
	if err := <-terminal.ended; err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(terminal.screen.String(), "\r\n", "\n")
}

// Run runs a program whose terminal this is, and returns its screen and what it ended with.
func (terminal *Terminal) Run(t testing.TB, cmd *exec.Cmd) (string, error) {
	t.Helper()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal.Program, terminal.Program, terminal.Program
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true} // its controlling terminal: setsid(2)
	err := cmd.Run()
	return terminal.Close(t), err
}

// question is the heading of a question of a walk.
var question = regexp.MustCompile(`Question (\d+) of \d+`)

// Learner answers the questions of a walk by their numbers, with one line or several, and goes on
// at every other prompt. What it has no answer to it skips.
func Learner(answers map[int][]string) func(string) string {
	at := 0
	return func(screen string) string {
		if m := question.FindStringSubmatch(screen); m != nil {
			at, _ = strconv.Atoi(m[1])
		} else if at > 0 && strings.Contains(screen, "[Enter]") {
			at = 0
		}
		switch lines := answers[at]; {
		case at == 0:
			return ""
		case len(lines) == 0:
			return "s"
		default:
			answers[at] = lines[1:]
			return lines[0]
		}
	}
}
