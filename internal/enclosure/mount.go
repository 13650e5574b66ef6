//go:build linux

package enclosure

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// A Mount is one mount(2).
type Mount struct {
	Source, Target, Kind string
	Flags                uintptr
	Data                 string
	Optional             bool // the host may not have the source, or the kernel not this kind
}

// Make mounts m below root, where its target is made if it is missing.
func (m Mount) Make(root string) error {
	if m.Optional && m.Kind == "" {
		if _, err := os.Stat(m.Source); m.Source == "" || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	target := filepath.Join(root, m.Target)
	if err := os.MkdirAll(target, 0o755); err != nil {
		return m.optionally(fmt.Errorf("make the mount point %s: %w", m.Target, err))
	}
	if err := unix.Mount(m.Source, target, m.Kind, m.Flags&^unix.MS_RDONLY, m.Data); err != nil {
		return m.optionally(fmt.Errorf("mount %s on %s: %w", m.Source, m.Target, err))
	}
	if m.Flags&unix.MS_RDONLY != 0 { // a bind takes its read-only flag only from a remount
		if err := unix.Mount("", target, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
			return fmt.Errorf("make %s read-only: %w", m.Target, err)
		}
	}
	return nil
}

func (m Mount) optionally(err error) error {
	if m.Optional {
		return nil
	}
	return err
}

// Hold returns a path of a file or directory that stays good when its own path
// cannot be seen any more.
func Hold(dir string) (string, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("open %s: %w", dir, err)
	}
	return fmt.Sprintf("/proc/self/fd/%d", fd), nil
}

// Cgroups are the host's hierarchies, found while its mounts can still be seen.
type Cgroups []hierarchy

// HostCgroups finds them.
func HostCgroups() (Cgroups, error) { return hierarchies() }

// Mount mounts the host's hierarchies anew below root; in the enclosure's cgroup namespace each
// shows the enclosure's own directory as its root. The unified one of a hybrid host is left to a
// systemd that wants it: what runs here then takes the host for one of version 1.
func (all Cgroups) Mount(root string) error {
	const dir = "/sys/fs/cgroup"
	if all[0].unified {
		return Mount{Source: "cgroup2", Target: dir, Kind: "cgroup2"}.Make(root)
	}
	if err := (Mount{Source: "tmpfs", Target: dir, Kind: "tmpfs", Data: "mode=755"}).Make(root); err != nil {
		return err
	}
	for _, h := range all {
		if h.unified {
			continue
		}
		name := strings.TrimPrefix(h.options, "name=")
		target := filepath.Join(dir, name)
		if err := (Mount{Source: "cgroup", Target: target, Kind: "cgroup", Data: h.options}).Make(root); err != nil {
			return err
		}
		if parts := strings.Split(name, ","); len(parts) > 1 {
			for _, p := range parts { // the names that programs look for
				if err := os.Symlink(name, filepath.Join(root, dir, p)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
