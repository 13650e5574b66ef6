package docker

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"

	"github.com/flowproof/lab/internal/progress"
)

// Attend runs a command of Command's to its end and hands each line of what it says on
// stderr to line, if any. Its error carries the last of them. The program dies with this
// process, however that ends.
func (d *Docker) Attend(ctx context.Context, cmd *exec.Cmd, line func(string)) error {
	said := &progress.Tail{Each: line}
	cmd.Stderr = said
	if cmd.Stdout == nil {
		cmd.Stdout = io.Discard
	}
	// The kernel sends the signal of the parent's death when the thread that forked ends:
	// it must be this one.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Run()
	text := said.String()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", title(cmd), context.Cause(ctx))
	}
	return &Error{Program: title(cmd), Said: text, Err: err, Full: true}
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
