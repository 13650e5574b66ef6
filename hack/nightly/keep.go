package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/flowproof/lab/internal/sometimes"
)

// A kept is what one run leaves to the next.
type kept struct {
	Parts   map[string]*tally `json:"parts"`
	Fuzzed  map[string]int    `json:"fuzzed"`  // seconds of each fuzz target
	Rounds  map[string]int    `json:"rounds"`  // of each kind of request, since the last one that differed
	Reached map[string]int    `json:"reached"` // how often each rare case was reached
}

// A tally is what a part has done in all runs.
type tally struct {
	Turns int       `json:"turns"`
	Done  int       `json:"done"`  // in the part's unit
	Found int       `json:"found"` // turns that failed
	Since int       `json:"since"` // done since the last turn that failed, which is not counted
	Owed  int       `json:"owed"`  // seconds that the part was given and has not used yet
	Last  time.Time `json:"last,omitzero"`
}

// A night is one run.
type night struct {
	dir   string // of logs, and of the rare cases of this run
	file  string // of what is kept
	state kept
}

// open reads what earlier runs kept.
func open(dir, file string) (*night, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	n := &night{dir: dir, file: file}
	n.state, err = read(file)
	return n, err
}

// read returns what is kept in a file; nothing where there is none.
func read(file string) (kept, error) {
	state := kept{Parts: map[string]*tally{}, Fuzzed: map[string]int{}, Rounds: map[string]int{},
		Reached: map[string]int{}}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return state, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &state)
	}
	if err != nil {
		return state, fmt.Errorf("read what earlier runs kept: %w (remove %s to begin anew)", err, file)
	}
	return state, nil
}

// of is the tally of a part.
func (s *kept) of(part string) *tally {
	if s.Parts[part] == nil {
		s.Parts[part] = &tally{}
	}
	return s.Parts[part]
}

// keep adds the rare cases that this run came to, and writes all down: a run that is ended loses
// only the turn it was in.
func (n *night) keep() error {
	if err := n.collect(); err != nil {
		return err
	}
	data, err := json.MarshalIndent(n.state, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(n.file+".new", append(data, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(n.file+".new", n.file)
}

// collect moves the rare cases from the file that processes write to into the state.
func (n *night) collect() error {
	data, err := os.ReadFile(n.path("sometimes"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	counts, unknown, err := sometimes.Read(bytes.NewReader(data), rare())
	if err != nil {
		return err
	}
	if len(unknown) > 0 {
		return fmt.Errorf("count the rare cases: the catalogue does not have %q", unknown)
	}
	for name, count := range counts {
		n.state.Reached[name] += count
	}
	return os.Remove(n.path("sometimes"))
}

func (n *night) path(name string) string { return filepath.Join(n.dir, name) }
