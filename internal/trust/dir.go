package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// Base is where this user's labs keep what only this user may touch: kubeconfigs, sockets, locks.
// It goes with the last lab.
func Base() string {
	if os.Geteuid() == 0 {
		return "/run/flowproof"
	}
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "flowproof-"+strconv.Itoa(os.Geteuid()))
}

// attempts is how often a directory is made whose parent another process may just be removing.
const attempts = 100

// MakeDir makes a directory that this user alone may enter (mode 0700), and its parent likewise,
// and returns an error with ErrUntrusted when another user has, or could have, put something else
// there.
func MakeDir(dir string) error {
	parent := filepath.Dir(dir)
	for attempt := 1; ; attempt++ {
		err := makeOne(parent)
		if err == nil {
			err = makeOne(dir)
		}
		if !errors.Is(err, fs.ErrNotExist) || attempt == attempts {
			return err
		}
	}
}

func makeOne(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return private(dir)
}

// private says why a directory is not one that this user alone may enter.
func private(dir string) error {
	if err := Path(dir); err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%w: %s is not a directory", ErrUntrusted, dir)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%w: others may use %s (its mode is %04o)", ErrUntrusted, dir, info.Mode().Perm())
	}
	return nil
}
