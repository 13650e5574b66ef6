package components

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// publishedNode is the node image that this version of kind was released with. Source: kind's
// pkg/apis/config/defaults/image.go.
const publishedNode = "docker.io/kindest/node:v1.37.0@" +
	"sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5"

// publishedKind is a set for kind of published images. Of programs it has kind, and the istioctl of
// the images' own release.
func (m *maker) publishedKind(ctx context.Context) (*Set, error) {
	first := made{programs: map[string]ingredient{}}
	if err := m.programs(ctx, kindPrograms[:1], first.programs); err != nil {
		return nil, err
	}
	var err error
	if first.programs[istioctlName], err = m.publishedIstioctl(ctx); err != nil {
		return nil, err
	}
	all := PublishedRefs(m.options.Istio)
	for _, ofNode := range []string{PauseImage, CoreDNSImage} { // which the node image brings
		delete(all, ofNode)
	}
	images, err := m.pulled(ctx, "kind-pulled", all)
	if err != nil {
		return nil, err
	}
	node, err := m.pulled(ctx, "kind-pulled-node", map[string]string{KindNodeImage: publishedNode})
	if err != nil {
		return nil, err
	}
	s := &Set{Layout: m.cache.content(images.key.String()), cache: m.cache}
	if s.Images, err = readImages(s.Layout); err != nil {
		return nil, err
	}
	if s.Kind, err = openKind(&Kind{Program: m.program(first)("kind"), Node: m.cache.content(node.key.String()),
		NodeRef: KindNodeImage}); err != nil {
		return nil, err
	}
	parts := []string{images.key.String(), node.key.String()}
	if m.options.IstioValues != nil {
		if err := m.fitValues(s.Layout); err != nil {
			return nil, err
		}
		k, err := m.istio(ctx, first)
		if err != nil {
			return nil, err
		}
		s.Istio = filepath.Join(m.cache.content(k.String()), istioFile)
		parts = append(parts, k.String())
	}
	return s, m.finish(ctx, s, first, parts)
}

// istioctlPath is where Istio's image of istioctl has it.
const istioctlPath = "usr/local/bin/istioctl"

// publishedIstioctl takes istioctl, with the charts of its release in itself, out
// of Istio's own image.
func (m *maker) publishedIstioctl(ctx context.Context) (ingredient, error) {
	ref := IstioctlRef(m.options.Istio)
	k, err := newKey(istioctlName).add("image", ref).key()
	if err != nil {
		return ingredient{}, err
	}
	done, err := m.cache.ensure(ctx, k, "Fetching Istio's istioctl", func(ctx context.Context, w work) error {
		image, err := fetched(ctx, istioctlName, ref, w)
		if err != nil {
			return err
		}
		if err := extractFile(image, istioctlPath, filepath.Join(w.content, istioctlName)); err != nil {
			return fmt.Errorf("take istioctl out of %s: %w", ref, err)
		}
		return nil
	})
	return ingredient{key: k, manifest: done}, err
}

// extractFile writes one file of an image to dest, as a program.
func extractFile(image v1.Image, path, dest string) error {
	files := mutate.Extract(image)
	defer files.Close()
	for r := tar.NewReader(files); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("the image has no %s", path)
		}
		if err != nil {
			return err
		}
		if filepath.Clean("/"+h.Name) == "/"+path && h.Typeflag == tar.TypeReg {
			return writeBinary(dest, r)
		}
	}
}
