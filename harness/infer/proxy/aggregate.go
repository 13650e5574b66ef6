package proxy

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/infer/say"
)

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
func (e *Proxy) Endpoints(c *Cluster) *LoadAssignment {
	members := c.Members()
	if members == nil {
		return e.Load(c)
	}
	all := &LoadAssignment{At: c.At.Value, Over: 140}
	var next uint32
	for _, name := range members {
		member := e.Cluster(name)
		if member == nil || member.Members() != nil { // an aggregate has no hosts of its own
			continue
		}
		next += all.join(member, e.Load(member), next)
	}
	return all
}

// join adds the hosts of an aggregate cluster's member: its priorities come after those of the
// members before it, and each host keeps the cluster that it belongs to, which decides its
// transport socket. It returns how many priorities the member has.
// (Cluster::linearizePrioritySet of source/extensions/clusters/aggregate)
func (l *LoadAssignment) join(member *Cluster, load *LoadAssignment, from uint32) uint32 {
	var levels uint32
	for _, h := range load.Hosts {
		levels = max(levels, h.Priority+1)
		h.Priority += from
		if h.Cluster == nil {
			h.Cluster = member
		}
		l.Hosts = append(l.Hosts, h)
	}
	return levels
}

// AggregateText says that endpoints come from several clusters.
func AggregateText(c *Cluster) string {
	return fmt.Sprintf("aggregate of %s, each with priorities of its own", say.List(c.Members()))
}
