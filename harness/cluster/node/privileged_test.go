//go:build linux

package node

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/kubernetes"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/internal/kube"
	"github.com/flowproof/lab/internal/progress"
)

// breakIn is what a pod with every privilege tries in order to write to the host's folders that its
// node shows, or to reach the host's other folders. It prints what it could do. Its argument is a
// file on the host that no pod can see.
const breakIn = `
mark=flowproof-break-in
for d in opt/lab/bin opt/lab/store opt/lab/prepared lib/modules \
  $(awk '$5 ~ /\/snapshots\/[0-9]+$/ {print substr($5, 2)}' /proc/1/mountinfo); do
  [ -d /node/$d ] || continue
  mount -o remount,bind,rw /node/$d && echo "remounted $d"
  nsenter -t 1 -m mount -o remount,bind,rw /$d && echo "remounted $d in the node"
  mkdir -p /tmp/again && mount --bind /node/$d /tmp/again &&
    mount -o remount,bind,rw /tmp/again && echo "remounted a copy of $d"
  unshare -m mount -o remount,bind,rw /node/$d && echo "remounted $d in namespaces of its own"
  for at in /node/$d /proc/1/root/$d /tmp/again; do
    touch $at/$mark && echo "wrote to $at"
  done
  umount /tmp/again
done 2>/dev/null
for at in /proc/[0-9]*/fd/* /proc/[0-9]*/cwd /proc/[0-9]*/root; do
  for up in . .. ../.. ../../.. ../../../.. ../../../../../../../..; do
    [ -e "$at/$up/$1" ] && echo "reached the host by $at, which is $(readlink $at)" && break
  done
done 2>/dev/null
chmod u+s /proc/1/exe && echo "made the program of the node's init setuid"
chown 65534 /proc/1/exe && echo "gave the program of the node's init to another user"
true >> /proc/1/exe && echo "opened the program of the node's init for writing"
set -- $(grep CapBnd /proc/self/status)
[ $((0x$2 & 4)) = 0 ] || echo "may open files by number (CAP_DAC_READ_SEARCH)"
true
`

// TestPrivilegedPodCannotReachTheCache has a pod that is root of its node try to write to what
// root runs on the host.
func TestPrivilegedPodCannotReachTheCache(t *testing.T) {
	needRoot(t)
	const name = "break-in"
	hidden := filepath.Join(t.TempDir(), "hidden")
	if err := os.WriteFile(hidden, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	backend := New()
	lab, err := backend.Up(t.Context(), cluster.Options{Name: name}, progress.Quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = backend.Down(context.Background(), name, progress.Quiet) })
	out := fromPrivilegedPod(t, lab, "set -- "+hidden+"\n"+breakIn)
	for line := range strings.Lines(out) {
		t.Errorf("the pod %s", line)
	}
	for _, fd := range hostSockets(t, name) {
		t.Errorf("%s is a socket of the host's network namespace", fd)
	}
	for _, dir := range hostFolders(t, name) {
		if filepath.Base(dir) == "prepared" {
			holdsNoKey(t, dir)
		}
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Name() == "flowproof-break-in" {
				t.Errorf("the pod left %s", path)
				return os.Remove(path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// holdsNoKey looks for keys in the data that every lab starts from: each has to make its own.
func holdsNoKey(t *testing.T, prepared string) {
	t.Helper()
	err := filepath.WalkDir(prepared, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte("PRIVATE KEY")) {
			t.Errorf("%s of the prepared data holds a private key", d.Name())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// fromPrivilegedPod runs a shell script in a pod with all privileges and the node's namespaces, and
// returns what it printed.
func fromPrivilegedPod(t *testing.T, lab *cluster.Lab, script string) string {
	t.Helper()
	c, err := kube.Config(lab.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	if err := kube.Apply(t.Context(), c, []byte(trespassers)); err != nil {
		t.Fatal(err)
	}
	m, err := mesh.Connect(lab.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	if err := kube.WaitPodReady(t.Context(), kubernetes.NewForConfigOrDie(c), "default", "privileged"); err != nil {
		t.Fatal(err)
	}
	p, err := m.Pod(t.Context(), "privileged.default")
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Exec(t.Context(), "sh", []string{"sh", "-c", script}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(out.Stdout)
}

// hostFolders are the folders of the host's that a lab shows, by the mounts of its init.
func hostFolders(t *testing.T, name string) []string {
	t.Helper()
	s, err := enclosed.Ask(t.Context(), name, -1)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", s.InitPID))
	if err != nil {
		t.Fatal(err)
	}
	var dirs []string
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); strings.HasPrefix(f[4], "/opt/lab/") || f[4] == "/lib/modules" {
			dirs = append(dirs, f[4])
		}
	}
	if len(dirs) < 3 {
		t.Fatalf("the lab shows %q of the host's only", dirs)
	}
	for i, dir := range dirs {
		dirs[i] = fmt.Sprintf("/proc/%d/root%s", s.InitPID, dir)
	}
	return dirs
}

// hostSockets are the descriptors of what runs in a lab, but for its init, that are sockets of the
// host's network namespace: the forwarder's is one, and only the init needs it.
func hostSockets(t *testing.T, name string) (found []string) {
	t.Helper()
	s, err := enclosed.Ask(t.Context(), name, -1)
	if err != nil {
		t.Fatal(err)
	}
	hosts := map[string]bool{}
	for table, column := range map[string]int{"tcp": 9, "tcp6": 9, "udp": 9, "udp6": 9, "raw": 9, "unix": 6} {
		data, err := os.ReadFile("/proc/self/net/" + table)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			if f := strings.Fields(line); len(f) > column {
				hosts["socket:["+f[column]+"]"] = true
			}
		}
	}
	inside, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", s.InitPID))
	if err != nil {
		t.Fatal(err)
	}
	members, err := enclosed.Members(name)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, pid := range members {
		if ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid_for_children", pid)); err != nil || pid == s.InitPID ||
			ns != inside {
			continue // the guard, or a pod with processes of its own
		}
		fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, fd := range fds {
			target, err := os.Readlink(fd)
			if err == nil && hosts[target] {
				comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
				found = append(found, fmt.Sprintf("%s of %s (%s)", fd, strings.TrimSpace(string(comm)), target))
			}
		}
		seen++
	}
	if len(hosts) == 0 || seen < 5 {
		t.Fatalf("of the host %d sockets were seen, and of the lab %d processes", len(hosts), seen)
	}
	return found
}
