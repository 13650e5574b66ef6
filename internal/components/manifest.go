package components

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// manifestName is the file beside an entry's content that says what the content is.
const manifestName = "manifest.json"

// A manifest is what an entry was when it was finished. It is written last, so an entry
// with a manifest is whole.
type manifest struct {
	Schema  string        `json:"schema"`
	Key     string        `json:"key"`
	Inputs  []string      `json:"inputs"`
	Made    time.Time     `json:"made"`
	Took    time.Duration `json:"tookNanoseconds"`
	Cost    Cost          `json:"cost,omitzero"`
	Digest  string        `json:"digest"` // of the content, without times
	Content []file        `json:"content"`
}

const manifestSchema = "flowproof.dev/entry/v1"

// A file is one thing in an entry. Size and Modified are the quick check, SHA256 the full one.
type file struct {
	Path     string      `json:"path"`
	Mode     fs.FileMode `json:"mode"`
	Size     int64       `json:"size,omitempty"`
	Modified int64       `json:"modified,omitempty"` // Unix nanoseconds, of regular files
	SHA256   string      `json:"sha256,omitempty"`
	Target   string      `json:"target,omitempty"` // of a symbolic link
}

// scan describes everything below dir; it reads every file.
func scan(dir string) ([]file, error) {
	var all []file
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		f, err := describe(dir, path)
		if err == nil && f.Mode.IsRegular() {
			f.SHA256, err = sumFile(path)
		}
		all = append(all, f)
		return err
	})
	return all, err
}

// describe is the quick part of one file's description.
func describe(dir, path string) (file, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return file{}, err
	}
	rel, err := filepath.Rel(dir, path)
	if err != nil {
		return file{}, err
	}
	f := file{Path: rel, Mode: info.Mode()}
	switch {
	case info.Mode().IsRegular():
		f.Size, f.Modified = info.Size(), info.ModTime().UnixNano()
	case info.Mode()&fs.ModeSymlink != 0:
		f.Target, err = os.Readlink(path)
	}
	return f, err
}

// digest is the hash of content without times: two makings that give the same files
// give the same digest.
func digest(content []file) string {
	h := sha256.New()
	for _, f := range content {
		fmt.Fprintf(h, "%q %o %d %s %q\n", f.Path, f.Mode, f.Size, f.SHA256, f.Target)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// write puts the manifest beside the content.
func (m manifest) write(dir string) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, manifestName), data, 0o644)
}

// readManifest returns the manifest of an entry; fs.ErrNotExist is in the chain when
// there is no such entry.
func readManifest(dir string) (manifest, error) {
	var m manifest
	data, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("read %s: %w", manifestName, err)
	}
	if m.Schema != manifestSchema {
		return m, fmt.Errorf("read %s: schema %q is not %q", manifestName, m.Schema, manifestSchema)
	}
	return m, nil
}

// check compares what lies in content with the manifest: by size and time, or, when full, by
// reading everything. A difference is an error that names the first file.
func (m manifest) check(content string, full bool) error {
	for _, want := range m.Content {
		path := filepath.Join(content, want.Path)
		got, err := describe(content, path)
		if err != nil {
			return fmt.Errorf("%s is gone", want.Path)
		}
		if full && got.Mode.IsRegular() {
			if got.SHA256, err = sumFile(path); err != nil {
				return err
			}
			if got.SHA256 != want.SHA256 {
				return fmt.Errorf("%s has other content than when it was made", want.Path)
			}
		}
		switch {
		case got.Mode != want.Mode:
			return fmt.Errorf("%s has mode %v, had %v", want.Path, got.Mode, want.Mode)
		case got.Size != want.Size:
			return fmt.Errorf("%s has %d bytes, had %d", want.Path, got.Size, want.Size)
		case got.Modified != want.Modified:
			return fmt.Errorf("%s was written to after it was made", want.Path)
		case got.Target != want.Target:
			return fmt.Errorf("%s points to %s, pointed to %s", want.Path, got.Target, want.Target)
		}
	}
	return nil
}
