package components

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// pulledImages says which published image stands behind each name. Istio's are of one release, so that proxy and
// control plane know each other.
var pulledImages = map[string]string{
	PauseImage:    "registry.k8s.io/pause:3.10.1",
	CoreDNSImage:  "registry.k8s.io/coredns/coredns:v1.12.4",
	FortioImage:   FortioImage,
	NetshootImage: NetshootImage,
	PilotImage:    "docker.io/istio/pilot:1.29.0",
	ProxyImage:    "docker.io/istio/proxyv2:1.29.0",
}

// pulled makes the image layout from registries.
func (m *maker) pulled(ctx context.Context) (ingredient, error) {
	k := newKey("pulled").add("platform", runtime.GOARCH)
	for _, ref := range sortedKeys(pulledImages) {
		k.add(ref, pulledImages[ref])
	}
	pulledKey, err := k.key()
	if err != nil {
		return ingredient{}, err
	}
	done, err := m.cache.ensure(ctx, pulledKey, "Pulling images", func(ctx context.Context, w work) error {
		return pull(ctx, pulledImages, w)
	})
	return ingredient{pulledKey, done}, err
}

// published gives Istio's install values the published images' tag in place of the lab's own.
func published(values []byte) []byte {
	tag := func(ref string) string { return ref[strings.LastIndexByte(ref, ':')+1:] }
	return bytes.ReplaceAll(values, []byte("tag: "+tag(PilotImage)), []byte("tag: "+tag(pulledImages[PilotImage])))
}

// pull writes published images into a layout under our names, with the person's own registry credentials.
func pull(ctx context.Context, images map[string]string, w work) error {
	out, err := layout.Write(w.content, empty.Index)
	if err != nil {
		return fmt.Errorf("write image layout: %w", err)
	}
	w.task.Total(int64(len(images)))
	for i, ref := range sortedKeys(images) {
		w.task.Note("%s", images[ref])
		parsed, err := name.ParseReference(images[ref])
		if err != nil {
			return fmt.Errorf("pull %s: %w", images[ref], err)
		}
		image, err := remote.Image(parsed, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain),
			remote.WithPlatform(v1.Platform{OS: "linux", Architecture: runtime.GOARCH}))
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

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
