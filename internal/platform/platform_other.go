//go:build unix && !linux && !darwin

package platform

import (
	"os/exec"
	"syscall"
)

// OwnGroup gives a command a process group of its own.
func OwnGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// OwnNamespaces is not possible here.
func OwnNamespaces(*exec.Cmd) error { return ErrUnsupported }

// PeerOf is not possible here.
func PeerOf(syscall.Conn) (Peer, error) { return Peer{}, ErrUnsupported }
