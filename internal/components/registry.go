package components

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/flowproof/lab/harness/fault"
)

// publishedIstio is the version of Istio's images when none is named.
const publishedIstio = "1.29.0"

// PublishedRefs says which published image stands behind each name. Istio's are of one release, so
// that proxy and control plane know each other; "" is the one that is pinned.
func PublishedRefs(istio string) map[string]string {
	istio = cmp.Or(istio, publishedIstio)
	return map[string]string{
		PauseImage:    "registry.k8s.io/pause:3.10.1",
		CoreDNSImage:  "registry.k8s.io/coredns/coredns:v1.12.4",
		FortioImage:   FortioImage,
		NetshootImage: NetshootImage,
		PilotImage:    "docker.io/istio/pilot:" + istio,
		ProxyImage:    "docker.io/istio/proxyv2:" + istio,
	}
}

// IstioctlRef is the published image of a release's istioctl; "" is the release that is pinned.
func IstioctlRef(istio string) string {
	return "docker.io/istio/istioctl:" + cmp.Or(istio, publishedIstio)
}

// pulled makes an image layout from registries.
func (m *maker) pulled(ctx context.Context, name string, images map[string]string) (ingredient, error) {
	k := newKey(name).add("platform", runtime.GOARCH)
	for _, ref := range sortedKeys(images) {
		k.add(ref, images[ref])
	}
	pulledKey, err := k.key()
	if err != nil {
		return ingredient{}, err
	}
	done, err := m.cache.ensure(ctx, pulledKey, "Pulling images", func(ctx context.Context, w work) error {
		return pull(ctx, images, w)
	})
	return ingredient{key: pulledKey, manifest: done}, err
}

// publishedValues gives Istio's install values the published images' tag in place of the lab's own.
func publishedValues(values []byte, istio string) []byte {
	tag := func(ref string) string { return ref[strings.LastIndexByte(ref, ':')+1:] }
	return bytes.ReplaceAll(values, []byte("tag: "+tag(PilotImage)),
		[]byte("tag: "+tag(PublishedRefs(istio)[PilotImage])))
}

// pull writes published images into a layout under our names, with the person's own
// registry credentials.
func pull(ctx context.Context, images map[string]string, w work) error {
	out, err := layout.Write(w.content, empty.Index)
	if err != nil {
		return fmt.Errorf("write image layout: %w", err)
	}
	w.task.Total(int64(len(images)))
	for i, ref := range sortedKeys(images) {
		w.task.Note("%s", images[ref])
		image, err := published(ctx, images[ref])
		if err == nil {
			err = out.AppendImage(image, named(ref))
		}
		if end := stopped(ctx); end != nil {
			return end
		}
		if err != nil {
			return explain(fmt.Errorf("pull %s: %w", images[ref], err), "")
		}
		w.task.Set(int64(i + 1))
	}
	return nil
}

// fetched pulls an image that programs are taken out of: whole, and each blob held against its
// digest, before a byte of it is used.
func fetched(ctx context.Context, name, ref string, w work) (v1.Image, error) {
	at := filepath.Join(w.scratch, "layout")
	if err := pull(ctx, map[string]string{name: ref}, work{content: at, task: w.task}); err != nil {
		return nil, err
	}
	return imageOf(at, name)
}

// published finds an image in its registry, for this machine's platform, with the
// person's own credentials.
func published(ctx context.Context, ref string) (v1.Image, error) {
	parsed, err := reference(ref)
	if err != nil {
		return nil, err
	}
	return remote.Image(parsed, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain),
		remote.WithPlatform(v1.Platform{OS: "linux", Architecture: runtime.GOARCH}))
}

// mirrorVariable names a registry that has the published images under the same paths, such
// as a class room's own.
const mirrorVariable = "FLOWPROOF_REGISTRY"

// reference is where an image is pulled from: its own registry, or the mirror.
func reference(ref string) (name.Reference, error) {
	parsed, err := name.ParseReference(ref)
	mirror := os.Getenv(mirrorVariable)
	if err != nil || mirror == "" {
		return parsed, err
	}
	if err := withoutUser(mirrorVariable, mirror+"/"); err != nil {
		return nil, err
	}
	separator := ":"
	if strings.HasPrefix(parsed.Identifier(), "sha256:") {
		separator = "@"
	}
	moved, err := name.ParseReference(mirror + "/" + parsed.Context().RepositoryStr() + separator + parsed.Identifier())
	if err != nil {
		return nil, fault.Usagef("use registry %s=%s: %w", mirrorVariable, mirror, err)
	}
	return moved, nil
}

// withoutUser refuses a name of an image, or its beginning, in which a user stands before the
// registry, perhaps with a password, and does not show it.
func withoutUser(variable, name string) error {
	if _, after, ok := strings.Cut(name, "@"); ok && strings.Contains(after, "/") { // what no digest has
		return fault.Usagef("use registry %s: there is a user in its name (leave it out: who you are to a registry is "+
			"what `docker login` has kept)", variable)
	}
	return nil
}

// answers asks an image's registry whether it has it, without fetching it.
func answers(ctx context.Context, ref string) error {
	parsed, err := reference(ref)
	if err != nil {
		return err
	}
	_, err = remote.Head(parsed, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
	return err
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
