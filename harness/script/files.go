package script

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/flowproof/lab/internal/input"
)

// maxScript bounds a file that a command of a scenario reads.
const maxScript = 256 << 20

// readFile reads one of the scenario's own files. A name that leads out of the scenario's folder,
// by itself or by a link, is an error.
func (s *session) readFile(name string) ([]byte, error) {
	if s.dir == "" && s.archive != nil {
		for _, f := range s.archive.Files {
			if f.Name == name {
				return f.Data, nil
			}
		}
		return nil, fmt.Errorf("read %s: the scenario has no such file", name)
	}
	local := name
	if filepath.IsAbs(name) {
		var err error
		if local, err = filepath.Rel(s.dir, name); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
	}
	if !filepath.IsLocal(local) {
		return nil, fmt.Errorf("read %s: it leads out of the scenario's folder (a scenario reads the files of its "+
			"own archive)", name)
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return input.ReadIn(s.ctx, root, local, maxScript)
}

// outsideMember returns the first file of an archive that would not be laid into the scenario's
// folder, and why. testscript expands variables in names and takes an absolute one as it is, so
// that a file would be written anywhere before a line of the script runs.
func outsideMember(archive *txtar.Archive) (name, why string) {
	for _, f := range archive.Files {
		switch {
		case strings.ContainsRune(f.Name, '$'):
			return f.Name, "a variable in a file's name may lead anywhere"
		case strings.ContainsFunc(f.Name, unicode.IsControl):
			return f.Name, "a control character is in the file's name"
		case filepath.IsAbs(f.Name) || strings.HasPrefix(f.Name, "/") ||
			!filepath.IsLocal(filepath.FromSlash(f.Name)) || strings.ContainsRune(f.Name, '\\'):
			return f.Name, "the file lies outside of the scenario's folder"
		case filepath.Clean(f.Name) == ".":
			return f.Name, "the name is the scenario's folder itself"
		}
	}
	return "", ""
}
