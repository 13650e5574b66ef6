//go:build !unix

package main

import (
	"io"
	"os"
	"os/exec"

	"golang.org/x/term"
)

func isTerminalFile(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// foreground runs a program on the terminal.
func foreground(cmd *exec.Cmd) error { return cmd.Run() }
