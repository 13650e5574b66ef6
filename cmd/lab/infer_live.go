package main

import (
	"context"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
	"github.com/flowproof/lab/harness/mesh"
)

// live makes a whole way of the dumps that the lab's sidecars give now. Which pod is the server
// follows from where the client's sidecar sends the request.
func (f *inferFlags) live(cmd *cobra.Command, a *app) error {
	ctx := cmd.Context()
	m, err := a.mesh(ctx)
	if err != nil {
		return err
	}
	from, container, _ := strings.Cut(f.from, "/")
	if container == mesh.SidecarContainer {
		return notCaptured("infer", f.from)
	}
	client, err := dumpOf(ctx, m, from)
	if err != nil {
		return err
	}
	opts := f.way()
	if opts.ClientRules, err = readText(ctx, f.rules); err != nil {
		return err
	}
	if opts.ServerRules, err = readText(ctx, f.serverRules); err != nil {
		return err
	}
	call := flow.Call{URL: f.to, Method: f.method, Headers: f.request.Headers}
	decision, err := infer.Destination(client, call, opts)
	if err != nil {
		return fault.Usagef("%w", err)
	}
	server, err := serverDump(ctx, m, decision)
	if err != nil {
		return err
	}
	return f.writeWay(a, client, server, opts)
}

// notCaptured refuses a sidecar as the sender: what it sends itself takes no way through a sidecar.
func notCaptured(verb, from string) error {
	return fault.Usagef("%s from %s: what the sidecar itself sends is not captured (name another container)",
		verb, from)
}

// dumpOf takes the dump of a pod's sidecar.
func dumpOf(ctx context.Context, m *mesh.Mesh, ref string) (*configdump.Dump, error) {
	pod, err := m.Pod(ctx, ref)
	if err != nil {
		return nil, err
	}
	return dumpOfPod(ctx, pod)
}

func dumpOfPod(ctx context.Context, pod *mesh.Pod) (*configdump.Dump, error) {
	text, err := dumpText(ctx, pod)
	if err != nil {
		return nil, err
	}
	return configdump.Parse(text)
}

// dumpText is a pod's dump as its sidecar gives it.
func dumpText(ctx context.Context, pod *mesh.Pod) ([]byte, error) {
	sidecar, err := pod.Sidecar()
	if err != nil {
		return nil, err
	}
	defer sidecar.Close()
	return sidecar.Dump(ctx)
}

// serverDump takes the dump of the first pod with a sidecar among the hosts, or nil: the way then
// ends at the client's.
func serverDump(ctx context.Context, m *mesh.Mesh, hosts []flow.Host) (*configdump.Dump, error) {
	pod, err := serverPod(ctx, m, hosts)
	if pod == nil || err != nil {
		return nil, err
	}
	return dumpOfPod(ctx, pod)
}

// serverPod is the first pod with a sidecar among the hosts; nil where there is none.
func serverPod(ctx context.Context, m *mesh.Mesh, hosts []flow.Host) (*mesh.Pod, error) {
	for _, h := range hosts {
		address, err := netip.ParseAddrPort(h.Address)
		if err != nil || !h.Healthy {
			continue // a pipe or an internal listener has no pod
		}
		pod, err := m.PodAt(ctx, address.Addr().String())
		if err != nil {
			return nil, err
		}
		if pod != nil {
			return pod, nil
		}
	}
	return nil, nil
}
