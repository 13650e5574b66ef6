//go:build linux

package enclosure

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// KubeletSysctls are what the kubelet sets on the machine that it starts on, to the values that it
// wants to find. They have no namespace: with kernel.panic at 10 the host would reboot ten seconds
// after an oops. Source: setupKernelTunables in pkg/kubelet/cm/container_manager_linux.go, and
// component-helpers/node/util/sysctl of Kubernetes.
var KubeletSysctls = map[string]string{
	"vm/overcommit_memory": "1", "vm/panic_on_oom": "0", "kernel/panic": "10", "kernel/panic_on_oops": "1",
	"kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000",
}

// GuardKernel keeps what runs below root from writing to files of the kernel's that have no
// namespace. proc has to be mounted there already, from the enclosure's own PID namespace.
// Everything in it but the processes becomes read-only, be it a sysctl, sysrq-trigger or an
// interrupt's affinity. Of the sysctls only those of the network namespace stay writable.
//
// answers are sysctls, as paths below /proc/sys, that programs read and set, each with a value of
// the enclosure's own. Their files lie in the directory kept.
func GuardKernel(root, kept string, answers map[string]string) error {
	proc := filepath.Join(root, "proc")
	entries, err := os.ReadDir(proc)
	if err != nil {
		return fmt.Errorf("list the kernel's files: %w", err)
	}
	for _, e := range entries {
		if !shared(e) {
			continue
		}
		if err := bindAgain(filepath.Join(proc, e.Name()), unix.MS_RDONLY); err != nil &&
			!errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := bindAgain(filepath.Join(proc, "sys/net"), 0); err != nil {
		return err
	}
	for _, name := range sharedNet {
		if err := bindAgain(filepath.Join(proc, "sys/net", name), unix.MS_RDONLY); err != nil &&
			!errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.MkdirAll(kept, 0o755); err != nil {
		return err
	}
	for name, value := range answers {
		if err := answer(filepath.Join(proc, "sys", name),
			filepath.Join(kept, filepath.Base(name)), value); err != nil {
			return err
		}
	}
	return nil
}

// sharedNet are sysctls that a network namespace shows and that all share. Linux makes most of
// those read-only by itself (net/sysctl_net.c, ensure_safe_net_sysctl, since 5.13), but not the
// first here, which cannot be taken back (net/netfilter/ nf_hooks_lwtunnel.c); the others are for
// kernels before that.
var sharedNet = []string{
	"netfilter/nf_hooks_lwtunnel", "netfilter/nf_conntrack_max", "netfilter/nf_conntrack_buckets",
	"netfilter/nf_conntrack_expect_max", "ipv4/tcp_allowed_congestion_control",
}

// shared says of an entry of /proc whether writing to it, or below it, reaches the whole machine.
// Processes have their own files, and links lead to those of the reader.
func shared(e fs.DirEntry) bool {
	if _, err := strconv.Atoi(e.Name()); err == nil || e.Type()&fs.ModeSymlink != 0 {
		return false
	}
	if e.IsDir() {
		return true
	}
	info, err := e.Info()
	return err == nil && info.Mode().Perm()&0o222 != 0
}

// bindAgain mounts a file or directory over itself, with flags.
func bindAgain(path string, flags uintptr) error {
	if err := unix.Mount(path, path, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s over itself: %w", path, err)
	}
	if err := unix.Mount("", path, "", unix.MS_REMOUNT|unix.MS_BIND|flags, ""); err != nil {
		return fmt.Errorf("change the flags of the mount on %s: %w", path, err)
	}
	return nil
}

// answer puts a file of the enclosure's own in the place of a sysctl. A kernel without the
// sysctl goes without.
func answer(sysctl, file, value string) error {
	if _, err := os.Stat(sysctl); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.WriteFile(file, []byte(value+"\n"), 0o644); err != nil {
		return err
	}
	if err := unix.Mount(file, sysctl, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount a value of the enclosure's own on %s: %w", sysctl, err)
	}
	return nil
}
