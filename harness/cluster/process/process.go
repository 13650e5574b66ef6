// Package process finds the processes of containers on this host, of any runtime and at any depth
// in other containers: the kernel names the container that a process belongs to in its cgroup.
package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/kube"
)

// ErrElsewhere says that a container's processes are not on this host.
var ErrElsewhere = errors.New("its processes are not on this host")

// Of returns the process ids, in this host's numbering, of a container of a pod of the lab, the
// oldest first: that is its entry point. ErrElsewhere is in the chain of its error when the
// container runs and none of its processes is on this host.
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
	id := kube.ContainerIDOf(p, container)
	if id == "" {
		return nil, fault.Usagef("find container %s of %s/%s: there is none that runs", container, namespace, pod)
	}
	pids, err := OfContainer(id)
	if errors.Is(err, ErrElsewhere) {
		err = fault.Environmentf("find the processes of container %s of %s/%s: %w (the pod is on node %s: run lab "+
			"there)",
			container, namespace, pod, err, p.Spec.NodeName)
	}
	return pids, err
}

// OfContainer returns the process ids, in this host's numbering, of a container by its runtime's
// id, the oldest first: that is its entry point. Processes of a container inside it are among them.
// ErrElsewhere when there is none.
func OfContainer(id string) ([]int, error) {
	pids, err := inCgroup("/proc", id)
	if err == nil && len(pids) == 0 {
		err = ErrElsewhere
	}
	cluster.SortByAge(pids)
	return pids, err
}

// inCgroup returns the processes of a container in a proc file system.
func inCgroup(proc, id string) ([]int, error) {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil, fault.Environmentf("look for processes: %w", err)
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		text, err := os.ReadFile(filepath.Join(proc, e.Name(), "cgroup"))
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ESRCH):
			// it ended meanwhile: before it was opened, or read
			continue
		case errors.Is(err, fs.ErrPermission): // another user's, with proc's hidepid
			continue
		case err != nil:
			return nil, fault.Environmentf("look for processes: %w", err)
		}
		if belongs(string(text), id) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// belongs reads a cgroup file as proc_pid_cgroup(5) describes it: lines
// "hierarchy:controllers:path". A runtime names a container's directory after the
// container's id; with systemd's driver it is a scope "cri-containerd-ID.scope". CRI-O
// keeps the process that watches a container in a directory of its own,
// "crio-conmon-ID.scope", which is not the container.
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
