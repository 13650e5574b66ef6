//go:build unix

package platform

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// blockSize is the unit of st_blocks (stat(2)).
const blockSize = 512

// Lock takes a lock on an open file (flock(2)) and returns false when another process holds it. The
// lock ends with the file's last descriptor.
func Lock(f *os.File, kind LockKind) (bool, error) {
	err := unix.Flock(int(f.Fd()), how(kind)|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// LockWait takes a lock on an open file, however long that takes.
func LockWait(f *os.File, kind LockKind) error {
	for {
		if err := unix.Flock(int(f.Fd()), how(kind)); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func how(kind LockKind) int {
	if kind == Shared {
		return unix.LOCK_SH
	}
	return unix.LOCK_EX
}

func owner(info fs.FileInfo) (uid, gid int, ok bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(stat.Uid), int(stat.Gid), true
}

func identify(info fs.FileInfo) Identity {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Identity{Size: info.Size()}
	}
	return Identity{Inode: stat.Ino, Links: uint64(stat.Nlink), Size: stat.Blocks * blockSize}
}

// FileSystem returns the device that an existing path lies on and the bytes that are free
// there for this user.
func FileSystem(path string) (device, free uint64, err error) {
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		return 0, 0, err
	}
	var system unix.Statfs_t
	if err := unix.Statfs(path, &system); err != nil {
		return 0, 0, err
	}
	return uint64(stat.Dev), system.Bavail * uint64(system.Bsize), nil
}

// OwnSession makes a command the leader of a session of its own, which neither Ctrl-C nor the end
// of the terminal reaches.
func OwnSession(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// EndGroup ends a command's whole process group with SIGKILL.
func EndGroup(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// OpenDir opens a directory that is no symbolic link.
func OpenDir(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	return os.NewFile(uintptr(fd), dir), nil
}

// RemoveAt removes a file of an open directory, which may not lie at its path any more.
func RemoveAt(dir *os.File, name string) error { return unix.Unlinkat(int(dir.Fd()), name, 0) }

// PeakMemory is the resident set in bytes of the largest process among one that has ended and
// those that it waited for (getrusage(2)).
func PeakMemory(p *os.ProcessState) int64 {
	usage, ok := p.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return int64(usage.Maxrss) // in bytes there, in KiB elsewhere
	}
	return int64(usage.Maxrss) << 10
}
