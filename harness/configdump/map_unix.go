//go:build unix

package configdump

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// mapFile maps a file for reading and returns what unmaps it.
func mapFile(f *os.File, size int64) ([]byte, func() error, error) {
	data, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, nil, fmt.Errorf("map file: %w", err)
	}
	_ = unix.Madvise(data, unix.MADV_SEQUENTIAL) // advice only
	return data, func() error { return unix.Munmap(data) }, nil
}
