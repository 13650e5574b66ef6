package trust

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/flowproof/lab/internal/platform"
	"github.com/flowproof/lab/internal/wait"
)

// A Hold is a directory that one process has to itself, until it lets go or ends, however it ends:
// the kernel keeps the lock (flock(2)), and no other user can open the directory to take it first.
type Hold struct {
	dir  string
	file *os.File
}

// ErrHeld says that another process holds the directory.
var ErrHeld = errors.New("another process holds it")

// holderFile is where the holder leaves its process id, for those who wait.
const holderFile = "holder"

// Take makes a directory as MakeDir does and takes hold of it.
func Take(dir string) (*Hold, error) {
	for {
		if err := MakeDir(dir); err != nil {
			return nil, err
		}
		h, err := take(dir)
		if !errors.Is(err, fs.ErrNotExist) { // else it was removed meanwhile
			return h, err
		}
	}
}

// Seize takes hold of a directory that is there, if this user alone may enter it.
func Seize(dir string) (*Hold, error) {
	if err := private(dir); err != nil {
		return nil, err
	}
	return take(dir)
}

// Close lets go of the directory and leaves it where it is.
func (h *Hold) Close() { _ = h.file.Close() }

func take(dir string) (*Hold, error) {
	file, err := platform.OpenDir(dir)
	if err != nil {
		return nil, err
	}
	h := &Hold{dir: dir, file: file}
	ours, err := platform.Lock(file, platform.Exclusive)
	if err == nil && !ours {
		err = ErrHeld
	}
	if err != nil {
		h.file.Close()
		return nil, fmt.Errorf("hold %s: %w", dir, err)
	}
	if !h.there() {
		h.file.Close()
		return nil, &fs.PathError{Op: "hold", Path: dir, Err: fs.ErrNotExist}
	}
	return h, nil
}

// there says whether the held directory still lies at its path.
func (h *Hold) there() bool {
	held, err := h.file.Stat()
	if err != nil {
		return false
	}
	at, err := os.Lstat(h.dir)
	return err == nil && os.SameFile(held, at)
}

// Listen opens a socket in the held directory, in place of one that an earlier
// holder may have left.
func (h *Hold) Listen(name string) (*net.UnixListener, error) {
	path := filepath.Join(h.dir, name)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: path})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // by then the path may be another holder's
	return l, nil
}

// Release removes files of the held directory, then the directory and its parent, each unless it
// has something else in it, and lets go.
func (h *Hold) Release(names ...string) {
	for _, name := range names {
		_ = platform.RemoveAt(h.file, name)
	}
	if h.there() {
		_ = os.Remove(h.dir)
		_ = os.Remove(filepath.Dir(h.dir))
	}
	_ = h.file.Close()
}

// Lock takes hold of a name among this user's labs, or waits until ctx ends; after a second of
// waiting it calls waiting once, with words for who has it. The returned function lets go.
func Lock(ctx context.Context, name string, waiting func(holder string)) (release func(), err error) {
	dir := filepath.Join(Base(), name+".lock")
	tell := sync.OnceFunc(func() { waiting(holder(dir)) })
	var h *Hold
	began := time.Now()
	// The end of a lock is no event to those who do not hold it.
	late := wait.Until(ctx, 20*time.Millisecond, func() (bool, error) {
		if h, err = Take(dir); !errors.Is(err, ErrHeld) {
			return true, nil
		}
		if time.Since(began) > time.Second {
			tell()
		}
		return false, nil
	})
	if late != nil {
		return nil, fmt.Errorf("wait for %s: %w", holder(dir), late)
	}
	if err == nil {
		if err = os.WriteFile(filepath.Join(dir, holderFile), []byte(strconv.Itoa(os.Getpid())), 0o600); err == nil {
			return func() { h.Release(holderFile) }, nil
		}
		h.Release()
	}
	return nil, fmt.Errorf("lock %s: %w", name, err)
}

// holder names the process that left its id.
func holder(dir string) string {
	data, err := os.ReadFile(filepath.Join(dir, holderFile))
	if err != nil || strings.TrimSpace(string(data)) == "" {
		return "another process"
	}
	return "process " + strings.TrimSpace(string(data))
}
