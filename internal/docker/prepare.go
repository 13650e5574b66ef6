//go:build linux

package docker

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/internal/enclosure"
	"github.com/flowproof/lab/internal/removal"
)

// Prepare fills dir with images as Docker keeps them, by a Docker of our own of that name into
// which load puts them. A Docker that is started with it has them from the start, without a copy.
func Prepare(ctx context.Context, name, dir string, load func(ctx context.Context, d *Docker) error) error {
	if err := enclosed.AwaitGone(ctx, name); err != nil { // one that lost its owner is about to end
		return err
	}
	d, err := launch(ctx, name, payload{Root: dir}, nil)
	if err != nil {
		return err
	}
	defer d.owner.Abandon()
	if err := load(ctx, d); err != nil {
		return err
	}
	if err := d.owner.Command(quiesce); err != nil {
		return err
	}
	if err := d.owner.Await(ctx, quiet); err != nil {
		return err
	}
	d.owner.Abandon()
	return keepImages(dir)
}

// Where Docker keeps images below its data root, with the storage driver overlay2: what it knows of
// them, and a directory for each layer beside one of short links to those.
const (
	imagesDir = "image"
	layersDir = "overlay2"
	linksDir  = "l"

	contentDir = "diff" // of one layer
)

// keepImages removes everything but images from a data root that is not in use.
func keepImages(root string) error {
	entries, err := os.ReadDir(root)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == imagesDir || e.Name() == layersDir {
			continue
		}
		if err := removal.All(filepath.Join(root, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// bindPrepared gives a new data root the images of a prepared one: what is known of images and
// layers is copied, since Docker writes to it; what is in the layers is bound read-only.
func bindPrepared(prepared, root string) error {
	// Docker makes this directory and the root above it mount points, if they are none, by binds
	// that show nothing of the mounts below. The root is one.
	home := filepath.Join(root, layersDir)
	if err := (enclosure.Mount{Source: home, Target: layersDir, Flags: unix.MS_BIND}).Make(root); err != nil {
		return err
	}
	for _, dir := range []string{imagesDir, filepath.Join(layersDir, linksDir)} {
		if err := os.CopyFS(filepath.Join(root, dir), os.DirFS(filepath.Join(prepared, dir))); err != nil {
			return fmt.Errorf("copy the prepared images' %s: %w", dir, err)
		}
	}
	layers, err := os.ReadDir(filepath.Join(prepared, layersDir))
	if err != nil {
		return fmt.Errorf("list the prepared images' layers: %w", err)
	}
	for _, e := range layers {
		if e.Name() == linksDir || !e.IsDir() {
			continue
		}
		if err := bindLayer(filepath.Join(prepared, layersDir, e.Name()), filepath.Join(home, e.Name())); err != nil {
			return fmt.Errorf("take over a prepared layer: %w", err)
		}
	}
	return nil
}

// bindLayer makes a directory of one layer: copies of the small files, and the layer's
// content as it lies there.
func bindLayer(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o710); err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue // the content, and an empty directory for overlayfs to work in
		}
		data, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, e.Name()), data, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return enclosure.Mount{Source: filepath.Join(from, contentDir), Target: contentDir,
		Flags: unix.MS_BIND | unix.MS_RDONLY}.Make(to)
}
