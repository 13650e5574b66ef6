//go:build unix

package main

import (
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// isTerminalFile reports whether a stream is a terminal's file.
func isTerminalFile(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// foreground runs a program as the terminal's foreground job, so that Ctrl-C is its own, and takes
// the terminal back when it ends (tcsetpgrp(3), credentials(7)). Without a terminal the program
// just runs.
func foreground(cmd *exec.Cmd) error {
	tty, ok := cmd.Stdin.(*os.File)
	if !ok || !term.IsTerminal(int(tty.Fd())) {
		return cmd.Run()
	}
	signal.Ignore(syscall.SIGTTOU) // who takes the terminal back is in the background
	defer signal.Reset(syscall.SIGTTOU)
	own := unix.Getpgrp()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Foreground: true, Ctty: int(tty.Fd())}
	err := cmd.Run()
	if failed := unix.IoctlSetPointerInt(int(tty.Fd()), unix.TIOCSPGRP, own); failed != nil && err == nil {
		err = failed
	}
	return err
}
