package components

import (
	"bytes"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/manifests"
)

// TestChoose: with nothing in the cache it is the registry's answer that decides, and it is said.
func TestChoose(t *testing.T) {
	for name, tt := range map[string]struct {
		o        Options
		has      []string // images of the registry, beside the node image
		answers  bool
		want     string
		wantSaid string
	}{
		"a registry that has all": {Options{Images: Auto}, []string{PublishedRefs("")[ProxyImage],
			PublishedRefs("")[FortioImage], IstioctlRef("")}, true, Registry, "because it answers"},
		"a registry without Istio's istioctl": {Options{Images: Auto}, []string{PublishedRefs("")[ProxyImage],
			PublishedRefs("")[FortioImage]}, true, Built, IstioctlRef("")},
		"a registry without that Istio": {Options{Images: Auto, Istio: "1.28.3"},
			[]string{PublishedRefs("")[ProxyImage], PublishedRefs("")[FortioImage], IstioctlRef("")}, true, Built,
			":1.28.3"},
		"no registry":        {Options{Images: Auto}, nil, false, Built, "connection refused"},
		"a source was named": {Options{Images: Registry}, nil, false, Registry, ""},
		"no source":          {Options{}, nil, false, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			host := "127.0.0.1:1"
			if tt.answers {
				host = tampered(t, newRegistry(), nil)
			}
			t.Setenv(mirrorVariable, "")
			t.Setenv(nodeVariable, "docker.io/kindest/node@"+emptyDigest(t))
			t.Setenv(mirrorVariable, host)
			for _, ref := range append(tt.has, "docker.io/kindest/node:x") {
				to, err := reference(ref)
				must(t, err)
				if tt.answers {
					must(t, remote.Write(to, empty.Image))
				}
			}
			said := &record{}
			tt.o.CacheDir = t.TempDir()
			got, err := Choose(t.Context(), tt.o, said)
			if err != nil || got.Images != tt.want {
				t.Errorf("chosen %q, %v, want %q", got.Images, err, tt.want)
			}
			if all := strings.Join(said.all(), "\n"); !strings.Contains(all, tt.wantSaid) ||
				tt.wantSaid == "" && all != "" {
				t.Errorf("it says %q, want %q", all, tt.wantSaid)
			}
		})
	}
}

// TestChooseTellsBadInput: a variable that names nothing is no reason to build for a quarter of an
// hour.
func TestChooseTellsBadInput(t *testing.T) {
	for variable, value := range map[string]string{mirrorVariable: "no registry", nodeVariable: "node:v1"} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(mirrorVariable, "127.0.0.1:1")
			t.Setenv(nodeVariable, "")
			t.Setenv(variable, value)
			_, err := Choose(t.Context(), Options{Images: Auto, CacheDir: t.TempDir()}, &record{})
			if fault.Of(err) != fault.Usage || !strings.Contains(err.Error(), variable) {
				t.Errorf("%v (kind %q)", err, fault.Of(err))
			}
		})
	}
}

func emptyDigest(t *testing.T) string {
	t.Helper()
	digest, err := empty.Image.Digest()
	must(t, err)
	return digest.String()
}

// TestValuesFitTheProxy: sidecars of upstream Envoy in a registry are not given Istio's filters.
func TestValuesFitTheProxy(t *testing.T) {
	for name, tt := range map[string]struct {
		env  []string
		want []byte
	}{
		"Istio's own":    {[]string{"PATH=/bin", "ISTIO_META_ISTIO_PROXY_SHA=abc"}, manifests.PublishedIstioValues()},
		"upstream Envoy": {[]string{"PATH=/bin"}, manifests.ReleaseValues()},
	} {
		t.Run(name, func(t *testing.T) {
			image, err := mutate.Config(empty.Image, v1.Config{Env: tt.env})
			must(t, err)
			dir := t.TempDir()
			out, err := layout.Write(dir, empty.Index)
			must(t, err)
			must(t, out.AppendImage(image, named(ProxyImage)))
			m := &maker{options: Options{Images: Registry}.WithValues()}
			must(t, m.fitValues(dir))
			if !bytes.Equal(m.options.IstioValues, tt.want) {
				t.Errorf("values\n%s", m.options.IstioValues)
			}
		})
	}
}
