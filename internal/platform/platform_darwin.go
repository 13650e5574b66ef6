package platform

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// OwnGroup gives a command a process group of its own.
func OwnGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// OwnNamespaces is not possible here.
func OwnNamespaces(*exec.Cmd) error { return ErrUnsupported }

// PeerOf returns the process at the other end of a connected socket (LOCAL_PEERCRED and
// LOCAL_PEERPID, unix(4) of macOS).
func PeerOf(conn syscall.Conn) (peer Peer, err error) {
	err = control(conn, func(fd int) error {
		cred, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
		if err != nil {
			return err
		}
		peer.UID = int(cred.Uid)
		peer.PID, err = unix.GetsockoptInt(fd, unix.SOL_LOCAL, unix.LOCAL_PEERPID)
		return err
	})
	return peer, err
}
