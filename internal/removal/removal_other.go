//go:build !linux

package removal

import "os"

// All is os.RemoveAll here: labs, which mount, are made on Linux only.
func All(dir string) error { return os.RemoveAll(dir) }
