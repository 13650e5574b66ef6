package kind

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/process"
	"github.com/flowproof/lab/internal/docker"
	"github.com/flowproof/lab/internal/enclosure"
)

// Status says how the lab is, from the guard of our own Docker, or from another's.
func (b *Backend) Status(ctx context.Context, name string) (cluster.Status, error) {
	name, err := cluster.CheckName(name)
	if err != nil {
		return cluster.Status{}, err
	}
	status := cluster.Status{Schema: cluster.StatusSchema, Name: name, Backend: b.Name(), State: cluster.Absent}
	s, err := docker.State(ctx, name, -1)
	if err == nil {
		status.State, status.Reason, status.Kubeconfig = s.State, s.Reason, s.Kubeconfig
		status.Since, status.Timings = s.Since, s.Timings
		pids, err := docker.Members(name)
		status.AddProcesses(pids)
		return status, err
	}
	if !errors.Is(err, enclosure.ErrNoGuard) {
		return status, err
	}
	d, err := docker.Find(ctx)
	if errors.Is(err, docker.ErrNone) {
		return status, nil
	}
	if err != nil {
		return status, err
	}
	err = theirStatus(ctx, d, &status)
	return status, err
}

// theirStatus fills in how a lab in another's Docker is.
func theirStatus(ctx context.Context, d *docker.Docker, status *cluster.Status) error {
	all, err := containers(ctx, d, status.Name)
	if err != nil {
		return err
	}
	switch judge(status.Name, all) {
	case free, foreign:
		return nil
	case stopped:
		status.State, status.Reason = cluster.Broken, "its node does not run (lab up --backend kind starts it, or "+
			"makes it anew)"
		return nil
	}
	for _, c := range all {
		pids, err := process.OfContainer(c.ID)
		if err == nil { // none can be seen of a Docker in a virtual machine
			status.AddProcesses(pids)
		}
	}
	if err := checkKept(status.Name); err != nil {
		return err
	}
	path := kubeconfigPath(status.Name)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	timings, err := whole(ctx, path, false)
	if err != nil {
		advice := adviseAnew(status.Name)
		if errors.Is(err, errHalf) {
			advice = "lab up --backend kind makes it anew"
		}
		status.State, status.Reason = cluster.Broken, fmt.Sprintf("%v (%s)", err, advice)
		return nil
	}
	status.State, status.Kubeconfig, status.Timings = cluster.Running, path, timings
	if since, err := d.Run(ctx, "inspect", "--type", "container", "--format", "{{.State.StartedAt}}",
		all[0].ID); err == nil {
		status.Since, _ = time.Parse(time.RFC3339Nano, since)
	}
	return nil
}

// Processes returns the host's process ids of a container of a pod, its entry point first:
// containerd runs it inside the node's container, and its cgroup lies below that one's.
func (b *Backend) Processes(ctx context.Context, lab *cluster.Lab, namespace, pod, container string) ([]int, error) {
	return process.Of(ctx, lab, namespace, pod, container)
}
