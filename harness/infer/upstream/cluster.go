// Package upstream is the last phase of a way through a proxy: cluster, endpoint, TLS towards it,
// and the connection, which may lead back inside of the proxy.
package upstream

import (
	"cmp"
	"fmt"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/hcm"
	"github.com/flowproof/lab/harness/infer/passage"
)

// FindCluster looks up the cluster that the route or the TCP proxy names.
func FindCluster(w *passage.Walk) {
	source := w.TCPProxy
	if w.HCM == nil {
		tcpClusters(w)
		if w.Done {
			return
		}
	} else {
		source = w.Route.Action.Value
	}
	if w.Out.Cluster == "" {
		severalClusters(w)
		return
	}
	c := w.Proxy.Cluster(w.Out.Cluster)
	if c == nil {
		noCluster(w, source)
		return
	}
	w.Cluster = c
	policy := c.At.Get("lb_policy").Text()
	policy = cmp.Or(policy, "ROUND_ROBIN")
	if p := c.At.Get("load_balancing_policy"); p.Exists() {
		policy = p.Get("policies").Element(0).Get("typed_extension_config", "name").Text()
	}
	hop := flow.Hop{Decision: c.Name, Why: fmt.Sprintf("the cluster is of type %s, lb_policy %s", c.Kind, policy),
		Expect: append([]flow.Fact{passage.Fact(flow.FactCluster, c.Name)}, hcm.Mirrored(w)...)}
	if w.Out.Cluster == "BlackHoleCluster" || c.Kind == "STATIC" && len(w.Proxy.Load(c).Hosts) == 0 &&
		w.TCPProxy.Exists() {
		hop.Why += ": it never has an endpoint, so the connection is closed"
		hop.Expect = append(hop.Expect, passage.Absent(flow.FactUpstreamRemote, ""))
		w.Add(flow.Cluster, c.At.Value, hop)
		w.Fail(flow.BlackHole, "UH")
		w.Out.Status = w.StatusOf(503, "UH")
		return
	}
	if refuses(w, c, hop) {
		return
	}
	w.Add(flow.Cluster, c.At.Value, hop)
}

// tcpClusters reads which cluster or clusters a TCP proxy names. What a filter names counts only
// where the proxy has no weighted clusters. (TcpProxy::Config::getRouteFromEntries)
func tcpClusters(w *passage.Walk) {
	named := w.Named
	if w.TCPProxy.Get("weighted_clusters", "clusters").Len() > 0 {
		named = ""
	}
	if c := cmp.Or(named, w.TCPProxy.Get("cluster").Text()); c != "" {
		w.Out.Cluster = c
		return
	}
	hcm.Weighted(w, w.TCPProxy.Get("weighted_clusters"))
	if len(w.Out.Clusters) == 0 {
		noCluster(w, w.TCPProxy)
	}
}

// noCluster is a name that no cluster of the dump has.
func noCluster(w *passage.Walk, source configdump.Value) {
	why := fmt.Sprintf("the dump has no active cluster %q", w.Out.Cluster)
	if !w.Proxy.Dump.Has(configdump.Cluster) {
		why = "the dump has no ClustersConfigDump"
	}
	status := w.StatusOf(503, "NC")
	if w.HCM != nil {
		status = w.LocalStatus(hcm.NotFoundStatus(w.Route.Action), "NC")
		why += fmt.Sprintf(": Envoy answers %d (NC)", status)
	}
	hop := flow.Hop{Decision: "no cluster", Why: why}
	if status != 0 {
		hop.Expect = passage.StatusFact(status)
	}
	w.Add(flow.Cluster, source, hop)
	w.Fail(flow.NoCluster, "NC")
	w.Out.Status = status
}

// severalClusters ends the way at a set: which of the clusters is taken is decided by chance.
func severalClusters(w *passage.Walk) {
	hop := flow.Hop{Decision: fmt.Sprintf("one of %d clusters", len(w.Out.Clusters)),
		Why:     "weights decide by chance, and no random value was given to follow one of them",
		Choices: hcm.Shares(w.Out.Clusters)}
	source := w.TCPProxy.Get("weighted_clusters")
	if w.HCM != nil {
		source = w.Route.Action.Get("weighted_clusters")
	}
	w.Add(flow.Cluster, source, hop)
	w.Out.Outcome, w.Done = flow.Forwarded, true
}
