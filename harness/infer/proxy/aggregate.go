package proxy

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/infer/say"
)

// maxAggregate bounds how deep aggregate clusters may hold each other: a forged dump may let
// them do so in a circle.
const maxAggregate = 8

// Members returns the clusters of an aggregate cluster, or nil for any other.
func (c *Cluster) Members() []string {
	config, kind := c.At.Get("cluster_type", "typed_config").Typed()
	if !strings.HasSuffix(kind, ".aggregate.v3.ClusterConfig") {
		return nil
	}
	return config.Get("clusters").Texts()
}

// Endpoints returns the endpoints that a cluster may send to: its own, or those of an
// aggregate's members.
func (e *Proxy) Endpoints(c *Cluster) *LoadAssignment { return e.endpointsAt(c, 0) }

// endpointsAt joins the hosts of an aggregate cluster's members, which is itself inside of so many
// others: the priorities of each member come after those of the members before it. Every host keeps
// the cluster that it belongs to, which decides its transport socket.
func (e *Proxy) endpointsAt(c *Cluster, depth int) *LoadAssignment {
	members := c.Members()
	if members == nil {
		return e.Load(c)
	}
	all := &LoadAssignment{At: c.At.Value, Over: 140}
	if depth > maxAggregate {
		return all
	}
	var next uint32
	for _, name := range members {
		member := e.Cluster(name)
		if member == nil {
			continue
		}
		load := e.endpointsAt(member, depth+1)
		highest := uint32(0)
		for _, h := range load.Hosts {
			highest = max(highest, h.Priority+1)
			h.Priority += next
			if h.Cluster == nil {
				h.Cluster = member
			}
			all.Hosts = append(all.Hosts, h)
		}
		if next += highest; len(all.Hosts) > 1<<20 {
			break
		}
	}
	return all
}

// AggregateText says that endpoints come from several clusters.
func AggregateText(c *Cluster) string {
	return fmt.Sprintf("aggregate of %s, each with priorities of its own", say.List(c.Members()))
}
