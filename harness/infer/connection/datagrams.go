package connection

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/matcher"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
	"github.com/flowproof/lab/harness/infer/say"
)

const udpProxyType = "envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig"

// datagrams says whether the listener's filters, and no filter chain, take what comes over UDP, and
// lets the first of them decide: one that is not udp_proxy opens what becomes of a datagram.
// (docs/root/configuration/listeners/udp_filters/udp_filters)
func datagrams(w *passage.Walk) bool {
	if w.Req.Protocol != proxy.UDP || len(w.Listener.Filters) == 0 {
		return false
	}
	f := w.Listener.Filters[0]
	config, kind := f.At.Get("typed_config").Typed()
	if kind != udpProxyType {
		w.Open(flow.WhatWay, "filter "+f.Name, "what filter "+f.Name+" does with a datagram is not known", f.At)
		w.Add(flow.NetworkFilters, f.At, flow.Hop{Decision: f.Name, Why: "what it does with a datagram is not known"})
		w.Out.Outcome, w.Done = flow.Forwarded, true
		return true
	}
	if config.Get("session_filters").Len() > 0 {
		w.Open(flow.WhatWay, "filter "+f.Name, "what its session filters do is not known",
			config.Get("session_filters"))
	}
	hop := flow.Hop{Decision: f.Name}
	w.Named, w.TCPProxy, w.RoutedBy = config.Get("cluster").Text(), config, f.Name
	if tree := config.Get("matcher"); tree.Exists() {
		var by []string
		if w.Named, by = udpCluster(w, tree); len(by) > 0 {
			hop.Why = "its matcher leads there by " + strings.Join(by, ", ")
		}
	}
	if w.Named == "" {
		hop.Why = "its matcher leads to no route, and the datagram is dropped"
		w.Add(flow.NetworkFilters, f.At, hop)
		w.Fail(flow.NoRoute, "NR")
		return true
	}
	hop.Why = say.Join(fmt.Sprintf("udp_proxy sends datagrams of one client to one endpoint of %s", w.Named), hop.Why)
	w.Add(flow.NetworkFilters, f.At, hop)
	return true
}

// udpCluster is the cluster that a matcher of udp_proxy leads to, and what matched on the way.
func udpCluster(w *passage.Walk, tree configdump.Value) (cluster string, by []string) {
	m := matcher.Matching{W: w, What: flow.WhatCluster, Accept: func(v configdump.Value) bool {
		route, _ := v.Get("typed_config").Typed()
		cluster = route.Get("cluster").Text()
		return cluster != ""
	}}
	if !m.Evaluate(tree) {
		return "", nil
	}
	return cluster, m.Steps
}
