package script

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/cluster/outside"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/docker"
	"github.com/flowproof/lab/internal/lazyregexp"
)

var outsideCommand = Command{
	Name:  "outside",
	Usage: "outside NAME",
	Summary: "Start a client outside of the mesh: a plain container on the network of the cluster's nodes, until the " +
		"scenario ends",
	Detail: "From here on NAME is a FROM for infer and request. No sidecar speaks for it. It reaches the mesh " +
		"through a port that a Service\n" +
		"opens on every node: $NODE_IP stands for the address of the first node, and `show service` reads the ports. " +
		"The container is\n" +
		"removed when the scenario ends, also when the command is killed. It needs a backend whose nodes are " +
		"containers.",
	hand:   nothingTyped,
	replay: nothingRecorded,
	run: func(s *session, args []string) error {
		if len(args) != 1 || !outsiderName.MatchString(args[0]) {
			return badUsage("it needs one name, of a-z, 0-9 and -")
		}
		if s.Outside(args[0]) {
			return badUsage("there is a client " + args[0] + " already")
		}
		return s.startOutsider(args[0])
	},
}

// outsiderName is a name that can be part of a container's, and is no pod with its namespace.
var outsiderName = lazyregexp.New(`^[a-z0-9][-a-z0-9]{0,30}$`)

func (s *session) startOutsider(name string) error {
	host, ok := s.Lab.Backend.(outside.Host)
	if !ok || s.Lab.Cluster == nil {
		return fault.Environmentf("start a client outside of the mesh: the nodes of this lab are no containers (use " +
			"--backend kind; in a scenario: [!backend:kind] skip)")
	}
	nodes, err := s.Lab.Mesh.Nodes(s.ctx)
	if err != nil {
		return fault.Environmentf("find the address of a node: %w", err)
	}
	if len(nodes) == 0 {
		return fault.Environmentf("find the address of a node: the cluster says of none (see `lab kubectl get nodes " +
			"-o wide`; lab up mends a lab)")
	}
	place, err := host.Outside(s.ctx, s.Lab.Cluster)
	if err != nil {
		return err
	}
	container := "flowproof-" + s.Lab.Cluster.Name + "-" + name + "-" + strings.ToLower(rand.Text()[:6])
	place.Labels = maps.Clone(place.Labels)
	place.Labels[outsiderLabel] = container
	undo := removeArgs{Docker: place.Docker.Host, Labels: map[string]string{outsiderLabel: container}}
	if _, err := s.Undo.Add(undoOutside, "remove the container "+container, undo); err != nil {
		return err
	}
	client, err := outside.Start(s.ctx, place, container)
	if err != nil {
		return err
	}
	s.AddOutsider(name, outsider{client})
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

// outsider is a client as a run sends from it.
type outsider struct{ *outside.Client }

func (o outsider) Address() string { return o.IP }
