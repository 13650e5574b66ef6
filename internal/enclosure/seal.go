//go:build linux

package enclosure

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Seal makes read-only bind mounts read-only for good: no user, not even root with every privilege,
// can change them back. They show folders of the host's, which a privileged container could
// otherwise remount and write to.
//
// The kernel locks what is read-only when a mount is copied into a mount namespace of
// another user namespace, and the lock stays with every later copy (mount_namespaces(7),
// "Restrictions on mount namespaces"). So a helper in a user namespace of its own, whose
// users are the same, copies each mount and hands the copy back. Where the kernel has no
// user namespaces the mounts stay as they are.
func (i *Init) Seal(targets ...string) error {
	ours, theirs, err := socketPair()
	if err != nil {
		return fmt.Errorf("seal mounts: %w", err)
	}
	defer ours.Close()
	defer theirs.Close()
	if _, err := ours.Write([]byte(strings.Join(targets, "\x00"))); err != nil {
		return fmt.Errorf("seal mounts: %w", err)
	}
	everybody := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1<<32 - 1}}
	_, ended, err := i.reaper.start("/proc/self/exe", []string{"lab", i.verb, wordSealer}, &os.ProcAttr{
		Files: []*os.File{theirs, os.Stderr, os.Stderr},
		Sys: &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS, UidMappings: everybody,
			GidMappings: everybody, GidMappingsEnableSetgroups: true}})
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EPERM) {
		return nil // no user namespaces, or none allowed
	}
	if err != nil {
		return fmt.Errorf("seal mounts: %w", err)
	}
	_ = theirs.Close()
	for _, target := range targets {
		if err := replaceMount(ours, target); err != nil {
			return fmt.Errorf("seal %s: %w", target, err)
		}
	}
	<-ended
	return nil
}

// wordSealer is the helper's word after the hidden verb.
const wordSealer = "sealer"

func socketPair() (a, b *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "seal"), os.NewFile(uintptr(fds[1]), "seal"), nil
}

// mostTargets bounds the length of the helper's orders.
const mostTargets = 64 << 10

// runSealer is the helper: it reads targets from a socket, copies the mounts on them, which are
// locked here, and hands the copies back.
func runSealer(socket int) error {
	orders := make([]byte, mostTargets)
	n, err := unix.Read(socket, orders)
	if err != nil {
		return fmt.Errorf("read what to seal: %w", err)
	}
	for target := range strings.SplitSeq(string(orders[:n]), "\x00") {
		tree, err := unix.OpenTree(unix.AT_FDCWD, target, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		if err != nil {
			return fmt.Errorf("copy the mount on %s: %w", target, err)
		}
		err = unix.Sendmsg(socket, []byte{1}, unix.UnixRights(tree), nil, 0)
		_ = unix.Close(tree)
		if err != nil {
			return fmt.Errorf("hand over the mount on %s: %w", target, err)
		}
	}
	return nil
}

// replaceMount puts the next mount that the helper hands over in the place of the one on target.
func replaceMount(socket *os.File, target string) error {
	tree, err := receive(socket)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	if err := unix.Unmount(target, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount: %w", err)
	}
	return unix.MoveMount(tree, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH)
}

// receive takes one descriptor off a socket.
func receive(socket *os.File) (int, error) {
	data, rights := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	n, length, _, _, err := unix.Recvmsg(int(socket.Fd()), data, rights, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return -1, err
	}
	if n == 0 {
		return -1, errors.New("the helper ended")
	}
	messages, err := unix.ParseSocketControlMessage(rights[:length])
	if err != nil {
		return -1, err
	}
	if len(messages) != 1 {
		return -1, errors.New("the helper handed nothing over")
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return -1, err
	}
	return fds[0], nil
}

// readOnly returns a descriptor of a file on a mount of its own that is read-only, in no namespace,
// and gone with the descriptor. What is run by it can be reached from inside by /proc/1/exe, and
// neither written to, nor given another owner or mode: a mount in no namespace cannot be remounted.
func readOnly(path string) (int, error) {
	tree, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("mount %s: %w", path, err)
	}
	defer unix.Close(tree)
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH,
		&unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
		return -1, fmt.Errorf("mount %s read-only: %w", path, err)
	}
	// A number that no descriptor has which a child is given: those begin at 3.
	high, err := unix.FcntlInt(uintptr(tree), unix.F_DUPFD_CLOEXEC, 100)
	if err != nil {
		return -1, fmt.Errorf("mount %s: %w", path, err)
	}
	return high, nil
}
