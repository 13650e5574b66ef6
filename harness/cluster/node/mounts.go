package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// A mount is one mount(2) of the node's root file system.
type mount struct {
	source, target, kind string
	flags                uintptr
	data                 string
	optional             bool // the host may not have the source
}

// newRoot is where the node's root file system is put together before it becomes the root.
const newRoot = scratch + "/root"

// scratch is where the lab's tmpfs is mounted while the root is put together. It hides the host's /run, in this
// namespace only.
const scratch = "/run"

// enterRoot makes the node's root file system and moves into it. The calling process is alone in a new mount
// namespace. Everything that can be written lies in one tmpfs, so that it ends with the namespace.
func enterRoot(c initConfig) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the node's mounts private: %w", err)
	}
	cgroups, err := hierarchies() // while the host's mounts can still be seen
	if err != nil {
		return err
	}
	if err := mountRoot(c.RootFS); err != nil {
		return err
	}
	for _, m := range rootMounts(c) {
		if err := m.make(newRoot); err != nil {
			return err
		}
	}
	if err := mountCgroups(cgroups); err != nil {
		return err
	}
	return pivot()
}

// mountRoot lays a writable tmpfs over the base that all labs share.
func mountRoot(base string) error {
	if err := unix.Mount("tmpfs", scratch, "tmpfs", 0, "mode=755,size=50%"); err != nil {
		return fmt.Errorf("mount the lab's tmpfs: %w", err)
	}
	for _, dir := range []string{"root", "upper", "work", "var"} {
		if err := os.Mkdir(filepath.Join(scratch, dir), 0o755); err != nil {
			return err
		}
	}
	data := fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%s/work", base, scratch, scratch)
	if err := unix.Mount("overlay", newRoot, "overlay", 0, data); err != nil {
		return fmt.Errorf("mount the node's root over %s: %w (the kernel needs overlayfs)", base, err)
	}
	return nil
}

func rootMounts(c initConfig) []mount {
	const ro = unix.MS_BIND | unix.MS_RDONLY
	return []mount{
		{source: "/dev", target: "/dev", flags: unix.MS_BIND | unix.MS_REC},
		{source: "proc", target: "/proc", kind: "proc"},
		{source: "sysfs", target: "/sys", kind: "sysfs"},
		{source: "/sys/kernel/debug", target: "/sys/kernel/debug", flags: unix.MS_BIND | unix.MS_REC, optional: true},
		{source: "/sys/kernel/tracing", target: "/sys/kernel/tracing", flags: unix.MS_BIND | unix.MS_REC, optional: true},
		{source: "/sys/fs/bpf", target: "/sys/fs/bpf", flags: unix.MS_BIND, optional: true},
		{source: "/lib/modules", target: "/lib/modules", flags: ro, optional: true},
		{source: scratch + "/var", target: "/var/lib", flags: unix.MS_BIND},
		{source: "tmpfs", target: "/run", kind: "tmpfs", data: "mode=755"},
		{source: c.Bin, target: binDir, flags: ro},
		{source: c.Store, target: "/opt/lab/store", flags: ro},
		{source: c.Prepared, target: "/opt/lab/prepared", flags: ro, optional: true},
	}
}

// make mounts m below root, where its target is made if it is missing.
func (m mount) make(root string) error {
	if m.optional {
		if _, err := os.Stat(m.source); m.source == "" || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	target := filepath.Join(root, m.target)
	if err := os.MkdirAll(target, 0o755); err != nil {
		return m.optionally(fmt.Errorf("make the mount point %s: %w", m.target, err))
	}
	if err := unix.Mount(m.source, target, m.kind, m.flags&^unix.MS_RDONLY, m.data); err != nil {
		return m.optionally(fmt.Errorf("mount %s on the node's %s: %w", m.source, m.target, err))
	}
	if m.flags&unix.MS_RDONLY != 0 { // a bind takes its read-only flag only from a remount
		if err := unix.Mount("", target, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
			return fmt.Errorf("make the node's %s read-only: %w", m.target, err)
		}
	}
	return nil
}

func (m mount) optionally(err error) error {
	if m.optional {
		return nil
	}
	return err
}

// mountCgroups mounts the host's hierarchies anew; in the node's cgroup namespace each shows the lab's own directory
// as its root.
func mountCgroups(all []hierarchy) error {
	const dir = "/sys/fs/cgroup"
	if all[0].unified {
		return mount{source: "cgroup2", target: dir, kind: "cgroup2"}.make(newRoot)
	}
	if err := (mount{source: "tmpfs", target: dir, kind: "tmpfs", data: "mode=755"}).make(newRoot); err != nil {
		return err
	}
	for _, h := range all {
		name := strings.TrimPrefix(h.options, "name=")
		target := filepath.Join(dir, name)
		if err := (mount{source: "cgroup", target: target, kind: "cgroup", data: h.options}).make(newRoot); err != nil {
			return err
		}
		if parts := strings.Split(name, ","); len(parts) > 1 {
			for _, p := range parts { // the names that programs look for
				if err := os.Symlink(name, filepath.Join(newRoot, dir, p)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// pivot makes newRoot the root and lets go of the host's file systems.
func pivot() error {
	if err := os.Chdir(newRoot); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("move into the node's root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil { // the old root lies over the new one
		return fmt.Errorf("let go of the host's file systems: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	// Containers' mounts with propagation need a shared root, as on any node.
	return unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, "")
}
