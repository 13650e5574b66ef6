package components

import (
	"archive/tar"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/flowproof/lab/harness/fault"
)

// fakeParts are tiny programs and a tiny root, made at the given time.
func fakeParts(t *testing.T, made time.Time) parts {
	t.Helper()
	root, bin := fakeRoot(t, "1"), t.TempDir()
	if err := os.Symlink("bash", filepath.Join(root, "usr/bin/sh")); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(root, "usr/bin/su"), filepath.Join(root, "usr/bin/us")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(root, "usr/bin/su"), made, made); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"pause", "coredns", "fortio", "envoy", "pilot-agent", "pilot-discovery"} {
		mustWrite(t, filepath.Join(bin, p), "ELF "+p)
	}
	return parts{bin: func(name string) string {
		return filepath.Join(bin, name)
	}, rootFS: root, bootstrap: []byte("{}")}
}

func TestImagesAreTheSameOnTwoRuns(t *testing.T) {
	var runs [][]Image
	for _, made := range []time.Time{time.Unix(1e9, 0), time.Unix(2e9, 5)} {
		w := testWork(t)
		if err := assemble(t.Context(), fakeParts(t, made), w); err != nil {
			t.Fatal(err)
		}
		images, err := readImages(w.content)
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, images)
	}
	if !slices.Equal(runs[0], runs[1]) {
		t.Errorf("%v\n%v", runs[0], runs[1])
	}
	if len(runs[0]) != len(builtImages) {
		t.Errorf("%d images of %d", len(runs[0]), len(builtImages))
	}
}

func TestImagesShareTheirBase(t *testing.T) {
	w := testWork(t)
	if err := assemble(t.Context(), fakeParts(t, epoch), w); err != nil {
		t.Fatal(err)
	}
	layers := map[string][]string{}
	for ref, image := range readLayout(t, w.content) {
		all, err := image.Layers()
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range all {
			d, err := l.Digest()
			if err != nil {
				t.Fatal(err)
			}
			layers[ref] = append(layers[ref], d.String())
		}
	}
	base := layers[NetshootImage][0]
	if layers[ProxyImage][0] != base || layers[PilotImage][0] != base ||
		layers[ProxyImage][1] != layers[PilotImage][1] {
		t.Errorf("layers are not shared: %v", layers)
	}
}

func readLayout(t *testing.T, dir string) map[string]v1.Image {
	t.Helper()
	images, err := readImages(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]v1.Image{}
	for _, i := range images {
		h, err := v1.NewHash(i.Digest)
		if err != nil {
			t.Fatal(err)
		}
		if all[i.Ref], err = layout.Path(dir).Image(h); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestProxyImageHoldsWhatThePodNeeds(t *testing.T) {
	w := testWork(t)
	if err := assemble(t.Context(), fakeParts(t, epoch), w); err != nil {
		t.Fatal(err)
	}
	image := readLayout(t, w.content)[ProxyImage]
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(config.Config.Entrypoint, " "); got != "/usr/local/bin/pilot-agent" {
		t.Errorf("entry point %q", got)
	}
	if config.OS != "linux" || config.Architecture == "" {
		t.Errorf("platform %s/%s", config.OS, config.Architecture)
	}
	files := untar(t, image)
	for path, want := range map[string]string{
		"usr/local/bin/envoy":                           "-rwxr-xr-x 0 ELF envoy",
		"var/lib/istio/envoy/envoy_bootstrap_tmpl.json": "-rw-r--r-- 0 {}",
		"etc/istio/proxy/":                              "drwxr-xr-x 1337 ",
		"etc/passwd": "-rw-r--r-- 0 root:x:0:0:root:/root:/bin/bash\n" +
			"istio-proxy:x:1337:1337::/home/istio-proxy:/bin/sh\n",
		"usr/bin/us": "urwxr-xr-x 0 -> usr/bin/su",
		"usr/bin/sh": "Lrwxrwxrwx 0 -> bash",
	} {
		if files[path] != want {
			t.Errorf("%s is %q, want %q", path, files[path], want)
		}
	}
}

// untar describes the files of all layers of an image, later ones over earlier ones.
func untar(t *testing.T, image v1.Image) map[string]string {
	t.Helper()
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, l := range layers {
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for in := tar.NewReader(r); ; {
			h, err := in.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(in)
			if err != nil {
				t.Fatal(err)
			}
			owner := h.Uid
			if owner == os.Getuid() {
				owner = 0
			}
			text := string(content)
			if h.Linkname != "" {
				text = "-> " + h.Linkname
			}
			files[h.Name] = h.FileInfo().Mode().String() + " " + strconv.Itoa(owner) + " " + text
			if !h.ModTime.Equal(epoch) {
				t.Errorf("%s has time %v", h.Name, h.ModTime)
			}
		}
	}
	return files
}

func TestPull(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	published := strings.TrimPrefix(server.URL, "http://") + "/istio/proxyv2:1"
	ref, err := name.ParseReference(published)
	if err != nil {
		t.Fatal(err)
	}
	image, err := random.Image(1024, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
	w := testWork(t)
	if err := pull(t.Context(), map[string]string{ProxyImage: published}, w); err != nil {
		t.Fatal(err)
	}
	images, err := readImages(w.content)
	if err != nil {
		t.Fatal(err)
	}
	want, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if len(images) != 1 || images[0] != (Image{ProxyImage, want.String()}) {
		t.Errorf("pulled %v, want %s", images, want)
	}
}

func TestMirror(t *testing.T) {
	for _, tt := range []struct{ mirror, ref, want string }{
		{"", "docker.io/istio/pilot:1.29.0", "index.docker.io/istio/pilot:1.29.0"},
		{"mirror.example:5000", "docker.io/istio/pilot:1.29.0", "mirror.example:5000/istio/pilot:1.29.0"},
		{"mirror.example:5000/class", "registry.k8s.io/pause:3.10.1", "mirror.example:5000/class/pause:3.10.1"},
		{"mirror.example:5000", publishedNode,
			"mirror.example:5000/kindest/node" + publishedNode[strings.Index(publishedNode, "@"):]},
	} {
		t.Setenv(mirrorVariable, tt.mirror)
		got, err := reference(tt.ref)
		if err != nil || got.Name() != tt.want {
			t.Errorf("%s with mirror %q is pulled from %v (%v), want %s", tt.ref, tt.mirror, got, err, tt.want)
		}
	}
	for _, mirror := range []string{"no registry", "me:hush@mirror.example", "https://me:hush@mirror.example"} {
		t.Setenv(mirrorVariable, mirror)
		if _, err := reference("docker.io/istio/pilot:1.29.0"); err == nil || fault.Of(err) != fault.Usage ||
			!strings.Contains(err.Error(), mirrorVariable) || strings.Contains(err.Error(), "hush") {
			t.Errorf("a mirror that is none: %v", err)
		}
	}
}

// TestPublishedIstio pulls an istioctl of a chosen release from a registry of the test's own
// and lets it render.
func TestPublishedIstio(t *testing.T) {
	alter, real := false, newRegistry()
	t.Setenv(mirrorVariable, tampered(t, real, func(w http.ResponseWriter, r *http.Request) bool {
		return alter && oneBit(real)(w, r)
	}))
	program := []byte("#!/bin/sh\n[ \"$1 $2 $3\" = \"manifest generate --filename\" ] && cat \"$4\" && echo rendered " +
		"by 1.28.3\n")
	blob, err := newLayer(t.TempDir(), text(istioctlPath, 0o755, program))
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.AppendLayers(empty.Image, blob)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	if image, err = mutate.ConfigFile(image, config); err != nil {
		t.Fatal(err)
	}
	ref, err := reference("docker.io/istio/istioctl:1.28.3")
	if err == nil {
		err = remote.Write(ref, image)
	}
	if err != nil {
		t.Fatal(err)
	}
	m := &maker{
		cache: testCache(t, &record{}), options: Options{Istio: "1.28.3", Kind: true, Images: Registry,
			IstioValues: []byte("values\n")},
	}
	istioctl, err := m.publishedIstioctl(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rendered, err := m.istio(t.Context(), made{programs: map[string]ingredient{istioctlName: istioctl}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(m.cache.content(rendered.String()), istioFile))
	if err != nil || string(got) != "values\nrendered by 1.28.3\n" {
		t.Errorf("rendered %q, %v", got, err)
	}
	alter, m.cache = true, testCache(t, &record{})
	if _, err := m.publishedIstioctl(t.Context()); err == nil || !strings.Contains(err.Error(), "do not use it") {
		t.Errorf("a program with one bit altered: %v", err)
	}
}

func TestPullFailsClearly(t *testing.T) {
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no", http.StatusForbidden)
	}))
	defer refuses.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	for url, want := range map[string]string{refuses.URL: "the registry refused", gone.URL: "cannot be reached"} {
		ref := strings.TrimPrefix(url, "http://") + "/istio/pilot:1"
		err := pull(t.Context(), map[string]string{PilotImage: ref}, testWork(t))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), ref) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
