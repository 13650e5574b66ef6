//go:build linux

package node

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/kubernetes"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/internal/kube"
	"github.com/flowproof/lab/internal/progress"
)

// trespassers are pods that have the node's whole file system, without and with every privilege
// that Kubernetes gives.
const trespassers = `
apiVersion: v1
kind: Pod
metadata: {name: plain, namespace: default, annotations: {sidecar.istio.io/inject: "false"}}
spec:
  containers:
  - {name: sh, image: "docker.io/nicolaka/netshoot:latest", imagePullPolicy: Never, command: [sleep, "600"],
     volumeMounts: [{name: node, mountPath: /node}]}
  volumes: [{name: node, hostPath: {path: /}}]
---
apiVersion: v1
kind: Pod
metadata: {name: privileged, namespace: default, annotations: {sidecar.istio.io/inject: "false"}}
spec:
  hostNetwork: true
  hostPID: true
  hostIPC: true
  containers:
  - {name: sh, image: "docker.io/nicolaka/netshoot:latest", imagePullPolicy: Never, command: [sleep, "600"],
     securityContext: {privileged: true}, volumeMounts: [{name: node, mountPath: /node}]}
  volumes: [{name: node, hostPath: {path: /}}]
`

// trespass writes wherever it can, opens what it must not be able to write to, and
// prints what it opened.
const trespass = `
for d in dev dev/shm run tmp etc var/lib root lib/modules opt/lab/bin opt/lab/store sys/fs/bpf sys/fs/cgroup; do
  : > /node/$d/flowproof-trespass
done 2>/dev/null
mkdir /node/sys/fs/bpf/flowproof-trespass 2>/dev/null
for f in proc/sys/kernel/core_pattern proc/sys/kernel/modprobe proc/sys/vm/swappiness \
  proc/sys/fs/file-max proc/sysrq-trigger \
  proc/sys/fs/binfmt_misc/register proc/irq/default_smp_affinity proc/sys/net/netfilter/nf_hooks_lwtunnel \
  sys/kernel/uevent_helper sys/kernel/mm/ksm/run sys/power/state sys/kernel/tracing/tracing_on opt/lab/bin/kubelet; do
  (: >> /node/$f) 2>/dev/null && echo "opened $f"
done
date -s @0 >/dev/null 2>&1 && echo "set the clock"
dmesg >/dev/null 2>&1 && echo "read the kernel's log"
echo 3 > /node/proc/sys/kernel/panic
true
`

// TestHostIsAsBefore gives the machine sysctls that the kubelet would change, brings a lab up with
// pods that write wherever they can, takes it down, and looks at the machine.
func TestHostIsAsBefore(t *testing.T) {
	needRoot(t)
	const name = "trespassed"
	set := map[string]string{"vm/overcommit_memory": "0", "kernel/panic": "7", "kernel/panic_on_oops": "0",
		"kernel/keys/root_maxkeys": "999999"}
	for sysctl, value := range set {
		setSysctl(t, sysctl, value)
	}
	before := hostFiles(t)
	backend := New()
	lab, err := backend.Up(t.Context(), cluster.Options{Name: name}, progress.Quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = backend.Down(context.Background(), name, progress.Quiet) })
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
	for _, pod := range []string{"plain", "privileged"} {
		if err := kube.WaitPodReady(t.Context(), kubernetes.NewForConfigOrDie(c), "default", pod); err != nil {
			t.Fatal(err)
		}
		p, err := m.Pod(t.Context(), pod+".default")
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.Exec(t.Context(), "sh", []string{"sh", "-c", trespass}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Stdout) > 0 {
			t.Errorf("the %s pod:\n%s", pod, out.Stdout)
		}
	}
	if err := backend.Down(t.Context(), name, progress.Quiet); err != nil {
		t.Fatal(err)
	}
	for sysctl, value := range set {
		if is := readSysctl(t, sysctl); is != value {
			t.Errorf("%s was %s and is %s", sysctl, value, is)
		}
	}
	if after := hostFiles(t); !slices.Equal(after, before) {
		t.Errorf("files before:\n%s\nafter:\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
}

func readSysctl(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("/proc/sys", name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

// setSysctl changes one for the time of the test.
func setSysctl(t *testing.T, name, value string) {
	t.Helper()
	was := readSysctl(t, name)
	path := filepath.Join("/proc/sys", name)
	t.Cleanup(func() { _ = os.WriteFile(path, []byte(was), 0o644) })
	if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
		t.Fatal(err)
	}
}

// hostFiles are what a pod could have left on the host, and its devices.
func hostFiles(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, dir := range []string{"/dev", "/run", "/tmp", "/etc", "/var/lib", "/sys/fs/bpf", "/sys/fs/cgroup"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err == nil && (strings.HasPrefix(path, "/dev/") || strings.Contains(d.Name(), "trespass")) {
				found = append(found, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}
