// Package input opens and reads what a user hands in: files by their paths, standard input,
// compressed texts. Nothing but a regular file is ever opened, nothing is read beyond a limit, and
// every read ends when its context does.
package input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/flowproof/lab/internal/bytesize"
)

// ErrNotRegular says that a path names a pipe, a device, a socket or a directory.
var ErrNotRegular = errors.New("not a regular file")

// ErrTooLarge says that a file or a stream has more than the limit of its reader.
var ErrTooLarge = errors.New("too large")

// Open opens a regular file for reading. What else a path can name is refused before it is opened:
// the opening alone of a pipe waits for its writer, and that of a device may do something. Should
// the file be exchanged between the look and the opening, what was opened is refused too, and the
// opening has not waited. A symbolic link is followed.
func Open(path string) (*os.File, error) {
	return open(path, os.Stat, func() (*os.File, error) { return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) })
}

// OpenIn is Open for a name below a directory. A symbolic link is refused, wherever it leads.
func OpenIn(root *os.Root, name string) (*os.File, error) {
	return open(name, root.Lstat, func() (*os.File, error) {
		return root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	})
}

// Check refuses a path that Open would refuse for what it names. A path that is not there
// is no matter of it.
func Check(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	return regular(path, info)
}

func open(name string, look func(string) (fs.FileInfo, error), opened func() (*os.File, error)) (*os.File, error) {
	info, err := look(name)
	if err != nil {
		return nil, err
	}
	if err := regular(name, info); err != nil {
		return nil, err
	}
	file, err := opened()
	if err != nil {
		return nil, err
	}
	now, err := file.Stat()
	if err == nil {
		err = regular(name, now)
	}
	if err == nil && !os.SameFile(info, now) {
		err = fmt.Errorf("open %s: it was exchanged for another file in the moment of opening", name)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// regular refuses what is no regular file, and says what it is.
func regular(name string, info fs.FileInfo) error {
	mode := info.Mode()
	if mode.IsRegular() {
		return nil
	}
	what, hint := "a special file", "give a regular file"
	switch {
	case mode.IsDir():
		what, hint = "a directory", "give a file in it"
	case mode&fs.ModeNamedPipe != 0:
		what, hint = "a pipe", "write it to a file first, or use - where standard input is read"
	case mode&fs.ModeSocket != 0:
		what = "a socket"
	case mode&fs.ModeDevice != 0:
		what = "a device"
	case mode&fs.ModeSymlink != 0:
		what, hint = "a symbolic link", "put the file itself there"
	}
	return fmt.Errorf("open %s: %w: it is %s (%s)", name, ErrNotRegular, what, hint)
}

// ReadFile reads a regular file of at most limit bytes.
func ReadFile(ctx context.Context, path string, limit int64) ([]byte, error) {
	file, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readOpened(ctx, file, path, limit)
}

// ReadIn is ReadFile for a name below a directory.
func ReadIn(ctx context.Context, root *os.Root, name string, limit int64) ([]byte, error) {
	file, err := OpenIn(root, name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readOpened(ctx, file, name, limit)
}

func readOpened(ctx context.Context, file *os.File, name string, limit int64) ([]byte, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("read %s: %w: %s, and at most %s are read", name, ErrTooLarge,
			bytesize.Text(info.Size()), bytesize.Text(limit))
	}
	text, err := ReadAll(ctx, file, limit)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return text, nil
}

// ReadAll reads a stream to its end. A stream of more than limit bytes is ErrTooLarge; one that is
// still open when ctx ends is the context's cause.
func ReadAll(ctx context.Context, r io.Reader, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(Interruptible(ctx, r), limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%w: more than %s", ErrTooLarge, bytesize.Text(limit))
	}
	if err != nil {
		return nil, err
	}
	return text, nil
}
