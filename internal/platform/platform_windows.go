package platform

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/windows"
)

// wholeFile is a range of bytes that every file lies in.
const wholeFile = ^uint32(0)

// Lock takes a lock on an open file (LockFileEx) and returns false when another process holds it.
// The lock ends with the file's handle.
func Lock(f *os.File, kind LockKind) (bool, error) {
	err := lockFile(f, kind, windows.LOCKFILE_FAIL_IMMEDIATELY)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return false, nil
	}
	return err == nil, err
}

// LockWait takes a lock on an open file, however long that takes.
func LockWait(f *os.File, kind LockKind) error { return lockFile(f, kind, 0) }

func lockFile(f *os.File, kind LockKind, flags uint32) error {
	if kind == Exclusive {
		flags |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	return windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, wholeFile, wholeFile, &windows.Overlapped{})
}

func owner(fs.FileInfo) (uid, gid int, ok bool) { return 0, 0, false }

func identify(info fs.FileInfo) Identity { return Identity{Size: info.Size()} }

// FileSystem returns a number of the volume that an existing path lies on and the bytes that are
// free there for this user.
func FileSystem(path string) (device, free uint64, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return 0, 0, err
	}
	if _, err := os.Stat(path); err != nil {
		return 0, 0, err
	}
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, 0, err
	}
	for _, c := range filepath.VolumeName(path) {
		device = device<<8 | uint64(byte(c))
	}
	return device, free, windows.GetDiskFreeSpaceEx(name, &free, nil, nil)
}

// OwnGroup gives a command a process group of its own.
func OwnGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
}

// OwnNamespaces is not possible here.
func OwnNamespaces(*exec.Cmd) error { return ErrUnsupported }

// OwnSession detaches a command from the console, so that Ctrl-C does not reach it.
func OwnSession(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.DETACHED_PROCESS | windows.CREATE_NEW_PROCESS_GROUP}
}

// EndGroup ends a command.
func EndGroup(cmd *exec.Cmd) error { return cmd.Process.Kill() }

// PeerOf is not possible here.
func PeerOf(syscall.Conn) (Peer, error) { return Peer{}, ErrUnsupported }

// OpenDir opens a directory.
func OpenDir(dir string) (*os.File, error) { return os.Open(dir) }

// RemoveAt removes a file of an open directory.
func RemoveAt(dir *os.File, name string) error { return os.Remove(filepath.Join(dir.Name(), name)) }

// PeakMemory is not told by a process that has ended.
func PeakMemory(*os.ProcessState) int64 { return 0 }
