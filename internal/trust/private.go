package trust

import (
	"errors"
	"os"
	"path/filepath"
)

// WritePrivate writes a file that holds keys: mode 0600 from the start, and whole or not at all. No
// reader finds a half-written one, and a link that lies at path is replaced and not followed.
func WritePrivate(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
