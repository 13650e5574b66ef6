// Package scratch makes the directory in which a run keeps what it works with, and removes those of
// runs that were killed together with all that would have removed them.
package scratch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/flowproof/lab/internal/removal"
	"github.com/flowproof/lab/internal/trust"
)

// prefix begins the name of every such directory.
const prefix = "flowproof-run-"

// A Dir is a directory of one process, which holds a lock on it for as long as it lives. Its name
// lies in the folder for temporary files.
type Dir struct {
	Path string
	hold *trust.Hold // nil where the operating system locks no directory
}

// Make makes an empty directory that this user alone may enter.
func Make() (*Dir, error) {
	for {
		path, err := os.MkdirTemp("", prefix)
		if err != nil {
			return nil, err
		}
		hold, err := trust.Seize(path)
		if errors.Is(err, trust.ErrHeld) || errors.Is(err, fs.ErrNotExist) {
			continue // a sweep was faster than the lock
		}
		if errors.Is(err, trust.ErrUntrusted) {
			return nil, errors.Join(err, removal.All(path))
		}
		return &Dir{Path: path, hold: hold}, nil
	}
}

// Close lets go of the directory. It stays where it is.
func (d *Dir) Close() {
	if d.hold != nil {
		d.hold.Close()
	}
}

// Is says whether a path can be that of such a directory: what undoes a run removes nothing else.
func Is(path string) bool {
	return filepath.IsAbs(path) && strings.HasPrefix(filepath.Base(path), prefix)
}

// Sweep removes the directories of this user's processes that have ended. What cannot be removed
// stays for the next sweep.
func Sweep() {
	all, _ := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*")) // the pattern is good
	for _, path := range all {
		hold, err := trust.Seize(path)
		if err != nil {
			continue // another user's, or in use
		}
		_ = removal.All(path)
		hold.Close()
	}
}
