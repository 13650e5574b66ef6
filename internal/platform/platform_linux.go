package platform

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// OwnGroup gives a command a process group of its own, which ends with this process
// (PR_SET_PDEATHSIG, prctl(2)).
func OwnGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// OwnNamespaces gives a command that has a group of its own PID and mount namespaces as well: its
// descendants end with it.
func OwnNamespaces(cmd *exec.Cmd) error {
	cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID
	cmd.SysProcAttr.Unshareflags = syscall.CLONE_NEWNS
	return nil
}

// PeerOf returns the process at the other end of a connected unix(7) socket (SO_PEERCRED): of a
// listener, as it was when it began to listen.
func PeerOf(conn syscall.Conn) (Peer, error) {
	var cred *unix.Ucred
	err := control(conn, func(fd int) (err error) {
		cred, err = unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
		return err
	})
	if err != nil {
		return Peer{}, err
	}
	return Peer{UID: int(cred.Uid), PID: int(cred.Pid)}, nil
}
