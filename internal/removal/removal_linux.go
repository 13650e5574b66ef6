package removal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/internal/sometimes"
)

// All removes a file, or a directory with everything below, and is content when there is none.
// Where something is mounted at or below it, nothing is removed and the error is a *MountedError.
// What is mounted while it works is not entered either. Directories of the caller's without write
// permission are no hindrance, nor is a symbolic link followed.
func All(dir string) error {
	if point, err := mountedBelow(dir); err != nil || point != "" {
		if err == nil {
			sometimes.Reached("removal: something is mounted below")
			err = &MountedError{Dir: dir, Point: point}
		}
		return err
	}
	return walk(dir, true)
}

// Directories removes a tree of empty directories whose other entries go with them, as a cgroup's
// do: it removes no file, and enters no mount.
func Directories(dir string) error { return walk(dir, false) }

// mountedBelow returns a mount point at or below dir; "" for none. Source of the fields:
// proc_pid_mountinfo(5).
func mountedBelow(dir string) (string, error) {
	parent, err := filepath.EvalSymlinks(filepath.Dir(filepath.Clean(dir)))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err == nil {
		parent, err = filepath.Abs(parent)
	}
	if err != nil {
		return "", fmt.Errorf("remove %s: %w", dir, err)
	}
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", fmt.Errorf("remove %s: read the mounts: %w", dir, err)
	}
	return pointBelow(string(data), filepath.Join(parent, filepath.Base(filepath.Clean(dir)))), nil
}

// pointBelow finds the first mount point at or below an absolute path in a mountinfo file's text.
func pointBelow(mountinfo, path string) string {
	for line := range strings.Lines(mountinfo) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		point := unescape.Replace(f[4])
		if rest, ok := strings.CutPrefix(point, path); ok && (rest == "" || rest[0] == '/') {
			return point
		}
	}
	return ""
}

// unescape undoes what the kernel does to the characters that would divide a line.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// walk removes path. The directory above it is opened by its name, everything below by descriptors.
func walk(path string, files bool) error {
	parent, err := unix.Open(filepath.Dir(filepath.Clean(path)), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return &fs.PathError{Op: "remove", Path: path, Err: err}
	}
	defer unix.Close(parent)
	w := walker{root: path, files: files}
	w.remove(parent, filepath.Base(filepath.Clean(path)), path)
	return w.failed
}

// A walker removes one tree and keeps the first thing that failed, or a mount that it met; it still
// removes what it can.
type walker struct {
	root   string
	files  bool // also files, not only directories
	failed error
}

func (w *walker) fail(path string, err error) {
	switch {
	case errors.Is(err, unix.EXDEV):
		w.failed = &MountedError{Dir: w.root, Point: path}
	case w.failed == nil:
		w.failed = &fs.PathError{Op: "remove", Path: path, Err: err}
	}
}

// remove removes the entry name of the directory that parent is open on.
func (w *walker) remove(parent int, name, path string) {
	dir, err := openDir(parent, name)
	switch {
	case errors.Is(err, unix.ENOENT):
		return
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		if w.files {
			w.unlink(parent, name, path, 0)
		}
		return
	case err != nil:
		w.fail(path, err)
		return
	}
	w.empty(dir, path)
	w.unlink(parent, name, path, unix.AT_REMOVEDIR)
}

// empty removes what is in a directory, and closes it.
func (w *walker) empty(dir int, path string) {
	f := os.NewFile(uintptr(dir), path)
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.fail(path, err)
	}
	for _, e := range entries {
		if e.IsDir() || w.files {
			w.remove(dir, e.Name(), filepath.Join(path, e.Name()))
		}
	}
}

func (w *walker) unlink(parent int, name, path string, flags int) {
	err := unix.Unlinkat(parent, name, flags)
	if errors.Is(err, unix.EACCES) { // the directory may be ours and lack the permission to write
		if unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", parent), 0o700) == nil {
			err = unix.Unlinkat(parent, name, flags)
		}
	}
	if errors.Is(err, unix.EBUSY) && isMountPoint(parent, name) {
		err = unix.EXDEV
	}
	if err != nil && !errors.Is(err, unix.ENOENT) {
		w.fail(path, err)
	}
}

// openDir opens a directory that is no mount point; EXDEV says that it is one. One of the caller's
// that cannot be read is made readable.
func openDir(parent int, name string) (int, error) {
	fd, err := openBeneath(parent, name)
	if !errors.Is(err, unix.EACCES) {
		return fd, err
	}
	if unix.Fchmodat(parent, name, 0o700, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return -1, err
	}
	return openBeneath(parent, name)
}

// withoutOpenat2 says that the kernel, or what filters its calls, does not know openat2(2),
// which is of Linux 5.6.
var withoutOpenat2 atomic.Bool

// openBeneath asks the kernel, or compares the ids of mounts. Devices are no test: a bind mount of
// the same file system has the same one.
func openBeneath(parent int, name string) (int, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	if !withoutOpenat2.Load() {
		fd, err := unix.Openat2(parent, name, &unix.OpenHow{Flags: flags,
			Resolve: unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_BENEATH})
		if !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EPERM) {
			return fd, err
		}
		withoutOpenat2.Store(true)
	}
	fd, err := unix.Openat(parent, name, flags, 0)
	if err != nil {
		return -1, err
	}
	if id := mountID(fd); id == "" || id != mountID(parent) {
		unix.Close(fd)
		return -1, unix.EXDEV
	}
	return fd, nil
}

// isMountPoint says whether a file has something mounted on it.
func isMountPoint(parent int, name string) bool {
	fd, err := unix.Openat(parent, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return mountID(fd) != mountID(parent)
}

// mountID is the mount that a descriptor was opened on, as proc_pid_fdinfo(5) says it;
// "" when it does not.
func mountID(fd int) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd))
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(data) {
		if id, ok := bytes.CutPrefix(line, []byte("mnt_id:")); ok {
			return string(bytes.TrimSpace(id))
		}
	}
	return ""
}
