package lesson

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/flowproof/lab/internal/input"
	"github.com/flowproof/lab/internal/lazyregexp"
	"github.com/flowproof/lab/internal/trust"
)

// ProgressSchema is the version of the file that keeps a learner's progress.
const ProgressSchema = "flowproof.dev/walk/v1"

// Progress is how far a learner is in one lesson, and what was said on the way.
type Progress struct {
	Schema  string            `json:"schema"`
	Lesson  string            `json:"lesson"`
	Sum     string            `json:"sum"` // of the lesson's text: another text is another lesson
	Step    int               `json:"step"`
	Done    bool              `json:"done,omitempty"`
	Updated time.Time         `json:"updated"`
	Answers map[string]Answer `json:"answers,omitempty"` // by step and question
}

// A Store keeps the progress of all lessons, one file a lesson, in a folder of the learner's own.
type Store struct{ dir string }

// maxProgress bounds a file of progress.
const maxProgress = 4 << 20

// storeName is a name that a file may have.
var storeName = lazyregexp.New(`^[A-Za-z0-9][-_.A-Za-z0-9]{0,100}$`)

// Open returns the store of this user: $XDG_STATE_HOME/flowproof/walk, or
// ~/.local/state/flowproof/walk (XDG Base Directory Specification). The folder is made
// when something is kept.
func Open() (*Store, error) {
	state := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) { // the specification: a relative path is to be ignored
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, fmt.Errorf("find the folder of progress: %w (set XDG_STATE_HOME)", err)
		}
		state = filepath.Join(home, ".local", "state")
	}
	return &Store{dir: filepath.Join(state, "flowproof", "walk")}, nil
}

// Sum identifies a lesson's text.
func Sum(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// Load returns the progress in a lesson of that name and text. Where there is none, or that of
// another text, it is a new one.
func (s *Store) Load(ctx context.Context, name, sum string) *Progress {
	fresh := &Progress{Schema: ProgressSchema, Lesson: name, Sum: sum, Answers: map[string]Answer{}}
	if !storeName.MatchString(name) {
		return fresh
	}
	text, err := input.ReadFile(ctx, s.file(name), maxProgress)
	var kept Progress
	if err != nil || json.Unmarshal(text, &kept) != nil || kept.Schema != ProgressSchema || kept.Sum != sum ||
		kept.Step < 0 {
		return fresh
	}
	if kept.Answers == nil {
		kept.Answers = map[string]Answer{}
	}
	kept.Lesson = name
	return &kept
}

// Save keeps a progress; what was kept of the lesson before is replaced.
func (s *Store) Save(p *Progress) error {
	if !storeName.MatchString(p.Lesson) {
		return fmt.Errorf("keep progress: %q is no name of a file", p.Lesson)
	}
	p.Updated = time.Now().UTC().Truncate(time.Second)
	text, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return err
	}
	err = os.MkdirAll(filepath.Dir(filepath.Dir(s.dir)), 0o700)
	if err = cmp.Or(err, trust.MakeDir(s.dir)); err != nil {
		return fmt.Errorf("keep progress: %w (XDG_STATE_HOME names another folder)", err)
	}
	temp, err := os.CreateTemp(s.dir, ".new-")
	if err != nil {
		return fmt.Errorf("keep progress: %w", err)
	}
	_, err = temp.Write(append(text, '\n'))
	if err = errors.Join(err, temp.Close()); err == nil {
		err = os.Rename(temp.Name(), s.file(p.Lesson))
	}
	if err != nil {
		_ = os.Remove(temp.Name())
		return fmt.Errorf("keep progress: %w", err)
	}
	return nil
}

// Forget removes what is kept of a lesson; that nothing is kept is no error.
func (s *Store) Forget(name string) error {
	if !storeName.MatchString(name) {
		return nil
	}
	if err := os.Remove(s.file(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget progress: %w", err)
	}
	return nil
}

func (s *Store) file(name string) string { return filepath.Join(s.dir, name+".json") }
