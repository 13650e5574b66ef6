package infer

import (
	"fmt"
	"strings"
)

// maxAggregate bounds how deep aggregate clusters may hold each other: a forged dump may let them do so in a circle.
const maxAggregate = 8

// members returns the clusters of an aggregate cluster, or nil for any other.
func (c *cluster) members() []string {
	config, kind := c.at.Get("cluster_type", "typed_config").Typed()
	if !strings.HasSuffix(kind, ".aggregate.v3.ClusterConfig") {
		return nil
	}
	return config.Get("clusters").Texts()
}

// aggregated joins the hosts of an aggregate cluster's members: the priorities of each member come after those of the
// members before it. Every host keeps the cluster that it belongs to, which decides its transport socket.
func (e *Engine) aggregated(c *cluster, depth int) *loadAssignment {
	all := &loadAssignment{at: c.at.Value, over: 140}
	if depth > maxAggregate {
		return all
	}
	var next uint32
	for _, name := range c.members() {
		member := e.cluster(name)
		if member == nil {
			continue
		}
		load := e.load(member)
		if member.members() != nil {
			load = e.aggregated(member, depth+1)
		}
		highest := uint32(0)
		for _, h := range load.hosts {
			highest = max(highest, h.priority+1)
			h.priority += next
			if h.cluster == nil {
				h.cluster = member
			}
			all.hosts = append(all.hosts, h)
		}
		if next += highest; len(all.hosts) > 1<<20 {
			break
		}
	}
	return all
}

// aggregateText says that endpoints come from several clusters.
func aggregateText(c *cluster) string {
	return fmt.Sprintf("aggregate of %s, each with priorities of its own", list(c.members()))
}
