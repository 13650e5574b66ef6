//go:build linux && amd64

package testbed

import (
	"fmt"
	"strings"
)

// config is the testbed's bootstrap: two listeners with the listener filters of a sidecar, a filter
// chain with a name, and routes of each kind to a cluster of its own.
func (t *Testbed) config() string {
	var listeners, clusters strings.Builder
	for i, r := range t.Routes {
		filter := ""
		if r.Claims {
			filter = proxyFilter
		}
		entries := ""
		for _, e := range Entries {
			entries += e.config(r, t.Routes[(i+1)%len(t.Routes)].Cluster)
		}
		fmt.Fprintf(&listeners, listenerConfig, r.Port, filter, r.Chain, entries)
		fmt.Fprintf(&clusters, clusterConfig, r.Cluster, r.upstream)
	}
	return "static_resources:\n  listeners:\n" + listeners.String() + "  clusters:\n" + clusters.String()
}

const listenerConfig = `  - address: {socket_address: {address: 127.0.0.1, port_value: %d}}
    listener_filters:%s
    - name: envoy.filters.listener.original_dst
      typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst}
    - name: envoy.filters.listener.tls_inspector
      typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector}
    - name: envoy.filters.listener.http_inspector
      typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.listener.http_inspector.v3.HttpInspector}
    filter_chains:
    - name: %s
      filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: proof
          route_config:
            request_headers_to_add: [{header: {key: x-flowproof-connection, value: "%%CONNECTION_ID%%"}}]
            virtual_hosts:
            - name: proof
              domains: ["*"]
              routes:%s
          http_filters:
          - name: envoy.filters.http.fault
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault
              delay: {header_delay: {}, percentage: {numerator: 100}}
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
`

// proxyFilter takes a connection's client to be whom the PROXY protocol names, where it is spoken.
const proxyFilter = `
    - name: envoy.filters.listener.proxy_protocol
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol
        allow_requests_without_proxy_protocol: true`

const clusterConfig = `  - name: %[1]s
    alt_stat_name: not-%[1]s
    connect_timeout: 5s
    load_assignment:
      cluster_name: %[1]s
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %[2]d}}}}]}]
`
