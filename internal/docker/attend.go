package docker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
)

// kept is how many of a program's last lines an error carries.
const kept = 20

// Attend runs a command of Command's to its end and hands each line of what it says on
// stderr to line, if any. Its error carries the last of them. The program dies with this
// process, however that ends.
func (d *Docker) Attend(ctx context.Context, cmd *exec.Cmd, line func(string)) error {
	said := &lines{each: line}
	cmd.Stderr = said
	if cmd.Stdout == nil {
		cmd.Stdout = io.Discard
	}
	// The kernel sends the signal of the parent's death when the thread that forked ends:
	// it must be this one.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Run()
	_, _ = said.Write([]byte("\n")) // a last line without an end
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", title(cmd), context.Cause(ctx))
	}
	return &Error{Program: title(cmd), Said: strings.Join(said.last, "\n"), Err: err, Full: true}
}

// title is a program's name with its first words.
func title(cmd *exec.Cmd) string {
	words := []string{cmd.Args[0][strings.LastIndexByte(cmd.Args[0], '/')+1:]}
	for _, arg := range cmd.Args[1:] {
		if strings.HasPrefix(arg, "-") || len(words) > 2 {
			break
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}

// lines takes what a program writes apart into lines and keeps the last.
type lines struct {
	each    func(string)
	last    []string
	partial []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.partial = append(l.partial, p...)
	for {
		i := bytes.IndexByte(l.partial, '\n')
		if i < 0 {
			return len(p), nil
		}
		text := strings.TrimRight(string(l.partial[:i]), " \r")
		l.partial = l.partial[i+1:]
		if text == "" {
			continue
		}
		if l.each != nil {
			l.each(text)
		}
		if l.last = append(l.last, text); len(l.last) > kept {
			l.last = l.last[1:]
		}
	}
}
