package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/process"
)

// Status says how the lab is, from its guard and the host's /proc.
func (b *Backend) Status(ctx context.Context, name string) (cluster.Status, error) {
	name, err := cluster.CheckName(name)
	if err != nil {
		return cluster.Status{}, err
	}
	status := cluster.Status{Schema: cluster.StatusSchema, Name: name, Backend: b.Name(), State: cluster.Absent}
	s, err := askState(ctx, name, -1)
	if errors.Is(err, errNoGuard) {
		return status, nil
	}
	if err != nil {
		return status, err
	}
	status.State, status.Reason, status.Kubeconfig = s.State, s.Reason, s.Kubeconfig
	status.Since, status.Timings = s.Since, s.Timings
	trees, err := cgroupTrees(name)
	if err != nil {
		return status, err
	}
	for _, pid := range cgroupMembers(trees) {
		if p, err := describe(pid); err == nil {
			status.Processes = append(status.Processes, p)
			status.Memory += p.Memory
		}
	}
	slices.SortFunc(status.Processes, func(a, b cluster.Process) int { return int(b.Memory - a.Memory) })
	return status, nil
}

// describe reads a process's name and its share of memory: a page that several processes use counts in parts, so that
// the sum over a lab is what the lab takes. Source: proc_pid_smaps(5), Pss.
func describe(pid int) (cluster.Process, error) {
	p := cluster.Process{PID: pid}
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	cmdline, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil {
		return p, err
	}
	first, _, _ := strings.Cut(string(cmdline), "\x00")
	p.Name = filepath.Base(first)
	rollup, err := os.ReadFile(filepath.Join(dir, "smaps_rollup"))
	if err != nil {
		return p, err
	}
	for line := range strings.Lines(string(rollup)) {
		if value, ok := strings.CutPrefix(line, "Pss:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			if err != nil {
				return p, fmt.Errorf("read the memory of process %d: %w", pid, err)
			}
			p.Memory = kb << 10
			return p, nil
		}
	}
	return p, fmt.Errorf("read the memory of process %d: the kernel says nothing of Pss", pid)
}

// Processes returns the host's process ids of a container, its entry point first.
func (b *Backend) Processes(ctx context.Context, lab *cluster.Lab, namespace, pod, container string) ([]int, error) {
	return process.Of(ctx, lab, namespace, pod, container)
}
