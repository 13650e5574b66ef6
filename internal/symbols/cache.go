package symbols

import (
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/flowproof/lab/internal/trust"
)

// A Cache keeps proofs by build id, in files of their own:
//
//	<dir>/<build id>.<version of the proof>.json
//
// so that two versions of the program on one machine do not make them anew by turns.
type Cache struct{ Dir string }

func (c Cache) file(buildID string) string {
	return filepath.Join(c.Dir, buildID+"."+path.Base(ProofSchema)+".json")
}

// DefaultCache is the folder symbols beside the components' cache: $FLOWPROOF_CACHE, else flowproof in the user's cache
// directory, with -symbols at its end, so that neither takes the other's entries for its own.
func DefaultCache() (Cache, error) {
	dir, err := trust.UserCache()
	if err != nil {
		return Cache{}, err
	}
	return Cache{dir + "-symbols"}, trust.Cache(dir + "-symbols")
}

// validBuildID says whether a build id can name a file: 4 to 64 bytes in hexadecimal digits.
func validBuildID(id string) bool {
	return len(id) >= 8 && len(id) <= 128 && strings.Trim(id, "0123456789abcdef") == ""
}

// Find returns the proof of a build; ok is false when there is none, or one of another form.
func (c Cache) Find(buildID string) (p *Proof, ok bool, err error) {
	if !validBuildID(buildID) {
		return nil, false, fmt.Errorf("find symbols: %q is no build id", buildID)
	}
	text, err := os.ReadFile(c.file(buildID))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("find symbols: %w", err)
	}
	p = &Proof{}
	if err := json.Unmarshal(text, p); err != nil || p.Schema != ProofSchema || p.BuildID != buildID || p.Table == nil || p.Table.Schema != TableSchema {
		return nil, false, nil // it is made again
	}
	return p, true, nil
}

// Keep writes a proof; a half-written one is never seen.
func (c Cache) Keep(p *Proof) error {
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("keep symbols: %w", err)
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return fmt.Errorf("keep symbols: %w", err)
	}
	file, err := os.CreateTemp(c.Dir, ".new-*")
	if err != nil {
		return fmt.Errorf("keep symbols: %w", err)
	}
	_, err = file.Write(text)
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), c.file(p.BuildID))
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return fmt.Errorf("keep symbols: %w", err)
	}
	return nil
}

// Ensure returns the proof of the binary at path: the one that is kept, or a new one, which prove makes.
func (c Cache) Ensure(ctx context.Context, path string, prove func(ctx context.Context, path string, t *Table) (*Proof, error)) (*Proof, error) {
	id, err := BuildID(path)
	if err != nil {
		return nil, err
	}
	if p, ok, err := c.Find(id); err != nil || ok {
		return p, err
	}
	image, err := Open(path)
	if err != nil {
		return nil, err
	}
	table, err := Recover(image)
	if err != nil {
		return nil, err
	}
	p, err := prove(ctx, path, table)
	if err != nil {
		return nil, err
	}
	if len(p.Values) == 0 && p.Join == nil && !p.Gate {
		return p, nil // maybe it was the machine's fault: it is tried again the next time
	}
	return p, c.Keep(p)
}

// BuildID reads the build id of an executable.
func BuildID(path string) (string, error) {
	file, err := elf.Open(path)
	if err != nil {
		return "", fmt.Errorf("read build id of %s: %w", path, err)
	}
	defer file.Close()
	s := file.Section(".note.gnu.build-id")
	if s == nil {
		return "", fmt.Errorf("read build id of %s: there is none", path)
	}
	note, err := s.Data()
	if err != nil {
		return "", fmt.Errorf("read build id of %s: %w", path, err)
	}
	id, err := buildID(note)
	if err != nil {
		return "", fmt.Errorf("read build id of %s: %w", path, err)
	}
	return id, nil
}
