//go:build linux

package node

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/internal/enclosure"
)

// Where containerd's plugins keep their data below its root; source: containerd's docs/ops.md.
const (
	contentPlugin     = "io.containerd.content.v1.content"
	metadataPlugin    = "io.containerd.metadata.v1.bolt"
	snapshotterPlugin = "io.containerd.snapshotter.v1.overlayfs"
)

// bindStore gives this lab's containerd the images that were imported when the components were
// made, without copying them: the two small databases are copied, blobs and committed snapshots
// are bound read-only.
func bindStore(store, root string) error {
	for _, db := range []string{metadataPlugin + "/meta.db", snapshotterPlugin + "/metadata.db"} {
		if err := copyFile(filepath.Join(store, db), filepath.Join(root, db)); err != nil {
			return fmt.Errorf("copy the image store's %s: %w", filepath.Base(db), err)
		}
	}
	if err := overlayContent(filepath.Join(store, contentPlugin), filepath.Join(root, contentPlugin)); err != nil {
		return err
	}
	snapshots := filepath.Join(snapshotterPlugin, "snapshots")
	entries, err := os.ReadDir(filepath.Join(store, snapshots))
	if err != nil {
		return fmt.Errorf("list the image store's snapshots: %w", err)
	}
	for _, e := range entries {
		m := enclosure.Mount{Source: filepath.Join(store, snapshots, e.Name()),
			Target: filepath.Join(snapshots, e.Name()), Flags: unix.MS_BIND | unix.MS_RDONLY}
		if err := m.Make(root); err != nil {
			return err
		}
	}
	return nil
}

// overlayContent lets a lab load more images of its own beside those that are shared.
func overlayContent(store, target string) error {
	upper, work := target+".upper", target+".work"
	for _, dir := range []string{target, upper, work} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	data := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", store, upper, work)
	if err := unix.Mount("overlay", target, "overlay", 0, data); err != nil {
		return fmt.Errorf("mount the image store: %w", err)
	}
	return nil
}

// copyTree copies the regular files below from to below to. A missing source is nothing to copy.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path == from {
			return fs.SkipAll
		}
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		return copyFile(path, filepath.Join(to, rel))
	})
}

// copyFile copies one file, making the folders above it.
func copyFile(from, to string) (err error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	_, err = io.Copy(dst, src)
	return err
}
