package configdump

import (
	"strconv"
	"strings"
)

// A Node says whose configuration a dump is: envoy.config.core.v3.Node with the metadata
// that Istio puts there.
type Node struct {
	ID               string   // sidecar~IP~pod.namespace~domain
	Cluster          string   // --service-cluster
	Type             string   // sidecar, router (a gateway), ztunnel, waypoint
	Pod              string   // name of the pod
	Namespace        string   // its namespace
	IPs              []string // INSTANCE_IPS, the first one is the pod's primary address
	Domain           string   // DNS domain of the node's namespace: mark.svc.cluster.local
	ServiceAccount   string
	TrustDomain      string
	Labels           map[string]string
	IstioVersion     string // ISTIO_VERSION
	EnvoyVersion     string // user_agent_build_version, as 1.22.3
	InterceptionMode string // REDIRECT, TPROXY, NONE or ""
	Concurrency      uint64 // worker threads; 0 when not said
	At               Value  // the node itself, for pointers
}

// Proxy returns "pod.namespace", or the node's id when the dump does not say a pod, or "".
func (n Node) Proxy() string {
	if n.Pod != "" {
		return n.Pod + "." + n.Namespace
	}
	return n.ID
}

// Node returns who the proxy is. What the dump does not say is empty.
func (d *Dump) Node() Node {
	v := d.bootstrap.Get("node")
	meta := v.Get("metadata")
	n := Node{
		ID: v.Get("id").Text(), Cluster: v.Get("cluster").Text(), At: v,
		Pod: meta.Get("NAME").Text(), Namespace: meta.Get("NAMESPACE").Text(),
		ServiceAccount: meta.Get("SERVICE_ACCOUNT").Text(), TrustDomain: meta.Get("TRUST_DOMAIN").Text(),
		IstioVersion: meta.Get("ISTIO_VERSION").Text(), InterceptionMode: meta.Get("INTERCEPTION_MODE").Text(),
		Concurrency: meta.Get("PROXY_CONFIG", "concurrency").Uint(), EnvoyVersion: version(v),
		Labels: map[string]string{},
	}
	for key, label := range meta.Get("LABELS").Fields() {
		n.Labels[key] = label.Text()
	}
	for ip := range strings.SplitSeq(meta.Get("INSTANCE_IPS").Text(), ",") {
		if ip != "" {
			n.IPs = append(n.IPs, ip)
		}
	}
	// Istio's node id holds what metadata may not: see model.Proxy.ServiceNode.
	if parts := strings.Split(n.ID, "~"); len(parts) == 4 {
		n.Type, n.Domain = parts[0], parts[3]
		if len(n.IPs) == 0 && parts[1] != "" {
			n.IPs = []string{parts[1]}
		}
		if pod, namespace, ok := strings.Cut(parts[2], "."); ok && n.Pod == "" {
			n.Pod, n.Namespace = pod, namespace
		}
	}
	return n
}

// version returns Envoy's version as major.minor.patch.
func version(node Value) string {
	v := node.Get("user_agent_build_version", "version")
	if !v.Exists() {
		return ""
	}
	part := func(name string) string { return strconv.FormatUint(v.Get(name).Uint(), 10) }
	return part("major_number") + "." + part("minor_number") + "." + part("patch")
}
