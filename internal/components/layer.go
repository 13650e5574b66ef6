package components

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/flowproof/lab/internal/platform"
)

// epoch is the time of every file in a layer, so that a layer's digest says what is in it and
// not when it was made.
var epoch = time.Unix(0, 0)

// A source puts files into a layer. Calls must be in the order of the paths:
// parents before children.
type source func(*tar.Writer) error

// tree is everything below dir, with the owners it has.
func tree(dir string) source {
	return func(w *tar.Writer) error {
		hardlinks := map[uint64]string{}
		return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || path == dir {
				return err
			}
			name, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			return putPath(w, name, path, hardlinks)
		})
	}
}

// putPath writes one path of a tree. Other types than files, directories and links do not
// belong into a layer.
func putPath(w *tar.Writer, name, path string, hardlinks map[uint64]string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	link := ""
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		if link, err = os.Readlink(path); err != nil {
			return err
		}
	case !info.Mode().IsRegular() && !info.IsDir():
		return nil
	}
	h, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	h.Name, h.Uname, h.Gname = name, "", ""
	if info.IsDir() {
		h.Name += "/"
	}
	h.ModTime, h.AccessTime, h.ChangeTime, h.Format = epoch, time.Time{}, time.Time{}, tar.FormatPAX
	file := platform.Identify(info)
	if first, again := hardlinks[file.Inode]; again && info.Mode().IsRegular() {
		h.Typeflag, h.Linkname, h.Size = tar.TypeLink, first, 0
		return w.WriteHeader(h)
	}
	if err := w.WriteHeader(h); err != nil || !info.Mode().IsRegular() {
		return err
	}
	if file.Links > 1 {
		hardlinks[file.Inode] = name
	}
	return copyFile(w, path)
}

// program is one executable of root's, copied from path.
func executable(name, path string) source {
	return func(w *tar.Writer) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: info.Size(), ModTime: epoch,
			Format: tar.FormatPAX}); err != nil {
			return err
		}
		return copyFile(w, path)
	}
}

// text is one file of root's with the given content.
func text(name string, mode int64, content []byte) source {
	return func(w *tar.Writer) error {
		h := &tar.Header{Name: name, Mode: mode, Size: int64(len(content)), ModTime: epoch, Format: tar.FormatPAX}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err := w.Write(content)
		return err
	}
}

// directory is an empty directory of the given owner.
func directory(name string, mode int64, owner int) source {
	return func(w *tar.Writer) error {
		return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode, Uid: owner, Gid: owner,
			ModTime: epoch, Format: tar.FormatPAX})
	}
}

// symlink is a symbolic link.
func symlink(name, target string) source {
	return func(w *tar.Writer) error {
		return w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777,
			ModTime: epoch, Format: tar.FormatPAX})
	}
}

func copyFile(w io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

// A layer is an uncompressed tar file that lies in an image layout under its digest. Uncompressed,
// its digest is its diff ID, and no time is spent on packing what is unpacked on the same machine.
type layer struct {
	path string
	hash v1.Hash
	size int64
}

// newLayer writes the sources into the layout's blobs.
func newLayer(layout string, sources ...source) (*layer, error) {
	blobs := filepath.Join(layout, "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(blobs, "layer")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sum := sha256.New()
	w := tar.NewWriter(io.MultiWriter(f, sum))
	for _, put := range sources {
		if err := put(w); err != nil {
			return nil, fmt.Errorf("write layer: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("write layer: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	l := &layer{hash: v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum.Sum(nil))}, size: info.Size()}
	l.path = filepath.Join(blobs, l.hash.Hex)
	return l, errors.Join(os.Chmod(f.Name(), 0o644), os.Rename(f.Name(), l.path))
}

// linkLayer gives a layout a layer of ours that another has, as a further name of its file.
func linkLayer(l v1.Layer, from, dest string) (*layer, error) {
	hash, err := l.Digest()
	if err != nil {
		return nil, err
	}
	size, err := l.Size()
	if err != nil {
		return nil, err
	}
	blobs := filepath.Join(dest, "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		return nil, err
	}
	linked := &layer{path: filepath.Join(blobs, hash.Hex), hash: hash, size: size}
	return linked, os.Link(filepath.Join(from, "blobs", "sha256", hash.Hex), linked.path)
}

// The methods of v1.Layer.

func (l *layer) Digest() (v1.Hash, error)             { return l.hash, nil }
func (l *layer) DiffID() (v1.Hash, error)             { return l.hash, nil }
func (l *layer) Compressed() (io.ReadCloser, error)   { return os.Open(l.path) }
func (l *layer) Uncompressed() (io.ReadCloser, error) { return os.Open(l.path) }
func (l *layer) Size() (int64, error)                 { return l.size, nil }
func (l *layer) MediaType() (types.MediaType, error)  { return types.OCIUncompressedLayer, nil }

// withUser is an etc/passwd or etc/group of a root with one line more.
func withUser(root, name, line string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		return nil, err
	}
	return []byte(strings.TrimRight(string(data), "\n") + "\n" + line + "\n"), nil
}
