package components

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/flowproof/lab/harness/fault"
)

// publishedNodeParts is the node image that the embedded node is made of where images come from a
// registry. It has the Kubernetes that is built too, so that the same flags are right. Source:
// pkg/apis/config/defaults/image.go of kind v0.32.0.
const publishedNodeParts = "docker.io/kindest/node:" + KubernetesVersion + "@" +
	"sha256:3489c7674813ba5d8b1a9977baea8a6e553784dab7b84759d1014dbd78f7ebd5"

// nodeVariable names another node image of kind's layout, by digest.
const nodeVariable = "FLOWPROOF_NODE_IMAGE"

// nodePartsRef is the node image that is taken apart. Root runs what is in it: a name without a
// digest, behind which another image may stand tomorrow, is refused.
func nodePartsRef() (string, error) {
	ref := os.Getenv(nodeVariable)
	if ref == "" {
		return publishedNodeParts, nil
	}
	if err := withoutUser(nodeVariable, ref); err != nil {
		return "", err
	}
	parsed, err := reference(ref)
	if err != nil {
		return "", fault.Usagef("use node image %s=%s: %w", nodeVariable, ref, err)
	}
	if !strings.HasPrefix(parsed.Identifier(), "sha256:") {
		return "", fault.Usagef("use node image %s=%s: it has no digest (name it as …/node:TAG@sha256:…)",
			nodeVariable, ref)
	}
	return ref, nil
}

// Folders of a node image's entry.
const (
	nodeRoot = "root"
	nodeBin  = "bin"
)

// nodeFiles are the programs that a node image has in its file system, by their names. Source:
// images/base/Dockerfile and pkg/build/nodeimage/buildcontext.go of kind.
var nodeFiles = map[string]string{
	"containerd":              "usr/local/bin/containerd",
	"containerd-shim-runc-v2": "usr/local/bin/containerd-shim-runc-v2",
	"ctr":                     "usr/local/bin/ctr",
	"kubectl":                 "usr/bin/kubectl",
	"kubelet":                 "usr/bin/kubelet",
	"runc":                    "usr/local/sbin/runc",
}

// nodeContent is where a node image keeps the blobs of the images that kubeadm starts.
const nodeContent = "var/lib/containerd/io.containerd.content.v1.content/blobs/sha256"

// nodeImageFiles are the programs that those images have, by their names. Source:
// build/server-image of Kubernetes, cluster/images/etcd/Dockerfile there.
var nodeImageFiles = map[string]string{
	"etcd":                    "usr/local/bin/etcd",
	"kube-apiserver":          "usr/local/bin/kube-apiserver",
	"kube-controller-manager": "usr/local/bin/kube-controller-manager",
	"kube-proxy":              "usr/local/bin/kube-proxy",
	"kube-scheduler":          "usr/local/bin/kube-scheduler",
}

// gatherPublished makes programs and file system of published images: nothing is compiled.
func (m *maker) gatherPublished(ctx context.Context) (made, error) {
	node, err := m.nodeImage(ctx)
	if err != nil {
		return made{}, err
	}
	istioctl, err := m.publishedIstioctl(ctx)
	if err != nil {
		return made{}, err
	}
	programs := node
	node.folder, programs.folder = nodeRoot, nodeBin
	return made{base: node, programs: map[string]ingredient{containerdName: programs, istioctlName: istioctl}}, nil
}

// nodeImage fetches the node image and takes it apart.
func (m *maker) nodeImage(ctx context.Context) (ingredient, error) {
	ref, err := nodePartsRef()
	if err != nil {
		return ingredient{}, err
	}
	k, err := newKey("node-image").add("platform", runtime.GOARCH).add("image", ref).key()
	if err != nil {
		return ingredient{}, err
	}
	done, err := m.cache.ensure(ctx, k, "Fetching the node's programs", func(ctx context.Context, w work) error {
		if os.Geteuid() != 0 {
			return errors.New("its files have owners (run as root)")
		}
		image, err := fetched(ctx, KindNodeImage, ref, w)
		if err != nil {
			return err
		}
		w.task.Note("taking the node image apart")
		if err := takeApart(ctx, image, w); err != nil {
			return fmt.Errorf("take %s apart: %w", ref, err)
		}
		return nil
	})
	return ingredient{key: k, manifest: done}, err
}

// takeApart writes a node image's file system and programs into w's content directory.
func takeApart(ctx context.Context, image v1.Image, w work) error {
	root, bin, blobs := filepath.Join(w.content, nodeRoot), filepath.Join(w.content, nodeBin),
		filepath.Join(w.scratch, "blobs")
	for _, dir := range []string{root, bin, blobs} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	if err := unpackNode(ctx, image, root, blobs); err != nil {
		return err
	}
	for _, name := range sortedKeys(nodeFiles) {
		if err := linkProgram(root, nodeFiles[name], filepath.Join(bin, name)); err != nil {
			return err
		}
	}
	return imagePrograms(ctx, blobs, bin)
}

// errLayout is in the chain of an error for an image that has not the files of a node image.
var errLayout = errors.New("this is no node image of kind's (take the one that is pinned, or leave the registry: " +
	"--images built)")

// linkProgram makes dest another name of a program of a root.
func linkProgram(root, program, dest string) error {
	in, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Lstat(program)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (!info.Mode().IsRegular() || info.Mode()&0o111 == 0) {
		return fmt.Errorf("the image has no program %s: %w", program, errLayout)
	}
	if err != nil {
		return err
	}
	return os.Link(filepath.Join(root, program), dest)
}

// unpackNode writes the image's file system below root, without what belongs to one machine, and
// the blobs of the images that it carries into blobs.
func unpackNode(ctx context.Context, image v1.Image, root, blobs string) error {
	files := mutate.Extract(image)
	defer files.Close()
	u, err := newUnpacker(root)
	if err != nil {
		return err
	}
	defer u.root.Close()
	for r := tar.NewReader(files); ; {
		if end := stopped(ctx); end != nil {
			return end
		}
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return u.finish()
		}
		if err != nil {
			return err
		}
		name := path.Clean("/" + h.Name)[1:]
		if path.Dir(name) == nodeContent && h.Typeflag == tar.TypeReg {
			err = writeBinary(filepath.Join(blobs, path.Base(name)), r)
		} else if !ofOneMachine(name) {
			err = u.put(name, h, r)
		}
		if err != nil {
			return fmt.Errorf("unpack %s: %w", name, err)
		}
	}
}

// machineFolders of a node image say something about one machine, or are the images that it
// carries: the folders themselves stay.
var machineFolders = []string{"dev", "kind", "proc", "run", "sys", "tmp", "var/cache", "var/lib/containerd", "var/log"}

func ofOneMachine(name string) bool {
	for _, folder := range machineFolders {
		if strings.HasPrefix(name, folder+"/") {
			return true
		}
	}
	return false
}
