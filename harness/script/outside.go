package script

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/observe/curl"
	"github.com/flowproof/lab/internal/docker"
	"github.com/flowproof/lab/internal/exit"
	"github.com/flowproof/lab/internal/outside"
)

var outsideCommand = Command{
	Name:    "outside",
	Usage:   "outside NAME",
	Summary: "Start a client outside of the mesh: a plain container on the network of the cluster's nodes, until the scenario ends",
	Detail: "From here on NAME is a FROM for infer and request. No sidecar speaks for it. It reaches the mesh through a port that a Service\n" +
		"opens on every node: $NODE_IP stands for the address of the first node, and `show service` reads the ports. The container is\n" +
		"removed when the scenario ends, also when the command is killed. It needs a backend whose nodes are containers.",
	run: func(s *session, args []string) error {
		if len(args) != 1 || !outsiderName.MatchString(args[0]) {
			return badUsage("it needs one name, of a-z, 0-9 and -")
		}
		if s.outsiders[args[0]] != nil {
			return badUsage("there is a client " + args[0] + " already")
		}
		return s.startOutsider(args[0])
	},
}

// outsiderName is a name that can be part of a container's, and is no pod with its namespace.
var outsiderName = regexp.MustCompile(`^[a-z0-9][-a-z0-9]{0,30}$`)

func (s *session) startOutsider(name string) error {
	host, ok := s.lab.Backend.(outside.Host)
	if !ok || s.lab.Cluster == nil {
		return exit.Environmentf("start a client outside of the mesh: the nodes of this lab are no containers (use --backend kind; in a scenario: [!backend:kind] skip)")
	}
	nodes, err := s.lab.Mesh.Nodes(s.ctx)
	if err != nil {
		return exit.Environmentf("find the address of a node: %w", err)
	}
	if len(nodes) == 0 {
		return exit.Environmentf("find the address of a node: the cluster says of none (see `lab kubectl get nodes -o wide`; lab up mends a lab)")
	}
	place, err := host.Outside(s.ctx, s.lab.Cluster)
	if err != nil {
		return err
	}
	container := "flowproof-" + s.lab.Cluster.Name + "-" + name + "-" + strings.ToLower(rand.Text()[:6])
	place.Labels = maps.Clone(place.Labels)
	place.Labels[outsiderLabel] = container
	undo := removeArgs{Docker: place.Docker.Host, Labels: map[string]string{outsiderLabel: container}}
	if _, err := s.undo.Add(undoOutside, "remove the container "+container, undo); err != nil {
		return err
	}
	client, err := outside.Start(s.ctx, place, container)
	if err != nil {
		return err
	}
	s.outsiders[name] = client
	first := slices.Sorted(maps.Keys(nodes))[0]
	s.variables["NODE_IP"] = nodes[first]
	s.print("%s at %s, beside node %s at %s", name, client.IP, first, nodes[first])
	return nil
}

// outsiderLabel is the label of one client's container; its value is the container's name.
const outsiderLabel = "dev.flowproof.outside"

// removeArgs say which containers are to be removed.
type removeArgs struct {
	Docker string            `json:"docker"` // DOCKER_HOST
	Labels map[string]string `json:"labels"`
}

func removeOutsider(ctx context.Context, raw json.RawMessage) error {
	var args removeArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return err
	}
	return outside.Remove(ctx, &docker.Docker{Host: args.Docker}, args.Labels)
}

// newCall makes the Call of "FROM -> URL", where FROM may be a client outside of the mesh.
func (s *session) newCall(from, to string) (flow.Call, error) {
	call, err := newCall(from, to)
	if err == nil && s.outsiders[from] != nil {
		call.From, call.Namespace, call.Outside = from, "", true
	}
	return call, err
}

// curl sends a call from where it is sent from, some times one after the other; args are more arguments of curl's.
func (s *session) curl(ctx context.Context, call flow.Call, times int, args ...string) (*mesh.Output, error) {
	command, err := curl.Send(call, times, args...)
	if err != nil {
		return nil, exit.Usagef("%w", err)
	}
	if call.Outside {
		return s.outsiders[call.From].Exec(ctx, command.Line, command.Input)
	}
	pod, err := s.lab.Mesh.Pod(ctx, callerOf(call))
	if err != nil {
		return nil, err
	}
	return pod.Exec(ctx, containerOf(call, pod.App()), command.Line, bytes.NewReader(command.Input))
}

// callerOf is the pod that a call is sent from, as "pod.namespace"; the name alone of a client outside of the mesh.
func callerOf(call flow.Call) string {
	if call.Outside {
		return call.From
	}
	return call.From + "." + call.Namespace
}

// nodePort finds the port of a node that a call names among the Services that show has read; nil when the URL does not name a node.
func (s *session) nodePort(call flow.Call) (*infer.NodePort, error) {
	target, err := url.Parse(call.URL)
	if err != nil {
		return nil, err
	}
	for _, ref := range slices.Sorted(maps.Keys(s.services)) {
		service := s.services[ref]
		for _, p := range service.NodePorts {
			if target.Port() != strconv.Itoa(int(p.Port)) {
				continue
			}
			found := &infer.NodePort{Service: ref, Name: p.Name, Port: uint32(p.Port), Local: p.Local}
			for _, text := range p.Endpoints {
				endpoint, err := netip.ParseAddrPort(text)
				if err != nil {
					return nil, exit.Environmentf("read endpoints of %s: %w", ref, err)
				}
				found.Endpoints = append(found.Endpoints, endpoint)
			}
			return found, nil
		}
	}
	if call.Outside {
		return nil, badUsage("port " + target.Port() + " is no node port of a Service that was shown (show service NAME comes before)")
	}
	return nil, nil
}
