package components

import (
	"archive/tar"
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// The names that pods use. They are the names of the real images, so that the same manifests run
// where a registry is.
const (
	PauseImage    = "lab.local/pause:1"
	NetshootImage = "docker.io/nicolaka/netshoot:latest"
	FortioImage   = "docker.io/fortio/fortio:latest"
	ProxyImage    = "docker.io/istio/proxyv2:lab"
	PilotImage    = "docker.io/istio/pilot:lab"
	CoreDNSImage  = "registry.k8s.io/coredns/coredns:lab"
)

// proxyUser is the user that Istio's sidecar runs as, and that istio-iptables lets pass.
const proxyUser = 1337

// A builtImage is an image put together from layers; layers are named, and shared by name.
type builtImage struct {
	ref    string
	layers []string
	config v1.Config
}

const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// builtImages follow the Dockerfiles of the real ones.
var builtImages = []builtImage{
	{PauseImage, []string{"pause"}, v1.Config{Entrypoint: []string{"/pause"}}},
	{CoreDNSImage, []string{"coredns"}, v1.Config{Entrypoint: []string{"/coredns"}, WorkingDir: "/"}},
	{FortioImage, []string{"fortio"}, v1.Config{Entrypoint: []string{"/usr/bin/fortio"},
		Cmd: []string{"server", "-config-dir", "/etc/fortio"}, WorkingDir: "/var/lib/fortio"}},
	{NetshootImage, []string{"base"}, v1.Config{Env: []string{searchPath}, Cmd: []string{"/bin/bash"},
		WorkingDir: "/root"}},
	{PilotImage, []string{"base", "user", "pilot"}, v1.Config{Env: []string{searchPath}, User: "1337:1337",
		Entrypoint: []string{"/usr/local/bin/pilot-discovery"}}},
	{ProxyImage, []string{"base", "user", "proxy"}, v1.Config{Env: []string{searchPath},
		Entrypoint: []string{"/usr/local/bin/pilot-agent"}}},
}

// parts say where the files of the images lie.
type parts struct {
	bin       func(name string) string // path of a program
	rootFS    string
	bootstrap []byte // Envoy's bootstrap template, from Istio's source
}

// layers returns what each named layer holds.
func (p parts) layers() (map[string][]source, error) {
	passwd, err := withUser(p.rootFS, "etc/passwd",
		fmt.Sprintf("istio-proxy:x:%d:%d::/home/istio-proxy:/bin/sh", proxyUser, proxyUser))
	if err != nil {
		return nil, err
	}
	group, err := withUser(p.rootFS, "etc/group", fmt.Sprintf("istio-proxy:x:%d:", proxyUser))
	if err != nil {
		return nil, err
	}
	return map[string][]source{
		"base":    {tree(p.rootFS)},
		"pause":   {executable("pause", p.bin("pause"))},
		"coredns": {executable("coredns", p.bin("coredns"))},
		"fortio": {directory("etc", 0o755, 0), directory("etc/fortio", 0o755, 0), directory("tmp", 0o1777, 0),
			executable("usr/bin/fortio", p.bin("fortio")), directory("var/lib/fortio", 0o777, 0)},
		"user": {text("etc/group", 0o644, group), text("etc/passwd", 0o644, passwd),
			directory("home/istio-proxy", 0o755, proxyUser), directory("etc/istio", 0o755, 0),
			directory("etc/istio/proxy", 0o755, proxyUser)},
		"pilot": {executable("usr/local/bin/pilot-discovery", p.bin("pilot-discovery"))},
		"proxy": {executable("usr/local/bin/envoy", p.bin("envoy")),
			executable("usr/local/bin/pilot-agent", p.bin("pilot-agent")),
			directory("var/lib/istio", 0o755, 0), directory("var/lib/istio/envoy", 0o755, 0),
			text("var/lib/istio/envoy/envoy_bootstrap_tmpl.json", 0o644, p.bootstrap)},
	}, nil
}

// assemble writes the images of the embedded node.
func assemble(ctx context.Context, p parts, w work) error {
	contents, err := p.layers()
	if err != nil {
		return err
	}
	return assembleImages(ctx, builtImages, contents, map[string]*layer{}, w)
}

// assembleImages writes images as an OCI image layout; each layer is written once. Those in
// made are in the layout.
func assembleImages(ctx context.Context, images []builtImage, contents map[string][]source, made map[string]*layer,
	w work) error {
	out, err := layout.Write(w.content, empty.Index)
	if err != nil {
		return fmt.Errorf("write image layout: %w", err)
	}
	w.task.Total(int64(len(images)))
	for i, image := range images {
		w.task.Note("%s", image.ref)
		for _, name := range image.layers {
			if made[name] != nil {
				continue
			}
			if made[name], err = newLayer(w.content, interruptible(ctx, contents[name])...); err != nil {
				return fmt.Errorf("assemble %s: %w", image.ref, err)
			}
		}
		if err := image.write(out, made); err != nil {
			return fmt.Errorf("assemble %s: %w", image.ref, err)
		}
		w.task.Set(int64(i + 1))
	}
	return nil
}

// interruptible makes sources end when ctx does.
func interruptible(ctx context.Context, all []source) []source {
	wrapped := make([]source, 0, len(all))
	for _, put := range all {
		wrapped = append(wrapped, func(w *tar.Writer) error {
			if end := stopped(ctx); end != nil {
				return end
			}
			return put(w)
		})
	}
	return wrapped
}

func (b builtImage) write(out layout.Path, made map[string]*layer) error {
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, name := range b.layers {
		var err error
		if image, err = mutate.AppendLayers(image, made[name]); err != nil {
			return err
		}
	}
	config, err := image.ConfigFile()
	if err != nil {
		return err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Config = "linux", runtime.GOARCH, b.config
	config.Created, config.History = v1.Time{Time: epoch.UTC()}, nil
	if image, err = mutate.ConfigFile(image, config); err != nil {
		return err
	}
	return out.AppendImage(image, named(b.ref))
}

// named are the annotations by which containerd's import, and others, name an image of a layout.
func named(ref string) layout.Option {
	tag := ref[strings.LastIndex(ref, ":")+1:]
	return layout.WithAnnotations(map[string]string{"io.containerd.image.name": ref,
		"org.opencontainers.image.ref.name": tag})
}

// readImages lists the images of a layout.
func readImages(dir string) ([]Image, error) {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, fmt.Errorf("read image layout %s: %w", filepath.Base(dir), err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("read image layout: %w", err)
	}
	var all []Image
	for _, d := range m.Manifests {
		all = append(all, Image{Ref: d.Annotations["io.containerd.image.name"], Digest: d.Digest.String()})
	}
	return all, nil
}

// imageOf is the image of a layout that has that name.
func imageOf(dir, ref string) (v1.Image, error) {
	images, err := readImages(dir)
	if err != nil {
		return nil, err
	}
	for _, i := range images {
		if i.Ref != ref {
			continue
		}
		hash, err := v1.NewHash(i.Digest)
		if err != nil {
			return nil, err
		}
		return layout.Path(dir).Image(hash)
	}
	return nil, fmt.Errorf("read image layout: it has no %s", ref)
}
