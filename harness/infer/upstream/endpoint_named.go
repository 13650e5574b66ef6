package upstream

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
	"github.com/flowproof/lab/harness/infer/say"
)

// This file holds the clusters whose host may be in no dump: the request itself names it, as with
// ORIGINAL_DST and dynamic_forward_proxy, or DNS does.

// Filter state that names a host, by the filters that read it.
const (
	stateOriginalDst = "envoy.network.transport_socket.original_dst_address"
	stateDynamicHost = "envoy.upstream.dynamic_host"
	stateDynamicPort = "envoy.upstream.dynamic_port"
)

// originalDestination is the host of an ORIGINAL_DST cluster: what filter state, metadata or a
// header of the request says, or where the client wanted to go.
// (OriginalDstCluster::LoadBalancer::chooseHost)
func originalDestination(w *passage.Walk) {
	config := w.Cluster.At.Get("original_dst_lb_config")
	to, why := namedDestination(w, config)
	if !to.IsValid() && w.Conn.Restored {
		to, why = w.Conn.Local, say.Join("an ORIGINAL_DST cluster sends to the connection's original destination", why)
	}
	if !to.IsValid() {
		noEndpoint(w, w.Cluster.At.Value, say.Join(
			"the cluster is ORIGINAL_DST and the connection was not redirected, so there is no original destination",
			why))
		return
	}
	if port := config.Get("upstream_port_override").Uint(); port != 0 {
		to, why = netip.AddrPortFrom(to.Addr(), uint16(port)), why+", with upstream_port_override"
	}
	sendTo(w, to.String(), why, true)
}

// namedDestination is what overrides the original destination, in the order in which Envoy asks.
// Not valid: nothing does.
func namedDestination(w *passage.Walk, config configdump.Value) (to netip.AddrPort, why string) {
	if text, ok := w.StateText(stateOriginalDst); ok {
		if to, err := netip.ParseAddrPort(text); err == nil {
			return to, "filter state " + stateOriginalDst + " names the destination"
		}
	}
	if key := config.Get("metadata_key"); key.Exists() {
		text, ok := w.MetadataText(key)
		if to, err := netip.ParseAddrPort(text); ok && err == nil {
			return to, "original_dst_lb_config takes the destination from metadata " + key.Get("key").Text()
		}
	}
	if !config.Get("use_http_header").Bool() || w.HCM == nil {
		return to, ""
	}
	name := config.Get("http_header_name").Text()
	name = cmp.Or(name, "x-envoy-original-dst-host")
	value, ok := w.Req.Header.Get(name)
	if cause, open := w.Req.Header.Open(name); open {
		w.Open(flow.WhatHost, cause.On, cause.Why, config)
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
func sendTo(w *passage.Walk, address, why string, original bool) {
	w.Pick = passage.Picked{Hosts: []proxy.Host{{Address: address, Weight: 1}}, Original: original}
	w.Out.Endpoints = []flow.Host{{Address: address, Weight: 1, Healthy: true}}
	w.Add(flow.Endpoint, w.Cluster.At.Value,
		flow.Hop{Decision: address, Why: why, Expect: []flow.Fact{passage.Fact(flow.FactEndpoint, seenAs(address))}})
}

// dynamicHost is the host of a dynamic_forward_proxy cluster: the request's own, or the server name
// of a connection that no connection manager opens. DNS says its address, unless it is one.
// (dynamic_forward_proxy::Cluster::LoadBalancer::chooseHost)
func dynamicHost(w *passage.Walk) {
	name, port, why := dynamicName(w)
	if name == "" {
		noEndpoint(w, w.Cluster.At.Value, "the cluster is dynamic_forward_proxy, and "+why)
		return
	}
	address := net.JoinHostPort(strings.Trim(name, "[]"), port)
	w.Pick.Hosts = []proxy.Host{{Hostname: name}}
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err != nil {
		w.Open(flow.WhatAddress, "DNS", "the cluster is dynamic_forward_proxy, and DNS says the address of "+name,
			w.Cluster.At.Value)
		why += "; DNS says its address"
	}
	sendTo(w, address, why, false)
	w.Pick.Hosts[0].Hostname = name
}

// dynamicName is the name and port that a dynamic_forward_proxy cluster sends to. The default port
// is that of the cluster's transport socket.
func dynamicName(w *passage.Walk) (name, port, why string) {
	standard := "80"
	if sockets := w.Cluster.Sockets(); sockets[len(sockets)-1].TLS != nil {
		standard = "443"
	}
	if w.HCM == nil {
		if p := sniProxy(w).Get("port_value"); p.Exists() {
			standard = p.Text()
		} else if sniProxy(w).Exists() {
			standard = "443"
		}
	}
	port = standard
	if text, ok := w.StateText(stateDynamicPort); ok {
		port = text
	}
	if text, ok := w.StateText(stateDynamicHost); ok {
		return text, port, "filter state " + stateDynamicHost + " names the host"
	}
	if w.HCM == nil {
		if w.Conn.ServerName == "" {
			return "", "", "neither filter state nor a server name names the host"
		}
		return w.Conn.ServerName, port, "the connection's server name is the host"
	}
	host, _ := w.Req.Header.Get(":authority")
	host = cmp.Or(w.RewrittenHost(), host)
	if host == "" {
		return "", "", "the request has no host"
	}
	name, own := match.SplitPort(host)
	if own != "" && match.Digits(own) {
		port = own
	}
	return name, port, "the cluster is dynamic_forward_proxy: the request's own host is where it goes"
}

// seenAs is what a connection to a host shows of it, as a pattern: of a name the port alone, since
// DNS says the address.
func seenAs(address string) string {
	if _, err := netip.ParseAddrPort(address); err == nil {
		return address
	}
	if host, port, err := net.SplitHostPort(address); err == nil && host != "" && match.Digits(port) {
		return "*:" + port
	}
	return address
}

// askDNS opens the addresses of a DNS cluster's endpoints where the dump does not have them: DNS
// had given none, or the dump is one without endpoints and has their names alone. It says whether
// it is so.
func askDNS(w *passage.Walk, c *proxy.Cluster, load *proxy.LoadAssignment) bool {
	if !c.AsksDNS() {
		return false
	}
	if names := c.At.Get("load_assignment", "endpoints"); len(load.Hosts) == 0 && names.Element(0).Exists() {
		w.Open(flow.WhatAddress, "DNS", "DNS had given no address of the cluster's endpoints when the dump was taken",
			names)
		return true
	}
	for _, h := range load.Hosts {
		if _, err := netip.ParseAddrPort(h.Address); err != nil {
			w.Open(flow.WhatAddress, "DNS", "DNS says the address of "+h.Address, h.At)
			return true
		}
	}
	return false
}

// sniProxy returns the configuration of the chain's sni_dynamic_forward_proxy filter, or a Value
// that does not exist.
func sniProxy(w *passage.Walk) configdump.Value {
	for _, f := range w.Chain.Network() {
		if strings.HasSuffix(f.Kind, ".sni_dynamic_forward_proxy.v3.FilterConfig") {
			return f.Config
		}
	}
	return configdump.Value{}
}
