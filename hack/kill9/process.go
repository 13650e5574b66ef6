//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// processes finds the lab's processes by class. command is the process id of the command that was
// started, 0 for none.
func (k *killer) processes(command int) map[string][]int {
	all := map[string][]int{}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if class := k.class(dir, pid, command); class != "" {
			all[class] = append(all[class], pid)
		}
	}
	return all
}

// roles are the classes of an enclosure's own processes, by the word after the hidden verb.
var roles = map[string]string{"guard": "guard", "init": "init", "sweeper": "sweeper", "reserve": "sweeper"}

// class says what a process is to the lab; "" for none of its.
func (k *killer) class(dir string, pid, command int) string {
	// The command's own processes are known by the path that they were started with: what their
	// program's file is called depends on the mount namespace that one looks from.
	line, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
	words := strings.Split(string(bytes.TrimRight(line, "\x00")), "\x00")
	switch {
	case words[0] == "":
		return "" // it has ended, or is the kernel's
	case pid == command:
		return "command"
	case words[0] != k.lab:
	case len(words) > 1 && words[1] == "__undo":
		return "undo guard"
	case len(words) > 2 && strings.HasPrefix(words[1], "__") && roles[words[2]] != "":
		return roles[words[2]]
	default:
		return "other" // a child on its way, or a command of this program's
	}
	exe, _ := os.Readlink(filepath.Join(dir, "exe"))
	cgroup, _ := os.ReadFile(filepath.Join(dir, "cgroup"))
	switch {
	case exe == "" || !strings.Contains(string(cgroup), "/flowproof-"+k.name):
		return ""
	case strings.HasPrefix(exe, "/opt/lab/bin/"), strings.Contains(exe, "docker"):
		return "component"
	}
	return "container"
}

func (k *killer) describe(all map[string][]int) (lines []string) {
	for class, pids := range all {
		for _, pid := range pids {
			line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			lines = append(lines, fmt.Sprintf("+ %s %d %s", class, pid, bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
		}
	}
	return lines
}

// guest is a pod that has a person's folder.
const guest = `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "guest", "namespace": "default",
"annotations": {"sidecar.istio.io/inject": "false"}}, "spec": {"terminationGracePeriodSeconds": 0,
  "containers": [{"name": "sh",
"image": "docker.io/nicolaka/netshoot:latest", "imagePullPolicy": "Never", "command": ["sleep", "3600"],
"volumeMounts": [{"name": "folder", "mountPath": "/folder"}]}],
  "volumes": [{"name": "folder", "hostPath": {"path": "/mnt"}}]}}`

// bind mounts the person's folder on the node's /mnt, as a person with root on both sides might,
// and starts a pod with it.
func (k *killer) bind() error {
	inits := k.processes(0)["init"]
	if k.backend != "node" || len(inits) == 0 {
		return nil
	}
	mounts, _ := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", inits[0]))
	if !bytes.Contains(mounts, []byte(" /opt/lab/bin ")) {
		return nil // it has not moved into the node's root yet: its mounts are still the host's
	}
	done := make(chan error, 1)
	go func() { done <- k.graft(inits[0]) }()
	if err := <-done; err != nil {
		return fmt.Errorf("bind a person's folder into the node: %w", err)
	}
	k.counts.folders++
	create := k.kubectl("create", "-f", "-")
	create.Stdin = strings.NewReader(guest)
	if out, err := create.CombinedOutput(); err != nil && k.running() {
		return fmt.Errorf("start a pod with a person's folder: %w\n%s", err, out)
	}
	return nil
}

// graft copies the folder's mount and attaches it in the node's mount namespace. The thread that
// goes there does not come back.
func (k *killer) graft(init int) error {
	runtime.LockOSThread()
	tree, err := unix.OpenTree(unix.AT_FDCWD, k.folder, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	namespace, err := unix.Open(fmt.Sprintf("/proc/%d/ns/mnt", init), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(namespace)
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	if err := unix.Setns(namespace, unix.CLONE_NEWNS); err != nil {
		return err
	}
	return unix.MoveMount(tree, "", unix.AT_FDCWD, "/mnt", unix.MOVE_MOUNT_F_EMPTY_PATH)
}
