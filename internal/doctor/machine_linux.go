package doctor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/internal/bytesize"
	"github.com/flowproof/lab/internal/docker"
)

// findDocker says which Docker the backend kind would run in, and why.
func findDocker(ctx context.Context) (string, error) {
	choice := docker.Choose(docker.Find(ctx))
	return choice.Reason, choice.Err
}

func findKernel(context.Context) (string, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "", err
	}
	return "kernel " + unix.ByteSliceToString(name.Release[:]), nil
}

func findRoot(context.Context) (string, error) {
	if uid := os.Geteuid(); uid != 0 {
		return "", fmt.Errorf("this is user %d", uid)
	}
	return "user 0", nil
}

// needed are the capabilities that node, container runtime and Istio's init container use; bits of
// linux/capability.h.
var needed = map[string]uint{
	"CAP_CHOWN": unix.CAP_CHOWN, "CAP_DAC_OVERRIDE": unix.CAP_DAC_OVERRIDE, "CAP_KILL": unix.CAP_KILL,
	"CAP_SETUID": unix.CAP_SETUID,
	"CAP_SETGID": unix.CAP_SETGID, "CAP_NET_ADMIN": unix.CAP_NET_ADMIN, "CAP_NET_RAW": unix.CAP_NET_RAW,
	"CAP_SYS_ADMIN": unix.CAP_SYS_ADMIN, "CAP_SYS_CHROOT": unix.CAP_SYS_CHROOT, "CAP_SYS_PTRACE": unix.CAP_SYS_PTRACE,
	"CAP_MKNOD": unix.CAP_MKNOD,
}

func findCapabilities(context.Context) (string, error) {
	text, err := statusField("/proc/self/status", "CapEff")
	if err != nil {
		return "", err
	}
	have, err := strconv.ParseUint(text, 16, 64)
	if err != nil {
		return "", fmt.Errorf("CapEff %q is not a number", text)
	}
	var missing []string
	for name, bit := range needed {
		if have&(1<<bit) == 0 {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return "", fmt.Errorf("missing: %s", strings.Join(missing, ", "))
	}
	if have&(1<<unix.CAP_SYS_RESOURCE) == 0 {
		return "all that is needed (CAP_SYS_RESOURCE is not there, and the lab does without)", nil
	}
	return "all that is needed", nil
}

// findNamespaces starts a program in new ones, as the node is started.
func findNamespaces(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, "true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID |
		unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP}
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("start a process in new ones: %w", err)
	}
	return "network, mount, PID, IPC, UTS, cgroup", nil
}

func findOverlay(context.Context) (string, error) {
	text, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if strings.TrimSpace(line) == "nodev\toverlay" {
			return "in the kernel", nil
		}
	}
	return "", errors.New("the kernel has no overlay file system (it may be a module)")
}

// findCgroups tells version 2 from the controllers of version 1 that the kubelet
// needs; both will do.
func findCgroups(context.Context) (string, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs("/sys/fs/cgroup", &fs); err != nil {
		return "", fmt.Errorf("nothing at /sys/fs/cgroup: %w", err)
	}
	if fs.Type == unix.CGROUP2_SUPER_MAGIC {
		return "version 2", writable("/sys/fs/cgroup")
	}
	for _, controller := range []string{"cpu", "memory", "pids"} {
		if err := writable("/sys/fs/cgroup/" + controller); err != nil {
			return "", err
		}
	}
	return "version 1", nil
}

func writable(dir string) error {
	if err := unix.Access(dir, unix.W_OK); err != nil {
		return fmt.Errorf("%s cannot be written: %w", dir, err)
	}
	return nil
}

func findInotify(context.Context) (string, error) {
	var found []string
	for _, limit := range []struct {
		name  string
		least int
	}{{"max_user_instances", 128}, {"max_user_watches", 8192}} {
		text, err := os.ReadFile("/proc/sys/fs/inotify/" + limit.name)
		if err != nil {
			return "", err
		}
		have, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil || have < limit.least {
			return "", fmt.Errorf("%s is %d, at least %d are needed", limit.name, have, limit.least)
		}
		found = append(found, fmt.Sprintf("%s %d", limit.name, have))
	}
	return strings.Join(found, ", "), nil
}

// neededMemory is the resident memory of a lab at rest with room for its bring-up, in KiB.
const neededMemory = 2 << 20

func findMemory(context.Context) (string, error) {
	text, err := statusField("/proc/meminfo", "MemAvailable")
	if err != nil {
		return "", err
	}
	kib, err := strconv.ParseInt(strings.TrimSuffix(text, " kB"), 10, 64)
	if err != nil {
		return "", fmt.Errorf("MemAvailable %q is not a number", text)
	}
	if kib < neededMemory {
		return "", fmt.Errorf("%s available, a lab wants %s", bytesize.Text(kib<<10), bytesize.Text(neededMemory<<10))
	}
	return bytesize.Text(kib<<10) + " available", nil
}

// neededDisk is what a lab writes beside the components' cache, in bytes.
const neededDisk = 512 << 20

func findDisk(context.Context) (string, error) {
	var found []string
	for _, dir := range []string{"/run", os.TempDir()} {
		var fs unix.Statfs_t
		if err := unix.Statfs(dir, &fs); err != nil {
			return "", fmt.Errorf("ask for free space in %s: %w", dir, err)
		}
		free := fs.Bavail * uint64(fs.Bsize)
		if dir != "/run" && free < neededDisk { // in /run there is only a kubeconfig
			return "", fmt.Errorf("%s has %s free, a lab wants %s", dir, bytesize.Text(int64(free)),
				bytesize.Text(neededDisk))
		}
		if free < 1<<20 {
			return "", fmt.Errorf("%s is full", dir)
		}
		found = append(found, dir+" "+bytesize.Text(int64(free))+" free")
	}
	return strings.Join(found, ", "), nil
}

// statusField reads "Name:  value" of a file in /proc; source: proc(5).
func statusField(path, name string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && key == name {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("%s has no %s", path, name)
}
