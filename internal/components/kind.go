package components

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/flowproof/lab/internal/progress"
)

// A Kind is what a Set has for clusters made with kind.
type Kind struct {
	Program string // kind itself
	// a containerd root directory with all images, to be mounted into the node; empty: the set's
	// are loaded into it
	Store   string
	Images  string // an OCI image layout to be loaded into the node; empty: they are in Store
	Node    string // an OCI image layout with the node image
	NodeRef string // the node image's name in that layout
	Digest  string // of the node image, in hexadecimal digits
	image   v1.Image
}

// NodeArchive writes the node image for docker load, under the given name and with labels, which
// containers inherit.
func (k *Kind) NodeArchive(w io.Writer, ref string, labels map[string]string) error {
	image, err := labelled(k.image, labels)
	if err == nil {
		var tag name.Tag
		if tag, err = name.NewTag(ref); err == nil {
			err = tarball.Write(tag, image, w)
		}
	}
	if err != nil {
		return fmt.Errorf("write node image: %w", err)
	}
	return nil
}

func labelled(image v1.Image, labels map[string]string) (v1.Image, error) {
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	if config.Config.Labels == nil {
		config.Config.Labels = map[string]string{}
	}
	maps.Copy(config.Config.Labels, labels)
	return mutate.ConfigFile(image, config)
}

// openKind reads the node image of a layout.
func openKind(k *Kind) (*Kind, error) {
	var err error
	if k.image, err = imageOf(k.Node, k.NodeRef); err != nil {
		return nil, fmt.Errorf("read node image: %w", err)
	}
	hash, err := k.image.Digest()
	k.Digest = hash.Hex
	return k, err
}

// kind makes the parts of a cluster made with kind, from those of the embedded node, and the
// keys of what it made.
func (m *maker) kind(ctx context.Context, first made, images ingredient, stored key) (*Kind, []string, error) {
	control, err := m.controlPlane(ctx, first, images)
	if err != nil {
		return nil, nil, err
	}
	store, err := m.kindStore(ctx, first, stored, control)
	if err != nil {
		return nil, nil, err
	}
	node, err := m.kindNode(ctx, first)
	if err != nil {
		return nil, nil, err
	}
	k, err := openKind(&Kind{Program: m.program(first)("kind"), Store: m.cache.content(store.String()),
		Node: m.cache.content(node.String()), NodeRef: KindNodeImage})
	return k, []string{first.kindBase.key.String() + " " + first.kindBase.manifest.Digest, control.key.String(),
		store.String(), node.String()}, err
}

// controlPlane assembles the images that kubeadm starts. The base layer is another name of the file
// in the layout of the other images.
func (m *maker) controlPlane(ctx context.Context, first made, images ingredient) (ingredient, error) {
	k, err := newKey("kind-images").add("images", images.manifest.Digest).add("recipe",
		fmt.Sprintf("%v", controlPlaneImages())).
		add(kubeName, first.programs[kubeName].key.hash).key()
	if err != nil {
		return ingredient{}, err
	}
	done, err := m.cache.ensure(ctx, k, "Assembling the control plane's images for kind", func(ctx context.Context,
		w work) error {
		base, err := baseLayer(m.cache.content(images.key.String()), w.content)
		if err != nil {
			return err
		}
		return assembleImages(ctx, controlPlaneImages(), controlPlaneLayers(m.program(first)),
			map[string]*layer{"base": base}, w)
	})
	return ingredient{key: k, manifest: done}, err
}

// baseLayer gives the layout in dest the layer that netshoot's image of another layout consists of.
func baseLayer(from, dest string) (*layer, error) {
	image, err := imageOf(from, NetshootImage)
	if err != nil {
		return nil, fmt.Errorf("read the base layer: %w", err)
	}
	layers, err := image.Layers()
	if err != nil || len(layers) == 0 {
		return nil, fmt.Errorf("read the base layer: %w", errors.Join(err, errors.New("netshoot has none")))
	}
	return linkLayer(layers[0], from, dest)
}

// kindStore adds the control plane's images to a copy of the store that shares all
// files but the databases.
func (m *maker) kindStore(ctx context.Context, first made, stored key, control ingredient) (key, error) {
	k, err := newKey("kind-store").add("store", stored.String()).add("images", control.manifest.Digest).key()
	if err != nil {
		return k, err
	}
	s := m.importer(first, control)
	_, err = m.cache.ensure(ctx, k, "Importing the control plane's images for kind", func(ctx context.Context,
		w work) error {
		if err := copyStore(ctx, m.cache.content(stored.String()), w.content); err != nil {
			return err
		}
		return s.make(ctx, w)
	})
	return k, err
}

// storeDatabases are what a containerd writes to in place.
var storeDatabases = []string{"io.containerd.metadata.v1.bolt/meta.db",
	"io.containerd.snapshotter.v1.overlayfs/metadata.db"}

// copyStore makes dest a containerd root that shares the files of another: blobs and files of
// snapshots are never written to after they were made.
func copyStore(ctx context.Context, from, dest string) error {
	if err := (command{name: "cp", args: []string{"--archive", "--link", from + "/.", dest}}).run(ctx); err != nil {
		return fmt.Errorf("copy image store: %w", err)
	}
	for _, db := range storeDatabases {
		data, err := os.ReadFile(filepath.Join(from, db))
		if err != nil {
			return fmt.Errorf("copy image store: %w", err)
		}
		path := filepath.Join(dest, db)
		if err := errors.Join(os.Remove(path), os.WriteFile(path, data, 0o644)); err != nil {
			return fmt.Errorf("copy image store: %w", err)
		}
	}
	return nil
}

// kindNode assembles the node image.
func (m *maker) kindNode(ctx context.Context, first made) (key, error) {
	ours, err := kindNodeFilesKey()
	if err != nil {
		return key{}, err
	}
	k := newKey("kind-node").add("base", first.kindBase.manifest.Digest).add("recipe", fmt.Sprintf("%v", kindNode)).
		add("files", ours).add("version", KubernetesVersion)
	for _, name := range []string{"kind", "kubeadm", kubeName, containerdName} {
		k.add(name, first.programs[name].key.hash)
	}
	nodeKey, err := k.key()
	if err != nil {
		return nodeKey, err
	}
	_, err = m.cache.ensure(ctx, nodeKey, "Assembling kind's node image", func(ctx context.Context, w work) error {
		build, err := m.builder(ctx)
		if err != nil {
			return err
		}
		module, err := build.moduleDir(ctx, "sigs.k8s.io/kind")
		if err != nil {
			return err
		}
		layers := map[string][]source{"kind-base": {tree(m.cache.content(first.kindBase.key.String()))},
			"kind-node": kindNodeLayer(filepath.Join(module, "images/base/files"), m.program(first))}
		return assembleImages(ctx, []builtImage{kindNode}, layers, map[string]*layer{}, w)
	})
	return nodeKey, err
}

// DockerData returns a directory with the node image as Docker keeps it, which make fills once for
// each node image and kind of Docker, in the cache and under its rules.
func (s *Set) DockerData(ctx context.Context, p progress.Reporter, docker, ref string,
	make func(ctx context.Context, dir string, task progress.Task) error) (string, error) {
	return s.Derived(ctx, p, "docker-data", "Loading kind's node image into Docker, once for this version",
		[][]byte{[]byte(docker), []byte(ref), []byte(s.Kind.Digest)}, make)
}
