package outside

import (
	"context"
	"io"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/docker"
)

// pullPatience is how long a registry may take to give an image that can be done without.
const pullPatience = 30 * time.Second

// Load makes sure that a Docker has an image, and gives it the one of that name in an OCI
// image layout. Docker 20.10 reads no layouts, so the image goes over as the archive that
// `docker save` writes.
func Load(ctx context.Context, d *docker.Docker, dir, ref string) error {
	if _, err := d.Run(ctx, "image", "inspect", "--format", "{{.Id}}", ref); err == nil {
		return nil
	} else if docker.IsGone(err) {
		return fault.Environmentf("look for image %s: %w", ref, err)
	}
	path, err := layout.FromPath(dir)
	if err != nil {
		return fault.Environmentf("load image %s: %w", ref, err)
	}
	tag, err := name.NewTag(ref)
	if err != nil {
		return fault.Environmentf("load image %s: %w", ref, err)
	}
	index, err := path.ImageIndex()
	if err != nil {
		return fault.Environmentf("load image %s: %w", ref, err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return fault.Environmentf("load image %s: %w", ref, err)
	}
	for _, entry := range manifest.Manifests {
		if entry.Annotations[refName] != ref {
			continue
		}
		image, err := index.Image(entry.Digest)
		if err != nil {
			return fault.Environmentf("load image %s: %w", ref, err)
		}
		if err := d.Load(ctx, func(w io.Writer) error { return tarball.Write(tag, image, w) }); err != nil {
			return fault.Environmentf("load image %s: %w", ref, err)
		}
		return nil
	}
	return fault.Environmentf("load image %s: there is none of that name in %s", ref, dir)
}

// refName is the annotation that names an image of a layout, as containerd's import reads it.
const refName = "io.containerd.image.name"
