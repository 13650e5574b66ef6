package components

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// A testNode is a node image in small: what it has, and what a case leaves out or alters.
type testNode struct {
	files   []source
	carried map[string][]byte // blobs by name, in place of their digests
}

func program755(path string) source {
	return func(w *tar.Writer) error {
		content := []byte("#!" + path)
		if err := w.WriteHeader(&tar.Header{Name: path, Mode: 0o4755, Size: int64(len(content))}); err != nil {
			return err
		}
		_, err := w.Write(content)
		return err
	}
}

func hardlink(name, target string) source {
	return func(w *tar.Writer) error {
		return w.WriteHeader(&tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: target})
	}
}

func device(name string) source {
	return func(w *tar.Writer) error {
		return w.WriteHeader(&tar.Header{Typeflag: tar.TypeChar, Name: name, Devmajor: 1, Devminor: 3})
	}
}

// newTestNode is a whole one: a layer of its images is packed, one is not, and one has a program as
// a further name of another file.
func newTestNode(t *testing.T) *testNode {
	t.Helper()
	n := &testNode{carried: map[string][]byte{}}
	for _, name := range sortedKeys(nodeFiles) {
		n.files = append(n.files, program755(nodeFiles[name]))
	}
	n.files = append(n.files, directory("etc", 0o500, 0), text("etc/passwd", 0o600, []byte("root")),
		symlink("etc/alternatives", "/nowhere"), hardlink("usr/bin/k", nodeFiles["kubectl"]),
		device("dev/null"), text("kind/version", 0o644, []byte("v1")))
	for i, name := range sortedKeys(nodeImageFiles) {
		var layer bytes.Buffer
		var out io.Writer = &layer
		pack := gzip.NewWriter(io.Discard)
		if i == 0 {
			pack = gzip.NewWriter(&layer)
			out = pack
		}
		w := tar.NewWriter(out)
		if i == 1 {
			must(t, program755("usr/local/bin/real")(w))
			must(t, hardlink(nodeImageFiles[name], "usr/local/bin/real")(w))
		} else {
			must(t, program755(nodeImageFiles[name])(w))
		}
		must(t, w.Close())
		must(t, pack.Close())
		n.carry(t, layer.Bytes())
	}
	return n
}

// carry adds an image of one layer, and an index that names an image which is not there.
func (n *testNode) carry(t *testing.T, layer []byte) {
	t.Helper()
	sum := func(blob []byte) v1.Hash {
		h, _, err := v1.SHA256(bytes.NewReader(blob))
		must(t, err)
		return h
	}
	manifest, err := json.Marshal(v1.Manifest{SchemaVersion: 2, Layers: []v1.Descriptor{{Digest: sum(layer)},
		{Digest: sum([]byte("of another platform"))}}})
	must(t, err)
	index, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, Manifests: []v1.Descriptor{{Digest: sum(manifest)}}})
	must(t, err)
	for _, blob := range [][]byte{layer, manifest, index} {
		n.carried[sum(blob).Hex] = blob
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// push puts the image into a registry and returns its name with the digest.
func (n *testNode) push(t *testing.T, host string) string {
	t.Helper()
	var all bytes.Buffer
	w := tar.NewWriter(&all)
	for _, put := range n.files {
		must(t, put(w))
	}
	for _, name := range sortedKeys(n.carried) {
		must(t, text(nodeContent+"/"+name, 0o644, n.carried[name])(w))
	}
	must(t, w.Close())
	image, err := mutate.AppendLayers(empty.Image, static.NewLayer(all.Bytes(), types.OCIUncompressedLayer))
	must(t, err)
	config, err := image.ConfigFile()
	must(t, err)
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	image, err = mutate.ConfigFile(image, config)
	must(t, err)
	ref, err := reference(host + "/kindest/node:v1")
	must(t, err)
	must(t, remote.Write(ref, image))
	digest, err := image.Digest()
	must(t, err)
	return host + "/kindest/node:v1@" + digest.String()
}

// A tampered registry answers some requests in another way.
func tampered(t *testing.T, real http.Handler, with func(http.ResponseWriter, *http.Request) bool) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || with == nil || !with(w, r) {
			real.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// oneBit alters one bit of each blob.
func oneBit(real http.Handler) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/blobs/") {
			return false
		}
		held := httptest.NewRecorder()
		real.ServeHTTP(held, r)
		body := held.Body.Bytes()
		body[len(body)/2] ^= 1
		_, _ = w.Write(body)
		return true
	}
}

func newRegistry() http.Handler { return registry.New(registry.Logger(log.New(io.Discard, "", 0))) }

func nodeImageOf(t *testing.T, ref string) (dir string, err error) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("files with owners are made: needs root")
	}
	t.Setenv(nodeVariable, ref)
	m := &maker{cache: testCache(t, &record{})}
	made, err := m.nodeImage(t.Context())
	return m.dir(made), err
}

func TestNodeImageIsTakenApart(t *testing.T) {
	dir, err := nodeImageOf(t, newTestNode(t).push(t, tampered(t, newRegistry(), nil)))
	must(t, err)
	for _, all := range []map[string]string{nodeFiles, nodeImageFiles} {
		for name, path := range all {
			info, err := os.Stat(filepath.Join(dir, nodeBin, name))
			if err != nil || info.Mode() != 0o755 {
				t.Errorf("%s: %v, %v, want a program that is nothing but that", name, info, err)
			}
			if got, err := os.ReadFile(filepath.Join(dir, nodeBin, name)); err != nil ||
				!slices.Contains([]string{"#!" + path, "#!usr/local/bin/real"}, string(got)) {
				t.Errorf("%s has %q, %v", name, got, err)
			}
		}
	}
	root := filepath.Join(dir, nodeRoot)
	if info, err := os.Stat(filepath.Join(root, "etc")); err != nil || info.Mode().Perm() != 0o500 {
		t.Errorf("etc: %v, %v", info, err)
	}
	if to, err := os.Readlink(filepath.Join(root, "etc/alternatives")); err != nil || to != "/nowhere" {
		t.Errorf("a symbolic link leads to %q, %v", to, err)
	}
	if got, err := os.ReadFile(filepath.Join(root, "usr/bin/k")); err != nil || string(got) != "#!usr/bin/kubectl" {
		t.Errorf("a hard link has %q, %v", got, err)
	}
	for _, name := range []string{"dev/null", "kind/version", nodeContent} {
		mustNotExist(t, filepath.Join(root, name))
	}
}

func TestNodeImageIsRefused(t *testing.T) {
	real := newRegistry()
	without := func(path string) func(*testing.T, *testNode) {
		return func(t *testing.T, n *testNode) {
			n.files = slices.DeleteFunc(n.files, func(s source) bool {
				var b bytes.Buffer
				w := tar.NewWriter(&b)
				must(t, s(w))
				must(t, w.Flush())
				h, err := tar.NewReader(&b).Next()
				return err == nil && h.Name == path && h.Typeflag == tar.TypeReg
			})
		}
	}
	altered := func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/manifests/") {
			fmt.Fprint(w, `{"schemaVersion":2}`)
		}
		return strings.Contains(r.URL.Path, "/manifests/")
	}
	noBlob := func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/blobs/") {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown to registry"}]}`)
		}
		return strings.Contains(r.URL.Path, "/blobs/")
	}
	otherBlob := func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/blobs/") {
			fmt.Fprint(w, "other content")
		}
		return strings.Contains(r.URL.Path, "/blobs/")
	}
	for name, tt := range map[string]struct {
		alter func(*testing.T, *testNode)
		with  func(http.ResponseWriter, *http.Request) bool
		want  []string
	}{
		"another manifest than its digest names": {with: altered, want: []string{"do not use it"}},
		"another layer than its digest names":    {with: otherBlob, want: []string{"do not use it"}},
		"a layer with one bit altered":           {with: oneBit(real), want: []string{"do not use it"}},
		"a layer is missing":                     {with: noBlob, want: []string{"does not have it", "--images built"}},
		"no program in the file system": {without("usr/bin/kubelet"), nil,
			[]string{"no program usr/bin/kubelet", "--images built"}},
		"another image": {func(_ *testing.T, n *testNode) {
			n.files, n.carried = []source{text("etc/passwd", 0o644, nil)}, nil
		}, nil, []string{"no program usr/local/bin/containerd", "--images built"}},
		"no program in the images": {func(t *testing.T, n *testNode) {
			n.carried = map[string][]byte{}
			n.carry(t, []byte{})
		}, nil, []string{"has usr/local/bin/etcd", "--images built"}},
		"a carried layer that is not what its name says": {func(_ *testing.T, n *testNode) {
			for name, blob := range n.carried {
				n.carried[name] = append([]byte(nil), append(blob, 0)...)
				if json.Valid(blob) {
					n.carried[name] = blob
				}
			}
		}, nil, []string{"hash mismatch", "do not use it"}},
	} {
		t.Run(name, func(t *testing.T) {
			n := newTestNode(t)
			if tt.alter != nil {
				tt.alter(t, n)
			}
			_, err := nodeImageOf(t, n.push(t, tampered(t, real, tt.with)))
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want %q", err, want)
				}
			}
		})
	}
}

func TestNodeImageNeedsADigest(t *testing.T) {
	for ref, want := range map[string]string{
		"":                         publishedNodeParts,
		"registry.example/node:v1": "no digest",
		"registry.example/node@":   nodeVariable,
		"me:hush@x.example/node:1": "docker login",
		publishedNodeParts:         publishedNodeParts,
		"x.example/n@" + publishedNodeParts[strings.Index(publishedNodeParts, "sha256:"):]: "x.example/n@",
	} {
		t.Setenv(nodeVariable, ref)
		got, err := nodePartsRef()
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) || strings.Contains(got, "hush") {
			t.Errorf("%s=%q: %s, want %q", nodeVariable, ref, got, want)
		}
	}
}

// TestUnpackerStaysInside: what an image says of links leads nowhere else.
func TestUnpackerStaysInside(t *testing.T) {
	outside := t.TempDir()
	for name, puts := range map[string][]tar.Header{
		"through a link": {{Name: "out", Typeflag: tar.TypeSymlink, Linkname: outside},
			{Name: "out/x", Typeflag: tar.TypeReg}},
		"a link to a file": {{Name: "x", Typeflag: tar.TypeSymlink, Linkname: outside + "/x"},
			{Name: "x", Typeflag: tar.TypeReg}},
		"above the root":          {{Name: "../x", Typeflag: tar.TypeReg}},
		"a hard link to the host": {{Name: "x", Typeflag: tar.TypeLink, Linkname: "../../../../../../etc/passwd"}},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := newUnpacker(t.TempDir())
			must(t, err)
			defer u.root.Close()
			err = nil
			for _, h := range puts {
				h.Uid, h.Gid = os.Geteuid(), os.Getegid()
				if err == nil {
					err = u.put(h.Name, &h, strings.NewReader(""))
				}
			}
			if err == nil {
				err = u.finish()
			}
			if err == nil {
				t.Error("no error")
			}
			mustBeEmpty(t, outside)
		})
	}
}

// TestProgramOfAnotherRoot runs a program of the host's that is linked dynamically with the loader
// and the libraries of a root of its own.
func TestProgramOfAnotherRoot(t *testing.T) {
	program, err := exec.LookPath("cat")
	must(t, err)
	loader, err := loaderOf(program)
	if err != nil || loader == "" {
		t.Skipf("%s asks for no loader: %v", program, err)
	}
	real, err := filepath.EvalSymlinks(loader)
	must(t, err)
	root := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(root, filepath.Dir(loader)), 0o755))
	must(t, os.MkdirAll(filepath.Join(root, "lib/own"), 0o755))
	must(t, os.Symlink("../lib/own/loader", filepath.Join(root, loader)))
	must(t, command{name: "cp", args: []string{real, filepath.Join(root, "lib/own/loader")}}.run(t.Context()))
	libraries, err := filepath.Glob(filepath.Join(filepath.Dir(real), "libc.so*"))
	must(t, err)
	for _, l := range libraries {
		must(t, command{name: "cp", args: []string{l, filepath.Join(root, "lib/own")}}.run(t.Context()))
	}
	name, args, err := withLibraries(root, program, "/proc/self/maps")
	must(t, err)
	maps, err := command{name: name, args: args}.output(t.Context())
	must(t, err)
	if !strings.Contains(maps, root+"/lib/own/libc.so") {
		t.Errorf("it does not run with its root's libraries:\n%s", maps)
	}
	must(t, os.Remove(filepath.Join(root, loader)))
	must(t, os.Symlink(real, filepath.Join(root, loader)))
	if _, _, err := withLibraries(root, program); err == nil || !strings.Contains(err.Error(), "leads to") {
		t.Errorf("a loader outside of the root: %v", err)
	}
	script := filepath.Join(root, "script")
	mustWrite(t, script, "#!/bin/sh")
	if name, args, err := withLibraries(root, script, "x"); err != nil || name != script || len(args) != 1 {
		t.Errorf("a script is run as %s %q, %v", name, args, err)
	}
}
