//go:build linux

package node

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/internal/enclosure"
)

// newRoot is where the node's root file system is put together before it becomes the root.
const newRoot = scratch + "/root"

// scratch is where the lab's tmpfs is mounted while the root is put together. It hides the host's
// /run, in this namespace only.
const scratch = "/run"

// enterRoot makes the node's root file system and moves into it. The calling process is alone
// in a new mount namespace. Everything that can be written lies in one tmpfs, so that it ends
// with the namespace.
func enterRoot(c initConfig) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the node's mounts private: %w", err)
	}
	cgroups, err := enclosure.HostCgroups() // while the host's mounts can still be seen
	if err != nil {
		return err
	}
	if err := mountRoot(c.RootFS); err != nil {
		return err
	}
	for _, m := range rootMounts(c) {
		if err := m.Make(newRoot); err != nil {
			return err
		}
	}
	if err := cgroups.Mount(newRoot); err != nil {
		return err
	}
	if err := enclosure.MountDevices(newRoot); err != nil {
		return err
	}
	if err := enclosure.GuardKernel(newRoot, scratch+"/sysctl", enclosure.KubeletSysctls); err != nil {
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

func rootMounts(c initConfig) []enclosure.Mount {
	const ro = unix.MS_BIND | unix.MS_RDONLY
	return []enclosure.Mount{
		{Source: "proc", Target: "/proc", Kind: "proc"},
		{Source: "sysfs", Target: "/sys", Kind: "sysfs", Flags: unix.MS_RDONLY}, // the cgroups come over it
		// an instance of its own: pins end with it
		{Source: "bpf", Target: "/sys/fs/bpf", Kind: "bpf", Optional: true},
		{Source: "/lib/modules", Target: "/lib/modules", Flags: ro, Optional: true},
		{Source: scratch + "/var", Target: "/var/lib", Flags: unix.MS_BIND},
		{Source: "tmpfs", Target: "/run", Kind: "tmpfs", Data: "mode=755"},
		{Source: c.Bin, Target: binDir, Flags: ro},
		{Source: c.Store, Target: "/opt/lab/store", Flags: ro},
		{Source: c.Prepared, Target: "/opt/lab/prepared", Flags: ro, Optional: true},
	}
}

// sealed are the places inside that show folders of the host's: what a pod could change there, root
// would later run on the host. The images' snapshots are copies of the store's mount and as fast.
func sealed(c initConfig) []string {
	var targets []string
	for _, m := range rootMounts(c) {
		if m.Flags&unix.MS_RDONLY == 0 || m.Flags&unix.MS_BIND == 0 {
			continue
		}
		if point, err := isMountPoint(m.Target); err == nil && point {
			targets = append(targets, m.Target)
		}
	}
	return targets
}

// isMountPoint says whether something is mounted on path; an optional mount may not be.
func isMountPoint(path string) (bool, error) {
	var x unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, 0, &x); err != nil {
		return false, err
	}
	return x.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0 && x.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, nil
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
