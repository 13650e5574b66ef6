// Package process finds the processes of a pod's containers on this host, whatever runs the cluster: the kernel names the
// container that a process belongs to in its cgroup.
package process

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/exit"
	"github.com/flowproof/lab/harness/kube"
)

// ErrElsewhere says that a container's processes are not on this host.
var ErrElsewhere = errors.New("its processes are not on this host")

// Of returns the process ids, in this host's numbering, of a container of a pod of the lab, the oldest first: that is its entry
// point. ErrElsewhere is in the chain of its error when the container runs and none of its processes is on this host.
func Of(ctx context.Context, lab *cluster.Lab, namespace, pod, container string) ([]int, error) {
	config, err := kube.ContextConfig(lab.Kubeconfig, lab.Context)
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	p, err := client.CoreV1().Pods(namespace).Get(ctx, pod, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("find pod %s/%s: %w", namespace, pod, err)
	}
	id := containerID(p, container)
	if id == "" {
		return nil, exit.Usagef("find container %s of %s/%s: there is none that runs", container, namespace, pod)
	}
	pids, err := inCgroup("/proc", id)
	if err == nil && len(pids) == 0 {
		err = exit.Environmentf("find the processes of container %s of %s/%s: %w (the pod is on node %s: run lab there)",
			container, namespace, pod, ErrElsewhere, p.Spec.NodeName)
	}
	return pids, err
}

// containerID is the runtime's id of a container, of whatever kind; empty when it does not run.
func containerID(p *corev1.Pod, container string) string {
	for _, list := range [][]corev1.ContainerStatus{p.Status.ContainerStatuses, p.Status.InitContainerStatuses, p.Status.EphemeralContainerStatuses} {
		for _, s := range list {
			if _, id, ok := strings.Cut(s.ContainerID, "://"); ok && s.Name == container {
				return id
			}
		}
	}
	return ""
}

// inCgroup returns the processes of a container below a proc file system, the oldest first. They are told by age, for process
// ids wrap around: a lower one may be a later exec.
func inCgroup(proc, id string) ([]int, error) {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil, exit.Environmentf("look for processes: %w", err)
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		text, err := os.ReadFile(filepath.Join(proc, e.Name(), "cgroup"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			continue // it ended meanwhile, which the kernel tells as ESRCH
		}
		if belongs(string(text), id) {
			pids = append(pids, pid)
		}
	}
	slices.SortStableFunc(pids, func(a, b int) int { return cmp.Compare(startTime(proc, a), startTime(proc, b)) })
	return pids, nil
}

// belongs reads a cgroup file as proc_pid_cgroup(5) describes it: lines "hierarchy:controllers:path". A runtime names a container's
// directory after the container's id; with systemd's driver it is a scope "cri-containerd-ID.scope". CRI-O keeps the process that
// watches a container in a directory of its own, "crio-conmon-ID.scope", which is not the container.
func belongs(cgroups, id string) bool {
	for line := range strings.Lines(cgroups) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) < 3 || id == "" {
			continue
		}
		for name := range strings.SplitSeq(parts[2], "/") {
			name = strings.TrimSuffix(name, ".scope")
			if name == id || strings.HasSuffix(name, "-"+id) && !strings.Contains(name, "conmon") {
				return true
			}
		}
	}
	return false
}

// startTime is when a process started, in clock ticks since boot; the end of time for one that is gone. Source: proc_pid_stat(5),
// field 22. The name in field 2 may hold anything, so fields are counted after its closing bracket.
func startTime(proc string, pid int) uint64 {
	stat, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "stat"))
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if err != nil || len(fields) < 20 {
		return math.MaxUint64
	}
	ticks, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return math.MaxUint64
	}
	return ticks
}
