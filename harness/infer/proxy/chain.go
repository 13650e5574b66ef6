package proxy

import (
	"fmt"
	"net/netip"
	"sync"

	"github.com/flowproof/lab/harness/configdump"
)

// Values of Decision.FilterChainIndex that are no index.
const (
	defaultChain = -1 // default_filter_chain
	NoChain      = -2 // no chain matched
)

// A FilterChain is envoy.config.listener.v3.FilterChain.
type FilterChain struct {
	At    configdump.Value
	Index int
	Name  string
	Match ChainMatch
	TLS   configdump.Value // transport_socket

	decode  sync.Once
	filters []NetworkFilter
	List    configdump.Value // filters
	HCM     *Manager         // of the HTTP connection manager among them, or nil
}

// A ChainMatch is envoy.config.listener.v3.FilterChainMatch. An empty field matches anything.
type ChainMatch struct {
	At             configdump.Value
	Port           uint16
	Prefixes       []netip.Prefix
	ServerNames    []string
	Transport      string
	Alpn           []string
	DirectPrefixes []netip.Prefix
	SourceType     string
	SourcePrefixes []netip.Prefix
	SourcePorts    []uint16
}

func newFilterChain(v configdump.Value, index int) *FilterChain {
	m := v.Get("filter_chain_match")
	c := &FilterChain{At: v, Index: index, Name: v.Get("name").Text(), TLS: v.Get("transport_socket")}
	c.Match = ChainMatch{
		At: m, Port: uint16(m.Get("destination_port").Uint()), Prefixes: PrefixRanges(m.Get("prefix_ranges")),
		ServerNames: m.Get("server_names").Texts(), Transport: m.Get("transport_protocol").Text(),
		Alpn:           m.Get("application_protocols").Texts(),
		DirectPrefixes: PrefixRanges(m.Get("direct_source_prefix_ranges")),
		SourceType:     m.Get("source_type").Text(), SourcePrefixes: PrefixRanges(m.Get("source_prefix_ranges")),
	}
	for _, p := range m.Get("source_ports").Elements() {
		c.Match.SourcePorts = append(c.Match.SourcePorts, uint16(p.Uint()))
	}
	return c
}

// Label names a chain so that twins with the same name can be told apart.
func (c *FilterChain) Label() string {
	name := c.Name
	if name == "" {
		name = "unnamed"
	}
	if c.Index == defaultChain {
		return name + " (default_filter_chain)"
	}
	return fmt.Sprintf("%s [%d]", name, c.Index)
}

// Types and canonical names of the network filters that decide something.
const (
	managerName = "envoy.filters.network.http_connection_manager"
	ManagerType = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
	TCPName     = "envoy.filters.network.tcp_proxy"
	TCPType     = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
	NetRBACType = "envoy.extensions.filters.network.rbac.v3.RBAC"
	EchoType    = "envoy.extensions.filters.network.echo.v3.Echo"
	DirectType  = "envoy.extensions.filters.network.direct_response.v3.Config"
	SNIName     = "envoy.filters.network.sni_cluster"
	SNIType     = "envoy.extensions.filters.network.sni_cluster.v3.SniCluster"
)

// A NetworkFilter is one filter of a chain with its configuration.
type NetworkFilter struct {
	Name, Kind string
	Config     configdump.Value
}

// Network returns the chain's network filters, decoding them for the first
// connection that comes to it.
func (c *FilterChain) Network() []NetworkFilter {
	c.decode.Do(func() {
		c.List = c.At.Get("filters")
		for _, v := range c.List.Elements() {
			f := NetworkFilter{Name: v.Get("name").Text()}
			f.Config, f.Kind = typedConfig(v)
			c.filters = append(c.filters, f)
			if f.Kind == ManagerType && c.HCM == nil {
				c.HCM = newManager(f.Config)
			}
		}
	})
	return c.filters
}

// TCPProxyOf returns the configuration of a chain's TCP proxy, or a Value that does not exist.
func TCPProxyOf(c *FilterChain) configdump.Value {
	for _, f := range c.Network() {
		if f.Kind == TCPType {
			return f.Config
		}
	}
	return configdump.Value{}
}

// typedConfig returns the configuration of a filter and its type. Filters of Envoy before 1.19
// could be configured by name alone, with "config" or with nothing at all.
func typedConfig(f configdump.Value) (message configdump.Value, kind string) {
	message, kind = f.Get("typed_config").Typed()
	if kind == "" {
		switch f.Get("name").Text() {
		case managerName:
			kind = ManagerType
		case TCPName:
			kind = TCPType
		}
	}
	return message, kind
}
