package bundle

import (
	"errors"

	"golang.org/x/sys/unix"
)

// exchange puts a directory in the place of another and that one in its own, in one step
// (renameat2(2), RENAME_EXCHANGE), or in three where the file system cannot.
func exchange(temporary, dir string) error {
	err := unix.Renameat2(unix.AT_FDCWD, temporary, unix.AT_FDCWD, dir, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) {
		return exchangeByTwo(temporary, dir)
	}
	return err
}
