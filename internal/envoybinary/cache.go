package envoybinary

import (
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/flowproof/lab/internal/trust"
)

// A Cache keeps proofs by what the binary is, in files of their own:
//
//	<dir>/<build id>.<SHA-256 of the binary>.<version of the proof>.json
//
// so that two versions of the program on one machine do not make them anew by turns. A build id is
// what a binary says of itself: a pod can run one that claims the id of another, and what is proven
// of it must not be taken for the other's.
type Cache struct{ Dir string }

// A Build says which binary something is about.
type Build struct {
	ID  string // its build id, in hexadecimal digits
	Sum string // SHA-256 of all of it, in hexadecimal digits
}

// Identify reads the binary at path to its end.
func Identify(path string) (Build, error) {
	id, err := BuildID(path)
	if err != nil {
		return Build{}, err
	}
	file, err := os.Open(path)
	if err != nil {
		return Build{}, fmt.Errorf("identify binary: %w", err)
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return Build{}, fmt.Errorf("identify binary: %w", err)
	}
	return Build{ID: id, Sum: hex.EncodeToString(sum.Sum(nil))}, nil
}

func (c Cache) file(b Build) string {
	return filepath.Join(c.Dir, b.ID+"."+b.Sum+"."+path.Base(ProofSchema)+".json")
}

// DefaultCache is the folder symbols beside the components' cache: $FLOWPROOF_CACHE, else flowproof
// in the user's cache directory, with -symbols at its end, so that neither takes the other's
// entries for its own.
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
func (c Cache) Find(b Build) (p *Proof, ok bool, err error) {
	if !validBuildID(b.ID) {
		return nil, false, fmt.Errorf("find symbols: %q is no build id", b.ID)
	}
	text, err := os.ReadFile(c.file(b))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("find symbols: %w", err)
	}
	p = &Proof{}
	if err := json.Unmarshal(text, p); err != nil || p.Schema != ProofSchema || p.BuildID != b.ID || p.Sum != b.Sum ||
		p.Table == nil || p.Table.Schema != TableSchema {
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
		err = os.Rename(file.Name(), c.file(Build{p.BuildID, p.Sum}))
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return fmt.Errorf("keep symbols: %w", err)
	}
	return nil
}

// Ensure returns the proof of the binary at path: the one that is kept, or a new one, which prove
// makes.
func (c Cache) Ensure(ctx context.Context, path string,
	prove func(ctx context.Context, path string, t *Table) (*Proof, error)) (*Proof, error) {
	build, err := Identify(path)
	if err != nil {
		return nil, err
	}
	return c.EnsureOf(ctx, build, path, prove)
}

// EnsureOf is Ensure for a binary that was identified already.
func (c Cache) EnsureOf(ctx context.Context, build Build, path string,
	prove func(ctx context.Context, path string, t *Table) (*Proof, error)) (*Proof, error) {
	if p, ok, err := c.Find(build); err != nil || ok {
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
	p.Sum = build.Sum
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
