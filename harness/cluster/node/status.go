//go:build linux

package node

import (
	"context"
	"errors"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/process"
	"github.com/flowproof/lab/internal/enclosure"
)

// Status says how the lab is, from its guard and the host's /proc.
func (b *Backend) Status(ctx context.Context, name string) (cluster.Status, error) {
	name, err := cluster.CheckName(name)
	if err != nil {
		return cluster.Status{}, err
	}
	status := cluster.Status{Schema: cluster.StatusSchema, Name: name, Backend: b.Name(), State: cluster.Absent}
	s, err := enclosed.Ask(ctx, name, -1)
	if errors.Is(err, enclosure.ErrNoGuard) {
		return status, nil
	}
	if err != nil {
		return status, err
	}
	status.State, status.Reason, status.Kubeconfig = s.State, s.Reason, s.Kubeconfig
	status.Since, status.Timings = s.Since, s.Timings
	members, err := enclosed.Members(name)
	if err != nil {
		return status, err
	}
	status.AddProcesses(members)
	return status, nil
}

// Guard is the socket of the process with which a lab of that name ends.
func (b *Backend) Guard(name string) string { return enclosed.Socket(name) }

// Processes returns the host's process ids of a container, its entry point first.
func (b *Backend) Processes(ctx context.Context, lab *cluster.Lab, namespace, pod, container string) ([]int, error) {
	return process.Of(ctx, lab, namespace, pod, container)
}
