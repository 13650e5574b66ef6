package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// A tree is what a layer is made of.
type tree []entry

// An entry is a file of root's with the content of another or with a text, or, without a path, all
// that lies below a directory.
type entry struct {
	path    string
	from    string
	text    []byte
	folder  bool     // an empty folder, and no file
	without []string // paths below from
}

func (e entry) put(w *tar.Writer) error {
	if e.path == "" {
		return e.putTree(w)
	}
	if e.folder {
		return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: e.path + "/", Mode: 0o755})
	}
	if e.from == "" {
		return errors.Join(w.WriteHeader(&tar.Header{Name: e.path, Mode: 0o644, Size: int64(len(e.text))}),
			second(w.Write(e.text)))
	}
	real, err := filepath.EvalSymlinks(e.from)
	if err != nil {
		return err
	}
	f, err := os.Open(real)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Name: e.path, Mode: 0o755, Size: info.Size()}); err != nil {
		return err
	}
	return second(io.Copy(w, f))
}

func (e entry) putTree(w *tar.Writer) error {
	return filepath.WalkDir(e.from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == e.from {
			return err
		}
		name, err := filepath.Rel(e.from, path)
		if err != nil {
			return err
		}
		if slices.Contains(e.without, name) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		target := ""
		if info.Mode()&fs.ModeSymlink != 0 {
			if target, err = os.Readlink(path); err != nil {
				return err
			}
		}
		h, err := tar.FileInfoHeader(info, target)
		if err != nil {
			return err
		}
		h.Name = name
		if err := w.WriteHeader(h); err != nil || !info.Mode().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		return second(io.Copy(w, f))
	})
}

func second[T any](_ T, err error) error { return err }

// A layer lies in a file as it is transferred: packed with gzip, or as a tar file.
type layer struct {
	path           string
	packed         bool
	digest, diffID v1.Hash
	size           int64
}

// layer writes a layer.
func (p *publisher) layer(t tree, packed bool) (*layer, error) {
	f, err := os.CreateTemp(p.scratch, "layer")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sum, diff := sha256.New(), sha256.New()
	out := io.Writer(io.MultiWriter(f, sum))
	pack := gzip.NewWriter(io.Discard)
	if packed {
		if pack, err = gzip.NewWriterLevel(out, gzip.BestSpeed); err != nil {
			return nil, err
		}
		out = pack
	}
	w := tar.NewWriter(io.MultiWriter(out, diff))
	for _, e := range t {
		if err := e.put(w); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(w.Close(), pack.Close()); err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return &layer{path: f.Name(), packed: packed, digest: hashOf(sum), diffID: hashOf(diff), size: info.Size()}, nil
}

// image is an image of layers, of which the first may be packed.
func (p *publisher) image(c v1.Config, packed bool, layers ...tree) (v1.Image, error) {
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for i, t := range layers {
		l, err := p.layer(t, packed && i == 0)
		if err != nil {
			return nil, err
		}
		if image, err = mutate.AppendLayers(image, l); err != nil {
			return nil, err
		}
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Config = "linux", runtime.GOARCH, c
	return mutate.ConfigFile(image, config)
}

func digest(blob []byte) v1.Hash {
	sum := sha256.New()
	sum.Write(blob)
	return hashOf(sum)
}

func hashOf(sum hash.Hash) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum.Sum(nil))}
}

// The methods of v1.Layer.

func (l *layer) Digest() (v1.Hash, error)           { return l.digest, nil }
func (l *layer) DiffID() (v1.Hash, error)           { return l.diffID, nil }
func (l *layer) Compressed() (io.ReadCloser, error) { return os.Open(l.path) }
func (l *layer) Size() (int64, error)               { return l.size, nil }

func (l *layer) Uncompressed() (io.ReadCloser, error) {
	f, err := os.Open(l.path)
	if err != nil || !l.packed {
		return f, err
	}
	return gzip.NewReader(f)
}

func (l *layer) MediaType() (types.MediaType, error) {
	if l.packed {
		return types.OCILayer, nil
	}
	return types.OCIUncompressedLayer, nil
}
