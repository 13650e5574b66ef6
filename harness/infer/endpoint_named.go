package infer

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// This file holds the clusters whose host is in no dump, because the request itself names it: ORIGINAL_DST and
// dynamic_forward_proxy.

// Filter state that names a host, by the filters that read it.
const (
	stateOriginalDst = "envoy.network.transport_socket.original_dst_address"
	stateDynamicHost = "envoy.upstream.dynamic_host"
	stateDynamicPort = "envoy.upstream.dynamic_port"
)

// originalDestination is the host of an ORIGINAL_DST cluster: what filter state, metadata or a header of the request says, or
// where the client wanted to go. (OriginalDstCluster::LoadBalancer::chooseHost)
func (w *walk) originalDestination() {
	config := w.cluster.at.Get("original_dst_lb_config")
	to, why := w.namedDestination(config)
	if !to.IsValid() && w.conn.restored {
		to, why = w.conn.local, joinWhy("an ORIGINAL_DST cluster sends to the connection's original destination", why)
	}
	if !to.IsValid() {
		w.noEndpoint(w.cluster.at.Value, joinWhy(
			"the cluster is ORIGINAL_DST and the connection was not redirected, so there is no original destination", why))
		return
	}
	if port := config.Get("upstream_port_override").Uint(); port != 0 {
		to, why = netip.AddrPortFrom(to.Addr(), uint16(port)), why+", with upstream_port_override"
	}
	w.sendTo(to.String(), why, true)
}

// namedDestination is what overrides the original destination, in the order in which Envoy asks. Not valid: nothing does.
func (w *walk) namedDestination(config configdump.Value) (to netip.AddrPort, why string) {
	if text, ok := w.stateText(stateOriginalDst); ok {
		if to, err := netip.ParseAddrPort(text); err == nil {
			return to, "filter state " + stateOriginalDst + " names the destination"
		}
	}
	if key := config.Get("metadata_key"); key.Exists() {
		text, ok := w.metadataText(key)
		if to, err := netip.ParseAddrPort(text); ok && err == nil {
			return to, "original_dst_lb_config takes the destination from metadata " + key.Get("key").Text()
		}
	}
	if !config.Get("use_http_header").Bool() || w.hcm == nil {
		return to, ""
	}
	name := config.Get("http_header_name").Text()
	setDefault(&name, "x-envoy-original-dst-host")
	value, ok := w.req.header.Get(name)
	if cause, open := w.req.header.Open(name); open {
		w.open(flow.WhatHost, cause.On, cause.Why, config)
	}
	if !ok {
		return to, "header " + name + ", which would name the destination, is not there"
	}
	value, _, _ = strings.Cut(value, ",") // of several the first counts
	to, err := netip.ParseAddrPort(value)
	if err != nil {
		return netip.AddrPort{}, fmt.Sprintf("header %s is %q, which is no ip:port", name, value)
	}
	return to, "original_dst_lb_config takes the destination from header " + name
}

// sendTo makes an address, or a name with a port, the one host that is picked.
func (w *walk) sendTo(address, why string, original bool) {
	w.pick = picked{hosts: []host{{address: address, weight: 1}}, original: original}
	w.out.Endpoints = []flow.Host{{Address: address, Weight: 1, Healthy: true}}
	w.add(flow.Endpoint, w.cluster.at.Value, flow.Hop{Decision: address, Why: why, Expect: []flow.Fact{fact(flow.FactEndpoint, address)}})
}

// forwardsDynamically says whether the cluster is envoy.clusters.dynamic_forward_proxy.
func (c *cluster) forwardsDynamically() bool {
	_, kind := c.at.Get("cluster_type", "typed_config").Typed()
	return strings.HasSuffix(kind, ".clusters.dynamic_forward_proxy.v3.ClusterConfig") || c.kind == "dynamic_forward_proxy"
}

// dynamicHost is the host of a dynamic_forward_proxy cluster: the request's own, or the server name of a connection that no
// connection manager opens. DNS says its address, unless it is one. (dynamic_forward_proxy::Cluster::LoadBalancer::chooseHost)
func (w *walk) dynamicHost() {
	name, port, why := w.dynamicName()
	if name == "" {
		w.noEndpoint(w.cluster.at.Value, "the cluster is dynamic_forward_proxy, and "+why)
		return
	}
	address := net.JoinHostPort(strings.Trim(name, "[]"), port)
	w.pick.hosts = []host{{hostname: name}}
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err != nil {
		w.open(flow.WhatAddress, "DNS", "the cluster is dynamic_forward_proxy, and DNS says the address of "+name, w.cluster.at.Value)
		why += "; DNS says its address"
	}
	w.sendTo(address, why, false)
	w.pick.hosts[0].hostname = name
}

// dynamicName is the name and port that a dynamic_forward_proxy cluster sends to. The default port is that of the cluster's
// transport socket.
func (w *walk) dynamicName() (name, port, why string) {
	standard := "80"
	if sockets := w.cluster.sockets(); sockets[len(sockets)-1].tls != nil {
		standard = "443"
	}
	if w.hcm == nil {
		if p := w.sniProxy().Get("port_value"); p.Exists() {
			standard = p.Text()
		} else if w.sniProxy().Exists() {
			standard = "443"
		}
	}
	port = standard
	if text, ok := w.stateText(stateDynamicPort); ok {
		port = text
	}
	if text, ok := w.stateText(stateDynamicHost); ok {
		return text, port, "filter state " + stateDynamicHost + " names the host"
	}
	if w.hcm == nil {
		if w.conn.serverName == "" {
			return "", "", "neither filter state nor a server name names the host"
		}
		return w.conn.serverName, port, "the connection's server name is the host"
	}
	host, _ := w.req.header.Get(":authority")
	host = first(w.rewrittenHost(), host)
	if host == "" {
		return "", "", "the request has no host"
	}
	name, own := splitPort(host)
	if own != "" && digits(own) {
		port = own
	}
	return name, port, "the cluster is dynamic_forward_proxy: the request's own host is where it goes"
}

// sniProxy returns the configuration of the chain's sni_dynamic_forward_proxy filter, or a Value that does not exist.
func (w *walk) sniProxy() configdump.Value {
	for _, f := range w.chain.network() {
		if strings.HasSuffix(f.kind, ".sni_dynamic_forward_proxy.v3.FilterConfig") {
			return f.config
		}
	}
	return configdump.Value{}
}
