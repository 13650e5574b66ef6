package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A member is one file of an archive.
type member struct {
	name string
	path string // on disk
	mode fs.FileMode
}

// members are the command first, then the licence, the README, manual pages and
// completions by name.
func (r release) members(b built, pages string) ([]member, error) {
	all := []member{{b.exe(), b.program, 0o755}}
	for _, name := range []string{"LICENSE", "README.md"} {
		all = append(all, member{name, filepath.Join(r.source, name), 0o644})
	}
	documents, err := folder(pages)
	return append(all, documents...), err
}

// folder is every file below dir, by name.
func folder(dir string) ([]member, error) {
	var all []member
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		all = append(all, member{filepath.ToSlash(name), path, 0o644})
		return err
	})
	return all, err
}

// pack writes the archive of one platform, and beside it what the command is made of.
func (r release) pack(b built, pages string) error {
	members, err := r.members(b, pages)
	if err != nil {
		return err
	}
	write := targz
	if b.os == "windows" {
		write = zipped
	}
	path := filepath.Join(r.dir, b.archive)
	return errors.Join(create(path, func(w io.Writer) error { return write(w, members) }), r.materials(b, path))
}

// create writes a file and says whether all of it got to the disk.
func create(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

func targz(w io.Writer, members []member) error {
	packed := gzip.NewWriter(w)
	t := tar.NewWriter(packed)
	for _, m := range members {
		data, err := os.ReadFile(m.path)
		if err != nil {
			return err
		}
		h := &tar.Header{Name: m.name, Mode: int64(m.mode), Size: int64(len(data)), ModTime: epoch,
			Format: tar.FormatUSTAR}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(data); err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), packed.Close())
}

func zipped(w io.Writer, members []member) error {
	z := zip.NewWriter(w)
	for _, m := range members {
		data, err := os.ReadFile(m.path)
		if err != nil {
			return err
		}
		h := &zip.FileHeader{Name: m.name, Method: zip.Deflate, Modified: epoch}
		h.SetMode(m.mode)
		f, err := z.CreateHeader(h)
		if err != nil {
			return err
		}
		if _, err := f.Write(data); err != nil {
			return err
		}
	}
	return z.Close()
}

// checksums writes what sha256sum -c reads, for every file of the release.
func (r release) checksums() error {
	const file = "checksums.txt"
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return err
	}
	var lines []string
	for _, e := range entries {
		sum, err := sha256File(filepath.Join(r.dir, e.Name()))
		if err != nil {
			return err
		}
		lines = append(lines, fmt.Sprintf("%s  %s\n", sum, e.Name()))
	}
	slices.Sort(lines)
	return os.WriteFile(filepath.Join(r.dir, file), []byte(strings.Join(lines, "")), 0o644)
}

func sha256File(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}
