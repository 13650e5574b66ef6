package components

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// maxManifest bounds what is read as an image's manifest; real ones have some thousand bytes.
const maxManifest = 1 << 20

// imagePrograms takes the control plane's programs out of the images that a node image carries, as
// containerd keeps them: blobs by their digests, of which some are manifests that name layers.
func imagePrograms(ctx context.Context, blobs, bin string) error {
	layers, err := layersOf(blobs)
	if err != nil {
		return err
	}
	missing := map[string]string{} // name of the program, by its path
	for name, file := range nodeImageFiles {
		missing[file] = name
	}
	for _, layer := range layers {
		if end := stopped(ctx); end != nil {
			return end
		}
		if err := programsOf(filepath.Join(blobs, layer), missing, bin); err != nil {
			return fmt.Errorf("read layer sha256:%s of an image that it carries: %w", layer, err)
		}
	}
	for _, file := range sortedKeys(missing) {
		return fmt.Errorf("none of the images that it carries has %s: %w", file, errLayout)
	}
	return nil
}

// An imageManifest is what is read of an image's manifest (OCI image specification, manifest.md).
type imageManifest struct {
	Layers []struct {
		Digest string `json:"digest"`
	} `json:"layers"`
}

// layersOf are the digests of the layers that manifests among blobs name and that are there, those
// of an image from the top: an index names images of other machines too, whose blobs are not.
func layersOf(blobs string) ([]string, error) {
	all, err := os.ReadDir(blobs)
	if err != nil {
		return nil, err
	}
	there := map[string]bool{}
	for _, b := range all {
		there[b.Name()] = true
	}
	var layers []string
	for _, b := range all {
		info, err := b.Info()
		if err != nil {
			return nil, err
		}
		if info.Size() > maxManifest {
			continue
		}
		data, err := os.ReadFile(filepath.Join(blobs, b.Name()))
		if err != nil {
			return nil, err
		}
		var m imageManifest
		if json.Unmarshal(data, &m) != nil {
			continue
		}
		for _, l := range slices.Backward(m.Layers) {
			if hex, ok := strings.CutPrefix(l.Digest, "sha256:"); ok && there[hex] {
				layers = append(layers, hex)
				delete(there, hex)
			}
		}
	}
	return layers, nil
}

// programsOf writes those programs of a layer that are missing, after the layer was held against
// its digest, which is its name.
func programsOf(layer string, missing map[string]string, bin string) error {
	sum, err := sumFile(layer)
	if err != nil {
		return err
	}
	if want := filepath.Base(layer); sum != want {
		return fmt.Errorf("hash mismatch: sha256 is %s", sum)
	}
	links, err := takePrograms(layer, missing, bin)
	if err != nil || len(links) == 0 {
		return err
	}
	if _, err := takePrograms(layer, links, bin); err != nil {
		return err
	}
	for _, name := range links {
		return fmt.Errorf("%s is a link to a file that the layer does not have", name)
	}
	return nil
}

// takePrograms writes the programs that wanted names by their paths, and takes them out of it. It
// returns, by the paths that lead to them, those that are further names of another file.
func takePrograms(layer string, wanted map[string]string, bin string) (map[string]string, error) {
	f, err := os.Open(layer)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in, err := uncompressed(f)
	if err != nil {
		return nil, err
	}
	links := map[string]string{}
	for r := tar.NewReader(in); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return links, nil
		}
		if err != nil {
			return nil, err
		}
		file := path.Clean("/" + h.Name)[1:]
		name := wanted[file]
		switch {
		case name == "":
			continue
		case h.Typeflag == tar.TypeLink:
			links[path.Clean("/" + h.Linkname)[1:]] = name
		case h.Typeflag == tar.TypeReg:
			if err := writeBinary(filepath.Join(bin, name), r); err != nil {
				return nil, err
			}
		default:
			continue
		}
		delete(wanted, file)
	}
}

// gzipMagic begins a gzip stream (RFC 1952).
var gzipMagic = []byte{0x1f, 0x8b}

// uncompressed reads a layer, which is a tar file or one that is packed with gzip.
func uncompressed(r io.Reader) (io.Reader, error) {
	in := bufio.NewReader(r)
	begin, err := in.Peek(len(gzipMagic))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !bytes.Equal(begin, gzipMagic) {
		return in, nil
	}
	return gzip.NewReader(in)
}
