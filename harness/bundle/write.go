package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/removal"
)

// Write makes the bundle in dir, whose parent must exist. It is written beside dir under a
// temporary name, brought to the disk, and takes dir's place when it is whole and only
// then: an error leaves what was there, and nothing else. A bundle that is there is
// replaced, and replaced is when it was written; anything else that is there is an error.
// All files are for their owner alone.
func Write(dir string, c Contents) (replaced time.Time, err error) {
	failed := func(err error) (time.Time, error) { return time.Time{}, fmt.Errorf("write bundle %s: %w", dir, err) }
	old, err := replaceable(dir)
	if err != nil {
		return failed(err)
	}
	files, err := c.files()
	if err != nil {
		return failed(err)
	}
	dir = filepath.Clean(dir)
	temporary, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+"-*")
	if err != nil {
		return failed(fault.Environmentf("%w", err))
	}
	if err = writeAll(temporary, files); err == nil {
		err = replace(temporary, dir)
	}
	if err != nil {
		return failed(fault.Environmentf("%w", errors.Join(err, removal.All(temporary))))
	}
	return old, nil
}

// Writable says, before there is anything to write, why a bundle cannot be written to
// dir; nil where it can.
func Writable(dir string) error {
	if _, err := replaceable(dir); err != nil {
		return fmt.Errorf("write bundle %s: %w", dir, err)
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if info, err := os.Stat(parent); err != nil {
		return fault.Usagef("write bundle %s: %w (make that directory first)", dir, err)
	} else if !info.IsDir() {
		return fault.Usagef("write bundle %s: %s is no directory", dir, parent)
	}
	trial, err := os.MkdirTemp(parent, ".bundle-*")
	if err != nil {
		return fault.Usagef("write bundle %s: %w (choose a place where you may write)", dir, err)
	}
	return os.Remove(trial)
}

// replaceable reports why dir may not be written to. old is when the bundle that is there was
// written; zero where none is.
func replaceable(dir string) (old time.Time, err error) {
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return old, nil
	case err != nil:
		return old, fault.Usagef("%w (choose another directory)", err)
	case !info.IsDir():
		return old, fault.Usagef("it is there and no directory (choose another one)")
	}
	entries, err := os.ReadDir(dir)
	switch {
	case err == nil && len(entries) == 0:
		return old, nil
	case err != nil:
		return old, fault.Usagef("%w (choose another directory)", err)
	}
	m, _, err := readManifest(dir)
	if err != nil {
		return old, fault.Usagef("the directory holds something else than a bundle (choose another one): %w", err)
	}
	return m.Written, nil
}

// replace puts a whole directory in the place of dir, and brings that to the disk.
func replace(temporary, dir string) error {
	if err := os.Remove(dir); err == nil || errors.Is(err, fs.ErrNotExist) { // nothing or an empty directory
		return errors.Join(os.Rename(temporary, dir), syncDir(filepath.Dir(dir)))
	}
	if err := exchange(temporary, dir); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(dir)); err != nil {
		return err
	}
	return removal.All(temporary) // which the old one is now
}

// exchangeByTwo puts a directory in the place of another, with a moment between in
// which there is none.
func exchangeByTwo(temporary, dir string) error {
	old := temporary + ".old"
	if err := os.Rename(dir, old); err != nil {
		return err
	}
	if err := os.Rename(temporary, dir); err != nil {
		return errors.Join(err, os.Rename(old, dir))
	}
	return os.Rename(old, temporary)
}

// writeAll writes files into a directory, and brings them to the disk.
func writeAll(dir string, files map[string][]byte) error {
	folders := map[string]bool{dir: true}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		full := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
			return err
		}
		if err := writeFile(full, files[name]); err != nil {
			return err
		}
		folders[filepath.Dir(full)] = true
	}
	for _, folder := range slices.Sorted(maps.Keys(folders)) {
		if err := syncDir(folder); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err = file.Write(text); err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// syncDir brings the names in a directory to the disk.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // it has no such call for a directory
	}
	file, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = file.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
		err = nil // not every file system can
	}
	return errors.Join(err, file.Close())
}
