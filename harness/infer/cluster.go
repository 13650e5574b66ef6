package infer

import (
	"fmt"
	"strings"
	"sync"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// A cluster is envoy.config.cluster.v3.Cluster.
type cluster struct {
	at   configdump.Message
	name string
	kind string // EDS, STATIC, STRICT_DNS, LOGICAL_DNS, ORIGINAL_DST, or the name of a cluster_type extension

	decode        sync.Once
	transports    []transportSocket
	decodeOptions sync.Once
	http          configdump.Value // HttpProtocolOptions
}

// cluster returns the decoded form of a cluster, or nil.
func (e *Engine) cluster(name string) *cluster {
	return once(e, e.clusters, name, func() *cluster {
		r, ok := e.dump.Lookup(configdump.Cluster, name)
		if !ok || r.State == configdump.Warming {
			return nil
		}
		v := r.Value().Message()
		c := &cluster{at: v, name: name, kind: v.Get("type").Text()}
		setDefault(&c.kind, v.Get("cluster_type", "name").Text())
		setDefault(&c.kind, "STATIC") // the enum's zero
		c.kind = strings.TrimPrefix(c.kind, "envoy.clusters.")
		if named, ok := map[string]string{"0": "STATIC", "1": "STRICT_DNS", "2": "LOGICAL_DNS", "3": "EDS", "4": "ORIGINAL_DST",
			"strict_dns": "STRICT_DNS", "logical_dns": "LOGICAL_DNS", "static": "STATIC", "eds": "EDS", "original_dst": "ORIGINAL_DST"}[c.kind]; ok {
			c.kind = named
		}
		return c
	})
}

// findCluster looks up the cluster that the route or the TCP proxy names.
func (w *walk) findCluster() {
	source := w.tcpProxy
	if w.hcm == nil {
		w.tcpClusters()
		if w.done {
			return
		}
	} else {
		source = w.route.action.Value
	}
	if w.out.Cluster == "" {
		w.severalClusters()
		return
	}
	c := w.e.cluster(w.out.Cluster)
	if c == nil {
		w.noCluster(source)
		return
	}
	w.cluster = c
	policy := c.at.Get("lb_policy").Text()
	setDefault(&policy, "ROUND_ROBIN")
	if p := c.at.Get("load_balancing_policy"); p.Exists() {
		policy = p.Get("policies").Element(0).Get("typed_extension_config", "name").Text()
	}
	hop := flow.Hop{Decision: c.name, Why: fmt.Sprintf("the cluster is of type %s, lb_policy %s", c.kind, policy),
		Expect: []flow.Fact{fact(flow.FactCluster, c.name)}}
	if w.out.Cluster == "BlackHoleCluster" || c.kind == "STATIC" && len(w.e.load(c).hosts) == 0 && w.tcpProxy.Exists() {
		hop.Why += ": it never has an endpoint, so the connection is closed"
		hop.Expect = append(hop.Expect, absent(flow.FactUpstreamRemote, ""))
		w.add(flow.Cluster, c.at.Value, hop)
		w.fail(flow.BlackHole, "UH")
		w.out.Status = w.statusOf(503)
		return
	}
	w.add(flow.Cluster, c.at.Value, hop)
}

// statusOf is the status of a reply that the proxy makes itself; a TCP proxy has none.
func (w *walk) statusOf(status int) int {
	if w.hcm == nil {
		return 0
	}
	return w.localStatus(status)
}

// tcpClusters reads which cluster or clusters a TCP proxy names. What a filter names counts only where the proxy has no
// weighted clusters. (TcpProxy::Config::getRouteFromEntries)
func (w *walk) tcpClusters() {
	named := w.named
	if w.tcpProxy.Get("weighted_clusters", "clusters").Len() > 0 {
		named = ""
	}
	if c := first(named, w.tcpProxy.Get("cluster").Text()); c != "" {
		w.out.Cluster = c
		return
	}
	var result routeResult
	w.weighted(w.tcpProxy.Get("weighted_clusters"), &result)
	if len(w.out.Clusters) == 0 {
		w.noCluster(w.tcpProxy)
	}
}

// noCluster is a name that no cluster of the dump has.
func (w *walk) noCluster(source configdump.Value) {
	why := fmt.Sprintf("the dump has no active cluster %q", w.out.Cluster)
	if !w.e.dump.Has(configdump.Cluster) {
		why = "the dump has no ClustersConfigDump"
	}
	status := w.statusOf(503)
	if w.hcm != nil {
		status = w.localStatus(notFoundStatus(w.route.action))
		why += fmt.Sprintf(": Envoy answers %d (NC)", status)
	}
	hop := flow.Hop{Decision: "no cluster", Why: why}
	if status != 0 {
		hop.Expect = statusFact(status)
	}
	w.add(flow.Cluster, source, hop)
	w.fail(flow.NoCluster, "NC")
	w.out.Status = status
}

// severalClusters ends the way at a set: which of the clusters is taken is decided by chance.
func (w *walk) severalClusters() {
	hop := flow.Hop{Decision: fmt.Sprintf("one of %d clusters", len(w.out.Clusters)),
		Why: "weights decide by chance, and no random value was given to follow one of them"}
	var total uint64
	for _, c := range w.out.Clusters {
		total += uint64(c.Weight)
	}
	for _, c := range w.out.Clusters {
		hop.Choices = append(hop.Choices, flow.Choice{Name: c.Name, Share: float64(c.Weight) / float64(max(total, 1))})
	}
	source := w.tcpProxy.Get("weighted_clusters")
	if w.hcm != nil {
		source = w.route.action.Get("weighted_clusters")
	}
	w.add(flow.Cluster, source, hop)
	w.out.Outcome, w.done = flow.Forwarded, true
}
