package components

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// fakeNode is a node image of tiny parts.
func fakeNode(t *testing.T) *Kind {
	t.Helper()
	p := fakeParts(t, time.Unix(1e9, 0))
	own := t.TempDir()
	mustWrite(t, filepath.Join(own, "usr/local/bin/entrypoint"), "#!/bin/bash")
	mustWrite(t, filepath.Join(own, "etc/sysctl.d/10-network.conf"), "net.x=1")
	mustWrite(t, filepath.Join(own, "etc/containerd/config.toml"), "snapshotter = fake")
	bin := t.TempDir()
	for _, name := range []string{"containerd", "ctr", "containerd-shim-runc-v2", "kube", "kubeadm", "etcd"} {
		mustWrite(t, filepath.Join(bin, name), "ELF "+name)
	}
	layers := map[string][]source{"kind-base": {tree(p.rootFS)},
		"kind-node": kindNodeLayer(own, func(name string) string {
			return filepath.Join(bin, name)
		})}
	w := testWork(t)
	if err := assembleImages(t.Context(), []builtImage{kindNode}, layers, map[string]*layer{}, w); err != nil {
		t.Fatal(err)
	}
	k, err := openKind(&Kind{Node: w.content, NodeRef: KindNodeImage})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestNodeImageHoldsWhatKindExpects(t *testing.T) {
	files := untar(t, fakeNode(t).image)
	for path, want := range map[string]string{
		"usr/local/bin/entrypoint":     "-rwxr-xr-x 0 #!/bin/bash",
		"etc/sysctl.d/10-network.conf": "-rw-r--r-- 0 net.x=1",
		"kind/version":                 "-rw-r--r-- 0 " + KubernetesVersion,
		"usr/bin/kubelet":              "Lrwxrwxrwx 0 -> kube",
		"usr/bin/kubeadm":              "-rwxr-xr-x 0 ELF kubeadm",
		"usr/sbin/init":                "Lrwxrwxrwx 0 -> ../lib/systemd/systemd",
		"etc/systemd/system/multi-user.target.wants/kubelet.service": "Lrwxrwxrwx 0 -> " +
			"/etc/systemd/system/kubelet.service",
	} {
		if files[path] != want {
			t.Errorf("%s is %q, want %q", path, files[path], want)
		}
	}
	if strings.Contains(files["etc/containerd/config.toml"], "snapshotter = fake") ||
		!strings.Contains(files["etc/containerd/config.toml"], PauseImage) {
		t.Errorf("containerd's configuration is %q", files["etc/containerd/config.toml"])
	}
}

// TestNodeArchive reads what docker load is given.
func TestNodeArchive(t *testing.T) {
	var archive bytes.Buffer
	if err := fakeNode(t).NodeArchive(&archive, "lab.local/kind-x:1",
		map[string]string{"dev.flowproof.lab": "x"}); err != nil {
		t.Fatal(err)
	}
	image, err := tarball.Image(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(archive.Bytes())), nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c := config.Config
	if c.StopSignal != "SIGRTMIN+3" || c.Labels["dev.flowproof.lab"] != "x" ||
		strings.Join(c.Entrypoint, " ") != "/usr/local/bin/entrypoint /sbin/init" {
		t.Errorf("configuration %+v", c)
	}
	var manifest []struct{ RepoTags []string }
	for r := tar.NewReader(&archive); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Name == "manifest.json" {
			if err := json.NewDecoder(r).Decode(&manifest); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(manifest) != 1 || strings.Join(manifest[0].RepoTags, " ") != "lab.local/kind-x:1" {
		t.Errorf("manifest %+v", manifest)
	}
}

// TestControlPlaneImagesAreThoseOfTheComponents holds the images' tags against what is built.
func TestControlPlaneImagesAreThoseOfTheComponents(t *testing.T) {
	gomod, err := os.ReadFile(filepath.Join(checkoutToolchain, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`go\.etcd\.io/etcd/server/v3 v` + strings.TrimSuffix(EtcdTag, "-0"), `k8s\.io/kubernetes ` + KubernetesVersion,
	} {
		if !regexp.MustCompile(want).Match(gomod) {
			t.Errorf("go.mod does not require %s", want)
		}
	}
	refs := map[string]bool{}
	for _, i := range controlPlaneImages() {
		refs[i.ref] = true
	}
	for _, want := range []string{"kube-apiserver:" + KubernetesVersion, "kube-proxy:" + KubernetesVersion,
		"etcd:" + EtcdTag} {
		if !refs[KubernetesImages+"/"+want] {
			t.Errorf("no image %s among %v", want, refs)
		}
	}
}

func TestExtractFile(t *testing.T) {
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		return io.NopCloser(&out), errors.Join(text("usr/local/bin/other", 0o755, []byte("x"))(w), w.Close())
	})
	if err == nil {
		var image v1.Image
		if image, err = mutate.AppendLayers(empty.Image, layer); err == nil {
			dest := filepath.Join(t.TempDir(), "istioctl")
			if err := extractFile(image, "usr/local/bin/other", dest); err != nil {
				t.Fatal(err)
			}
			if data, _ := os.ReadFile(dest); string(data) != "x" {
				t.Errorf("extracted %q", data)
			}
			if err := extractFile(image, "usr/bin/none", dest+"2"); err == nil ||
				!strings.Contains(err.Error(), "has no usr/bin/none") {
				t.Errorf("a file that is not there: %v", err)
			}
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestVersionsOfIstioArePublishedOnes(t *testing.T) {
	if _, err := Find(Options{CacheDir: t.TempDir(), Istio: "1.28.3"}); err == nil ||
		!strings.Contains(err.Error(), "--images registry") {
		t.Errorf("Istio 1.28.3 of built images: %v", err)
	}
	if got := PublishedRefs("1.28.3")[ProxyImage]; !strings.HasSuffix(got, "/proxyv2:1.28.3") {
		t.Errorf("image %s", got)
	}
}
