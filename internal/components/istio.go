package components

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flowproof/lab/internal/progress"
	"github.com/flowproof/lab/manifests"
)

// istioFile is the rendered manifest's name in its entry.
const istioFile = "istio.yaml"

// istioKey hashes the values and the istioctl that renders them, which carries its
// charts in itself.
func istioKey(istioctl key, values []byte) (key, error) {
	return newKey("istio").add(istioctlName, istioctl.hash).bytes("values", values).key()
}

// istio makes or finds the manifest of Istio. What the lab's own istioctl makes of the lab's own
// values is kept: for it no istioctl is built.
func (m *maker) istio(ctx context.Context, first made) (key, error) {
	if !m.images.published && bytes.Equal(m.options.IstioValues, manifests.IstioValues()) {
		return m.keptIstio(ctx)
	}
	if _, ok := first.programs[istioctlName]; !ok {
		var err error
		if first.programs[istioctlName], err = m.istioctl(ctx); err != nil {
			return key{}, err
		}
	}
	k, err := istioKey(first.programs[istioctlName].key, m.options.IstioValues)
	if err != nil {
		return k, err
	}
	_, err = m.cache.ensure(ctx, k, "Rendering the Istio manifest", func(ctx context.Context, w work) error {
		return render(ctx, m.program(first)(istioctlName), m.options.IstioValues, w)
	})
	return k, err
}

// WithValues returns o with the install values that are right for its images.
func (o Options) WithValues() Options {
	o.IstioValues = manifests.IstioValues()
	if PublishedImages(o.Images) {
		o.IstioValues = manifests.PublishedIstioValues()
	}
	return o
}

// istiosProxy is set by the images of Istio's own proxy. Source: pilot/docker/Dockerfile.proxyv2 of
// Istio.
const istiosProxy = "ISTIO_META_ISTIO_PROXY_SHA="

// fitValues takes the values for an upstream Envoy in the place of those for Istio's own proxy
// where the layout's proxy is not Istio's: its sidecars would refuse filters that they do not have.
func (m *maker) fitValues(dir string) error {
	if !bytes.Equal(m.options.IstioValues, manifests.PublishedIstioValues()) {
		return nil
	}
	proxy, err := imageOf(dir, ProxyImage)
	if err != nil {
		return err
	}
	config, err := proxy.ConfigFile()
	if err != nil {
		return fmt.Errorf("read the proxy's image: %w", err)
	}
	if !slices.ContainsFunc(config.Config.Env, func(e string) bool { return strings.HasPrefix(e, istiosProxy) }) {
		m.options.IstioValues = manifests.ReleaseValues()
	}
	return nil
}

// keptIstio writes the manifest that the program carries into the cache.
func (m *maker) keptIstio(ctx context.Context) (key, error) {
	text, err := manifests.Istio()
	if err != nil {
		return key{}, err
	}
	k, err := newKey("istio").bytes("manifest", text).key()
	if err != nil {
		return k, err
	}
	_, err = m.cache.ensure(ctx, k, "Unpacking the Istio manifest", func(_ context.Context, w work) error {
		return os.WriteFile(filepath.Join(w.content, istioFile), text, 0o644)
	})
	return k, err
}

// istioctl is the one of the lab's own Istio.
func (m *maker) istioctl(ctx context.Context) (ingredient, error) { return m.built(ctx, istioctl) }

// Istioctl makes or finds the istioctl of the lab's own Istio, and returns its path. No lab needs
// it to run.
func Istioctl(ctx context.Context, o Options, p progress.Reporter) (string, error) {
	m, err := newMaker(o, p)
	if err != nil {
		return "", err
	}
	made, err := m.istioctl(ctx)
	return filepath.Join(m.cache.content(made.key.String()), istioctlName), err
}

// render lets istioctl make the manifest ahead: applying it is faster than an install,
// which waits and polls.
func render(ctx context.Context, istioctl string, values []byte, w work) error {
	file := filepath.Join(w.scratch, "values.yaml")
	if err := os.WriteFile(file, values, 0o644); err != nil {
		return err
	}
	out, err := os.Create(filepath.Join(w.content, istioFile))
	if err != nil {
		return err
	}
	defer out.Close()
	// Without HOME and KUBECONFIG istioctl has no cluster to ask about.
	cmd := command{name: istioctl, args: []string{"manifest", "generate", "--filename", file}, stdout: out,
		env: []string{"HOME=" + w.scratch, "KUBECONFIG=/dev/null"}}
	if err := cmd.run(ctx); err != nil {
		return fmt.Errorf("render Istio manifest: %w", err)
	}
	return out.Close()
}
