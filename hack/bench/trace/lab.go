//go:build linux && amd64

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/node"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/observe/trace"
)

// The load goes from one fortio to another, each behind its sidecar.
const (
	clientPod = "fortio-server-l2"
	serverPod = "fortio-server"
	target    = "http://fortio-server:8080/"
)

// A lab is the two pods that the load goes through.
type lab struct {
	program, name string
	joined        bool
	client        *mesh.Pod
	pods          []trace.Pod // the client's and the server's
	envoys        [2]int      // process ids of their Envoys
}

// openLab brings the lab up, or joins it, and finds the pods and their Envoys.
func openLab(ctx context.Context, o options) (_ *lab, err error) {
	if os.Geteuid() != 0 {
		return nil, fault.Environmentf("measure tracing: uid %d cannot attach probes (run as root)", os.Geteuid())
	}
	l := &lab{program: o.lab, name: o.name}
	out, err := l.run(ctx, "up", "-o", "json")
	if err != nil {
		return nil, err
	}
	var up struct {
		Kubeconfig string `json:"kubeconfig"`
		Joined     bool   `json:"joined"`
	}
	if err := json.Unmarshal(out, &up); err != nil {
		return nil, fault.Environmentf("read result of lab up: %w", err)
	}
	l.joined = up.Joined
	defer func() {
		if err != nil {
			err = l.close(err)
		}
	}()
	m, err := mesh.Connect(up.Kubeconfig)
	if err != nil {
		return nil, err
	}
	if l.client, err = m.Pod(ctx, clientPod); err != nil {
		return nil, err
	}
	server, err := m.Pod(ctx, serverPod)
	if err != nil {
		return nil, err
	}
	of := &cluster.Lab{Name: o.name, Kubeconfig: up.Kubeconfig}
	for i, pod := range []*mesh.Pod{l.client, server} {
		pids, err := node.New().Processes(ctx, of, pod.Namespace(), pod.Name(), mesh.SidecarContainer)
		if err != nil {
			return nil, err
		}
		if l.envoys[i], err = envoyOf(pids); err != nil {
			return nil, fault.Environmentf("find Envoy of %s: %w", pod.Ref(), err)
		}
		address, err := netip.ParseAddr(pod.IP())
		if err != nil {
			return nil, fault.Environmentf("read address of %s: %w", pod.Ref(), err)
		}
		l.pods = append(l.pods, trace.Pod{Name: pod.Ref(), Side: []flow.Side{flow.Client, flow.Server}[i],
			IP: address, PIDs: pids})
	}
	return l, nil
}

// close takes the lab down, unless it was up before.
func (l *lab) close(err error) error {
	if l.joined {
		return err
	}
	_, downErr := l.run(context.Background(), "down")
	return errors.Join(err, downErr)
}

// run runs a verb of the lab program and returns what it printed.
func (l *lab) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, l.program, append([]string{"--name", l.name}, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	var stdout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fault.Environmentf("lab %s: %w", strings.Join(args, " "), err)
	}
	return stdout.Bytes(), nil
}

// envoyOf finds Envoy among the processes of a sidecar.
func envoyOf(pids []int) (int, error) {
	for _, pid := range pids {
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if err == nil && strings.TrimSpace(string(name)) == "envoy" {
			return pid, nil
		}
	}
	return 0, fmt.Errorf("none of the processes %v is named envoy", pids)
}
