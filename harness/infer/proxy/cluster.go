package proxy

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/flowproof/lab/harness/configdump"
)

// A Cluster is envoy.config.cluster.v3.Cluster.
type Cluster struct {
	At   configdump.Message
	Name string
	Kind string // EDS, STATIC, STRICT_DNS, LOGICAL_DNS, ORIGINAL_DST, or the name of a cluster_type extension

	decode        sync.Once
	transports    []TransportSocket
	decodeOptions sync.Once
	http          configdump.Value // HttpProtocolOptions
}

// Cluster returns the decoded form of a cluster, or nil.
func (e *Proxy) Cluster(name string) *Cluster {
	return once(e, e.clusters, name, func() *Cluster {
		r, ok := e.Dump.Lookup(configdump.Cluster, name)
		if !ok || r.State == configdump.Warming {
			return nil
		}
		v := r.Value().Message()
		c := &Cluster{At: v, Name: name, Kind: v.Get("type").Text()}
		c.Kind = cmp.Or(c.Kind, v.Get("cluster_type", "name").Text())
		c.Kind = cmp.Or(c.Kind, "STATIC") // the enum's zero
		c.Kind = strings.TrimPrefix(c.Kind, "envoy.clusters.")
		if named, ok := map[string]string{"0": "STATIC", "1": "STRICT_DNS", "2": "LOGICAL_DNS", "3": "EDS",
			"4":          "ORIGINAL_DST",
			"strict_dns": "STRICT_DNS", "logical_dns": "LOGICAL_DNS", "static": "STATIC", "eds": "EDS",
			"original_dst": "ORIGINAL_DST"}[c.Kind]; ok {
			c.Kind = named
		}
		return c
	})
}

// ForwardsDynamically says whether the cluster is envoy.clusters.dynamic_forward_proxy.
func (c *Cluster) ForwardsDynamically() bool {
	_, kind := c.At.Get("cluster_type", "typed_config").Typed()
	return strings.HasSuffix(kind, ".clusters.dynamic_forward_proxy.v3.ClusterConfig") ||
		c.Kind == "dynamic_forward_proxy"
}

// AsksDNS says whether DNS gives the addresses of the cluster's endpoints, which are names.
func (c *Cluster) AsksDNS() bool {
	_, kind := c.At.Get("cluster_type", "typed_config").Typed()
	return c.Kind == "STRICT_DNS" || c.Kind == "LOGICAL_DNS" || strings.HasSuffix(kind, ".clusters.dns.v3.DnsCluster")
}

// Policy returns the first policy of load_balancing_policy and its type, or a Value
// that does not exist.
func (c *Cluster) Policy() (policy configdump.Value, kind string) {
	first := c.At.Get("load_balancing_policy", "policies").Element(0)
	return first.Get("typed_extension_config", "typed_config").Typed()
}

// Hashed says whether the cluster's load balancing asks for a hash.
func (c *Cluster) Hashed() bool {
	_, kind := c.Policy()
	return slices.Contains([]string{"RING_HASH", "MAGLEV", "2", "5"}, c.At.Get("lb_policy").Text()) ||
		strings.HasSuffix(kind, ".RingHash") || strings.HasSuffix(kind, ".Maglev")
}

// Options returns the cluster's HttpProtocolOptions, or a Value that does not exist.
func (c *Cluster) Options() configdump.Value {
	c.decodeOptions.Do(func() {
		for _, v := range c.At.Get("typed_extension_protocol_options").Fields() {
			if message, kind := v.Typed(); strings.HasSuffix(kind, ".HttpProtocolOptions") {
				c.http = message
				return
			}
		}
	})
	return c.http
}
