package components

import (
	"archive/tar"
	"embed"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

//go:embed kindnode
var kindNodeFiles embed.FS

// KindNodeImage is the node image's name in its layout.
const KindNodeImage = "lab.local/kind-node:1"

// kindBase is the file system of a kind node. Source: kind's images/base/Dockerfile, without what
// only other snapshotters and volume drivers need.
var kindBase = baseSystem{
	name:  "kind-base",
	title: "Making the file system of kind's nodes",
	packages: []string{"ca-certificates", "conntrack", "containernetworking-plugins", "curl", "ethtool", "hostname",
		"iproute2", "iptables", "jq", "kmod", "mount", "nftables", "procps", "runc", "systemd", "util-linux"},
	// Units that have no business in a container.
	dropped: []string{
		"usr/lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service",
		"usr/lib/systemd/system/multi-user.target.wants/*",
		"etc/systemd/system/*.wants/*", "usr/lib/systemd/system/local-fs.target.wants/*",
		"usr/lib/systemd/system/sockets.target.wants/*udev*",
		"usr/lib/systemd/system/sockets.target.wants/*initctl*", "usr/lib/systemd/system/basic.target.wants/*",
	},
}

// kindNode is the node image.
var kindNode = builtImage{KindNodeImage, []string{"kind-base", "kind-node"}, v1.Config{
	Env: []string{searchPath, "container=docker"}, Entrypoint: []string{"/usr/local/bin/entrypoint", "/sbin/init"},
	StopSignal: "SIGRTMIN+3", // what ends systemd in order
}}

// kindNodeLayer is what the node image has over its base: kind's own files, ours, and the programs.
func kindNodeLayer(kindFiles string, bin func(string) string) []source {
	at := func(target, name string, mode int64) source {
		data, err := kindNodeFiles.ReadFile("kindnode/" + name)
		if err != nil {
			panic(err) // embedded: cannot be missing
		}
		return text(target, mode, data)
	}
	const units = "etc/systemd/system/"
	sources := []source{
		kindOwnFiles(kindFiles),
		at("etc/containerd/config.toml", "containerd.toml", 0o644),
		at("etc/cni/net.d/10-lab.conflist", "10-lab.conflist", 0o644),
		at("etc/systemd/journald.conf.d/10-lab.conf", "journald.conf", 0o644),
		at(units+"lab-store.service", "lab-store.service", 0o644),
		at(units+"lab-services.service", "lab-services.service", 0o644),
		at("usr/local/bin/lab-store", "lab-store", 0o755),
		directory("etc/kubernetes/manifests", 0o755, 0),
		text("kind/version", 0o644, []byte(KubernetesVersion)),
		symlink("usr/sbin/init", "../lib/systemd/systemd"),
		symlink(units+"systemd-binfmt.service", "/dev/null"), // what it registers, it registers for the whole kernel
	}
	for _, unit := range []string{"kubelet", "containerd", "undo-mount-hacks", "lab-store", "lab-services"} {
		sources = append(sources, symlink(units+"multi-user.target.wants/"+unit+".service", "/"+units+unit+".service"))
	}
	for _, name := range []string{"containerd", "ctr", "containerd-shim-runc-v2"} {
		sources = append(sources, executable("usr/local/bin/"+name, bin(name)))
	}
	sources = append(sources, executable("usr/bin/kubeadm", bin("kubeadm")), executable("usr/bin/kube", bin("kube")))
	for _, name := range []string{"kubelet", "kubectl"} {
		sources = append(sources, symlink("usr/bin/"+name, "kube"))
	}
	return sources
}

// kindOwnFiles are the files of kind's base image, with the modes that its Dockerfile gives them.
func kindOwnFiles(dir string) source {
	return func(w *tar.Writer) error {
		return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			name, err := filepath.Rel(dir, path)
			if err != nil || name == "etc/containerd/config.toml" {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			mode := int64(0o644)
			if strings.HasPrefix(name, "usr/local/bin/") || strings.HasPrefix(name, "kind/bin/") {
				mode = 0o755
			}
			return text(name, mode, data)(w)
		})
	}
}

// The names by which kubeadm looks for the control plane's images.
const (
	KubernetesImages = "lab.local"
	EtcdTag          = "3.7.3-0"
)

// controlPlaneImages are what kubeadm starts as pods. One binary is all of Kubernetes' programs.
func controlPlaneImages() []builtImage {
	var all []builtImage
	for _, name := range kubeNames {
		image := builtImage{KubernetesImages + "/" + name + ":" + KubernetesVersion, []string{"kube"},
			v1.Config{Env: []string{searchPath}}}
		switch name {
		case "kubelet", "kubectl":
			continue
		case "kube-proxy":
			image.layers = []string{"base", "kube"} // iptables with all its modules' libraries
		}
		all = append(all, image)
	}
	return append(all, builtImage{KubernetesImages + "/etcd:" + EtcdTag, []string{"etcd"},
		v1.Config{Env: []string{searchPath}}})
}

// controlPlaneLayers are what those images are made of beside the base.
func controlPlaneLayers(bin func(string) string) map[string][]source {
	kube := []source{executable("usr/local/bin/kube", bin("kube"))}
	for _, name := range kubeNames {
		kube = append(kube, symlink("usr/local/bin/"+name, "kube"))
	}
	return map[string][]source{"kube": kube, "etcd": {executable("usr/local/bin/etcd", bin("etcd"))}}
}

// kindNodeRecipe counts changes of kindNodeLayer, which the key of the node image
// cannot see otherwise.
const kindNodeRecipe = "1"

// kindNodeFilesKey hashes our own files of the node image.
func kindNodeFilesKey() (string, error) {
	k := newKey("kind-node-files").add("recipe", kindNodeRecipe)
	err := fs.WalkDir(kindNodeFiles, "kindnode", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := kindNodeFiles.ReadFile(path)
		k.bytes(path, data)
		return err
	})
	if err != nil {
		return "", err
	}
	made, err := k.key()
	return made.hash, err
}
