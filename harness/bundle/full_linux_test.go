package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
)

// onSmallDisk runs f with a directory that is a tmpfs of so many KiB, in a mount namespace of its
// own, which ends with its thread.
func onSmallDisk(t *testing.T, kib int, f func(dir string) error) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may mount a small disk")
	}
	dir := t.TempDir()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its namespace
		err := errors.Join(unix.Unshare(unix.CLONE_NEWNS|unix.CLONE_FS),
			unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
			unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dk", kib)))
		if err == nil {
			err = f(dir)
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestFullDisk writes a bundle where only one has room, over a good one and beside nothing: the
// good one stays whole, and nothing half is left.
func TestFullDisk(t *testing.T) {
	c := contents(t)
	files, err := c.files()
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	for _, text := range files {
		size += (len(text) + 4095) / 4096 * 4
	}
	for _, room := range []int{size / 4, size / 2, size * 9 / 10} { // the last has room for all but the last files
		onSmallDisk(t, size+room, func(dir string) error {
			good := filepath.Join(dir, "run")
			if _, err := Write(good, c); err != nil {
				return fmt.Errorf("with room for it: %w", err)
			}
			for _, at := range []string{good, filepath.Join(dir, "fresh")} {
				if _, err := Write(at, c); fault.Of(err) != fault.Environment || !errors.Is(err, unix.ENOSPC) {
					return fmt.Errorf("write to %s without room for it: %v", at, err)
				}
			}
			entries, err := os.ReadDir(dir)
			if err != nil || len(entries) != 1 {
				return fmt.Errorf("there are %v, want the good one alone (%v)", entries, err)
			}
			read, err := Read(t.Context(), good)
			if err != nil {
				return err
			}
			if _, v, err := Judge(t.Context(), read); err != nil || v.Result != flow.Verified {
				return fmt.Errorf("the old one is %s: %q (%v)", v.Result, v.Problems, err)
			}
			return nil
		})
	}
}

// TestWriteOntoNothing says of a directory that cannot be written that it is the environment's.
func TestWriteOntoNothing(t *testing.T) {
	onSmallDisk(t, 64, func(dir string) error {
		if _, err := Write(filepath.Join(dir, "run"), Contents{}); err != nil {
			return fmt.Errorf("a small bundle has room: %w", err)
		}
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			return err
		}
		if _, err := Write(filepath.Join(dir, "run"), Contents{}); !errors.Is(err, unix.EROFS) ||
			errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("on a disk that is read only: %v", err)
		}
		return nil
	})
}
