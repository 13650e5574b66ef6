//go:build linux

package enclosure

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// devices are the nodes of an enclosure's own /dev: those that every container has, and kmsg.
// Source of the numbers: Documentation/admin-guide/devices.txt of the kernel, and the OCI runtime
// specification's default devices.
var devices = []struct {
	name         string
	major, minor uint32
}{
	{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0},
	// The kernel's log has no namespace: its reader sees the whole machine, and what is written
	// stays. The kubelet does not start without a file of this name, so it gets the null device.
	{"kmsg", 1, 3},
}

// deviceLinks are the links of an enclosure's own /dev.
var deviceLinks = map[string]string{
	"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
	"stderr": "/proc/self/fd/2",
}

// deviceMounts are the file systems of an enclosure's own /dev. The host's is one for the whole
// machine: what is made there, by a pod with a hostPath for example, would stay on the host.
var deviceMounts = []Mount{
	{Source: "tmpfs", Target: "/dev", Kind: "tmpfs", Flags: unix.MS_NOSUID, Data: "mode=755,size=1m"},
	{Source: "devpts", Target: "/dev/pts", Kind: "devpts", Flags: unix.MS_NOSUID | unix.MS_NOEXEC,
		Data: "newinstance,ptmxmode=0666,mode=0620,gid=5"},
	{Source: "tmpfs", Target: "/dev/shm", Kind: "tmpfs", Flags: unix.MS_NOSUID | unix.MS_NODEV,
		Data: "mode=1777,size=25%"},
	{Source: "mqueue", Target: "/dev/mqueue", Kind: "mqueue", Flags: unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC,
		Optional: true},
}

// MountDevices makes a /dev of the enclosure's own below root.
func MountDevices(root string) error {
	for _, m := range deviceMounts {
		if err := m.Make(root); err != nil {
			return err
		}
	}
	dir := filepath.Join(root, "dev")
	for _, d := range devices {
		path := filepath.Join(dir, d.name)
		if err := unix.Mknod(path, unix.S_IFCHR, int(unix.Mkdev(d.major, d.minor))); err != nil {
			return fmt.Errorf("make the device %s: %w", d.name, err)
		}
		if err := os.Chmod(path, 0o666); err != nil { // mknod's mode is subject to the umask
			return err
		}
	}
	for name, target := range deviceLinks {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}
