//go:build !linux

package run

// socketTable is for Linux alone.
func socketTable(int) ([]byte, error) { return nil, errNotLinux }
