package main

import (
	"encoding/json"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/flowproof/lab/internal/components"
)

// Places in a node image. Source: images/base/Dockerfile of kind.
const (
	pluginsFrom = "usr/lib/cni" // of Debian
	pluginsTo   = "opt/cni/bin"
	content     = "var/lib/containerd/io.containerd.content.v1.content/blobs/sha256"
)

// node assembles a node image as kind builds it: one layer with a base, packed, and one that was
// committed over it, with Kubernetes and with the images that kubeadm starts.
func (p *publisher) node(set *components.Set) (v1.Image, error) {
	at := func(name string) string { return filepath.Join(set.Bin, name) }
	base := tree{{from: set.RootFS, without: []string{pluginsFrom, "usr/sbin/runc"}},
		{path: "usr/local/sbin/runc", from: filepath.Join(set.RootFS, "usr/sbin/runc")}}
	for _, name := range []string{"host-local", "loopback", "portmap", "ptp"} {
		base = append(base, entry{path: filepath.Join(pluginsTo, name),
			from: filepath.Join(set.RootFS, pluginsFrom, name)})
	}
	for _, name := range []string{"containerd", "containerd-shim-runc-v2", "ctr"} {
		base = append(base, entry{path: "usr/local/bin/" + name, from: at(name)})
	}
	committed := tree{{path: "kind/version", text: []byte(components.KubernetesVersion)}}
	for _, name := range []string{"kubelet", "kubectl"} {
		committed = append(committed, entry{path: "usr/bin/" + name, from: at(name)})
	}
	carried, err := p.carried(at)
	if err != nil {
		return nil, err
	}
	return p.image(v1.Config{Entrypoint: []string{"/usr/local/bin/entrypoint", "/sbin/init"},
		StopSignal: "SIGRTMIN+3"}, true, base, append(committed, carried...))
}

// carried are the blobs of the images that kubeadm starts: Kubernetes' own as an import of a docker
// archive leaves them, etcd's as a fetch does, which leaves an index that names other platforms.
func (p *publisher) carried(bin func(string) string) (tree, error) {
	var all tree
	for _, name := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "etcd"} {
		l, err := p.layer(tree{{path: "usr/local/bin/" + name, from: bin(name)}}, name == "etcd")
		if err != nil {
			return nil, err
		}
		all = append(all, entry{path: content + "/" + l.digest.Hex, from: l.path})
		config, err := json.Marshal(v1.ConfigFile{OS: "linux", RootFS: v1.RootFS{Type: "layers",
			DiffIDs: []v1.Hash{l.diffID}}})
		if err != nil {
			return nil, err
		}
		manifest, err := json.Marshal(v1.Manifest{SchemaVersion: 2, MediaType: types.DockerManifestSchema2,
			Config: descriptor(types.DockerConfigJSON, config),
			Layers: []v1.Descriptor{{MediaType: types.DockerLayer, Size: l.size, Digest: l.digest}}})
		if err != nil {
			return nil, err
		}
		index, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex,
			Manifests: []v1.Descriptor{descriptor(types.DockerManifestSchema2, manifest),
				descriptor(types.DockerManifestSchema2, []byte("of another platform, and not here"))}})
		if err != nil {
			return nil, err
		}
		for _, blob := range [][]byte{config, manifest, index} {
			all = append(all, entry{path: content + "/" + digest(blob).Hex, text: blob})
		}
	}
	return all, nil
}

func descriptor(media types.MediaType, blob []byte) v1.Descriptor {
	return v1.Descriptor{MediaType: media, Size: int64(len(blob)), Digest: digest(blob)}
}
