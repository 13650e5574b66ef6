package main

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/flowproof/lab/internal/removal"
)

// image writes an OCI layout, as one tar file, with an image for each Linux platform: lab and
// nothing else. It is for what needs no machine of its own: infer, diff, explain, verify, and a
// cluster that a kubeconfig names.
func (r release) image(all []built) error {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, b := range all {
		if b.os != "linux" {
			continue
		}
		img, err := imageOf(b, r.version)
		if err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: b.os, Architecture: b.arch}}})
	}
	dir, err := os.MkdirTemp("", "lab-image-")
	if err != nil {
		return err
	}
	defer removal.All(dir)
	if _, err := layout.Write(dir, index); err != nil {
		return err
	}
	members, err := folder(dir)
	if err != nil {
		return err
	}
	return create(filepath.Join(r.dir, "lab_"+r.version+"_image.tar.gz"), func(w io.Writer) error {
		return targz(w, members)
	})
}

// imageOf is one platform's image: one layer with one file.
func imageOf(b built, version string) (v1.Image, error) {
	program, err := os.ReadFile(b.program)
	if err != nil {
		return nil, err
	}
	var layer bytes.Buffer
	t := tar.NewWriter(&layer)
	if err := t.WriteHeader(&tar.Header{Name: "lab", Mode: 0o755, Size: int64(len(program)), ModTime: epoch,
		Format: tar.FormatUSTAR}); err != nil {
		return nil, err
	}
	if _, err := t.Write(program); err != nil {
		return nil, err
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	packed, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(layer.Bytes())), nil
	},
		tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	if img, err = mutate.AppendLayers(img, packed); err != nil {
		return nil, err
	}
	config := &v1.ConfigFile{OS: b.os, Architecture: b.arch, Created: v1.Time{Time: epoch},
		RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{
			Entrypoint: []string{"/lab"}, Labels: map[string]string{"org.opencontainers.image.version": version},
		}}
	diff, err := packed.DiffID()
	if err != nil {
		return nil, err
	}
	config.RootFS.DiffIDs = []v1.Hash{diff}
	return mutate.ConfigFile(img, config)
}
