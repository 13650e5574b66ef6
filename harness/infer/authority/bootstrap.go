package authority

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
)

// entryPrefix marks the listeners that are bound, one for each listener that netfilter or a
// client would reach.
const entryPrefix = "entry:"

// object is a message in JSON.
type object = map[string]any

// A bootstrap turns a dump into a configuration that Envoy starts with.
type bootstrap struct {
	dump  *configdump.Dump
	opts  Options
	stubs *stubs
	keys  *keys
	log   string
}

func (b *bootstrap) build() ([]byte, error) {
	var listeners, clusters []any
	for _, r := range b.dump.Resources(configdump.Listener) {
		if r.State > configdump.Active {
			continue
		}
		both, err := b.listener(r)
		if err != nil {
			return nil, err
		}
		listeners = append(listeners, both...)
	}
	for _, r := range b.dump.Resources(configdump.Cluster) {
		if r.State > configdump.Active {
			continue
		}
		c, err := b.cluster(r)
		if err != nil {
			return nil, err
		}
		clusters = append(clusters, c)
	}
	config := object{
		"node":  object{"id": "authority", "cluster": "authority"},
		"admin": object{"address": socketAddress("127.0.0.1", 0)},
		"bootstrap_extensions": []any{object{"name": "envoy.bootstrap.internal_listener", "typed_config": object{
			"@type": "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener"}}},
		"static_resources": object{"listeners": listeners, "clusters": clusters, "secrets": secrets()},
		// Limits that a test never reaches and Envoy otherwise warns about.
		"overload_manager": object{
			"resource_monitors": []any{object{"name": "envoy.resource_monitors.global_downstream_max_connections",
				"typed_config": object{
					"@type": "type.googleapis.com/envoy.extensions.resource_monitors." +
						"downstream_connections.v3.DownstreamConnectionsConfig",

					"max_active_downstream_connections": 10000}}}},
	}
	if runtime := b.dump.Bootstrap().Get("layered_runtime"); runtime.Exists() {
		layers, err := decode(runtime)
		if err != nil {
			return nil, err
		}
		config["layered_runtime"] = layers
	}
	return json.MarshalIndent(config, "", " ")
}

// secrets are those that filters ask for by name: an OAuth2 client's.
func secrets() []any {
	var all []any
	for _, name := range []string{"token", "hmac"} {
		all = append(all, object{"name": name, "generic_secret": object{"secret": object{"inline_string": name}}})
	}
	return all
}

func socketAddress(host string, port int) object {
	return object{"socket_address": object{"address": host, "port_value": port}}
}

func decode(v configdump.Value) (object, error) {
	var o object
	if err := json.Unmarshal(v.Raw(), &o); err != nil {
		return nil, fmt.Errorf("read %s: %w", v.Pointer(), err)
	}
	return o, nil
}

// listener returns the listener twice: as it is but not bound, so that connections can be handed
// over to its address; and, where it would be bound, as an entry on loopback.
func (b *bootstrap) listener(r *configdump.Resource) ([]any, error) {
	l, err := decode(r.Value())
	if err != nil {
		return nil, err
	}
	delete(l, "@type")
	address, _ := l["address"].(object)
	if socket, _ := address["socket_address"].(object); socket["protocol"] == "UDP" {
		return []any{l}, nil // it takes no connections, and stays where it is
	}
	bound := l["bind_to_port"] != false
	if old, ok := l["deprecated_v1"].(object); ok && old["bind_to_port"] == false {
		bound = false
	}
	delete(l, "deprecated_v1")
	name := r.Name
	l["name"] = name
	delete(l, "reuse_port")
	delete(l, "enable_reuse_port")
	delete(l, "connection_balance_config")
	delete(l, "stat_prefix")
	l["access_log"] = b.accessLog()
	renamed := object{}
	for i, c := range list(l, "filter_chains") {
		if old, ok := c["name"].(string); ok {
			renamed[old] = chainName(name, i)
		}
		if err := b.chain(c, name, i); err != nil {
			return nil, err
		}
	}
	if c, ok := l["default_filter_chain"].(object); ok {
		if err := b.chain(c, name, -1); err != nil {
			return nil, err
		}
	}
	rename(l["filter_chain_matcher"], renamed)
	if _, inside := l["internal_listener"]; inside {
		return []any{l}, nil
	}
	if bound && b.opts.Bound {
		return []any{headed(l)}, nil
	}
	l["bind_to_port"] = false
	all := []any{l}
	if bound {
		all = append(all, entry(l, name))
	}
	return all, nil
}

// list returns the objects of a field that is an array.
func list(o object, field string) []object {
	var all []object
	elements, _ := o[field].([]any)
	for _, e := range elements {
		if m, ok := e.(object); ok {
			all = append(all, m)
		}
	}
	return all
}

func typeOf(filter object) string {
	config, _ := filter["typed_config"].(object)
	t, _ := config["@type"].(string)
	return t
}

// foreign says whether upstream Envoy does not have the extension.
func foreign(filter object) bool {
	t := typeOf(filter)
	return strings.HasSuffix(t, ".TypedStruct") || strings.Contains(t, "istio") ||
		strings.Contains(t, "/stats.PluginConfig") ||
		strings.HasSuffix(t, ".metadataexchange.config.MetadataExchange") || strings.Contains(t, "wasm")
}

// chainName tells the listener and the index of a filter chain; -1 is the default chain.
func chainName(listener string, index int) string { return fmt.Sprintf("%s#%d", listener, index) }

// rename gives the actions of a filter_chain_matcher the chains' new names.
func rename(v any, names object) {
	switch v := v.(type) {
	case object:
		if t, _ := v["@type"].(string); strings.HasSuffix(t, "google.protobuf.StringValue") {
			if old, ok := v["value"].(string); ok && names[old] != nil {
				v["value"] = names[old]
			}
		}
		for _, e := range v {
			rename(e, names)
		}
	case []any:
		for _, e := range v {
			rename(e, names)
		}
	}
}

func (b *bootstrap) chain(c object, listener string, index int) error {
	c["name"] = chainName(listener, index)
	var kept []any
	for _, f := range list(c, "filters") {
		if foreign(f) {
			continue
		}
		kept = append(kept, f)
		config, _ := f["typed_config"].(object)
		switch {
		case strings.HasSuffix(typeOf(f), ".HttpConnectionManager"):
			if err := b.manager(config); err != nil {
				return err
			}
		case strings.HasSuffix(typeOf(f), ".TcpProxy"):
			config["access_log"] = b.accessLog()
		}
	}
	c["filters"] = kept
	if socket, ok := c["transport_socket"].(object); ok {
		b.certify(socket)
	}
	return nil
}

// manager gives an HTTP connection manager its routes inline and an access log, and takes out what
// Envoy does not have.
func (b *bootstrap) manager(m object) error {
	m["access_log"] = b.accessLog()
	delete(m, "tracing")
	delete(m, "access_log_options")
	if rds, ok := m["rds"].(object); ok {
		name, _ := rds["route_config_name"].(string)
		delete(m, "rds")
		m["route_config"] = object{"name": name, "virtual_hosts": []any{}}
		if r, ok := b.dump.Lookup(configdump.RouteConfig, name); ok {
			routes, err := decode(r.Value())
			if err != nil {
				return err
			}
			delete(routes, "@type")
			m["route_config"] = routes
		}
	}
	if routes, ok := m["route_config"].(object); ok {
		nameRoutes(routes)
	}
	var kept []any
	for _, f := range list(m, "http_filters") {
		if !foreign(f) {
			kept = append(kept, f)
		}
	}
	m["http_filters"] = kept
	return nil
}

// nameRoutes gives each route a name that tells virtual host and index.
func nameRoutes(config object) {
	config["validate_clusters"] = false
	for _, vh := range list(config, "virtual_hosts") {
		for i, r := range list(vh, "routes") {
			r["name"] = fmt.Sprintf("%v#%d", vh["name"], i)
			delete(r, "decorator")
			if action, ok := r["route"].(object); ok {
				delete(action, "request_mirror_policies")
			}
		}
	}
}

// accessLog writes one JSON object a line for each request, TCP stream or refused connection.
func (b *bootstrap) accessLog() []any {
	return []any{object{"name": "envoy.access_loggers.file", "typed_config": object{
		"@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog", "path": b.log,
		"log_format": object{"json_format": object{
			"from": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%", "chain": "%FILTER_CHAIN_NAME%",
			"cluster": "%UPSTREAM_CLUSTER_RAW%",
			"route":   "%ROUTE_NAME%", "code": "%RESPONSE_CODE%", "flags": "%RESPONSE_FLAGS%",
			"details": "%RESPONSE_CODE_DETAILS%", "host": "%UPSTREAM_HOST%", "method": "%REQ(:METHOD)%",
			"attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
		}}}}}
}

// cluster puts a stub behind the cluster, or, with KeepEndpoints, a stub on each of its endpoints.
func (b *bootstrap) cluster(r *configdump.Resource) (object, error) {
	c, err := decode(r.Value())
	if err != nil {
		return nil, err
	}
	delete(c, "@type")
	if b.opts.KeepEndpoints {
		return b.keptCluster(c, r)
	}
	kept := object{"name": r.Name, "connect_timeout": "5s", "type": "STATIC"}
	for _, field := range []string{"typed_extension_protocol_options", "http2_protocol_options",
		"protocol_selection", "metadata", "circuit_breakers"} {
		if v, ok := c[field]; ok {
			kept[field] = v
		}
	}
	if b.opts.KeepTLS {
		b.transport(c, kept)
	}
	empty := c["type"] == "STATIC" || c["type"] == nil && c["cluster_type"] == nil
	if assignment, ok := c["load_assignment"].(object); empty && (!ok || len(list(assignment, "endpoints")) == 0) {
		kept["load_assignment"] = object{"cluster_name": r.Name}
		return kept, nil
	}
	if c["type"] == "EDS" && b.dump.Has(configdump.Endpoints) && b.firstEndpoint(c, r.Name) == nil {
		kept["load_assignment"] = object{"cluster_name": r.Name}
		return kept, nil
	}
	address, err := b.stubs.cluster(r.Name)
	if err != nil {
		return nil, err
	}
	var metadata any
	if first := b.firstEndpoint(c, r.Name); first != nil {
		metadata = first["metadata"]
	}
	behind := assignment(r.Name, address, metadata)
	if own, ok := c["load_assignment"].(object); ok && own["policy"] != nil {
		behind["policy"] = own["policy"]
	}
	kept["load_assignment"] = behind
	return kept, nil
}

func assignment(name, address string, metadata any) object {
	host, port, _ := net.SplitHostPort(address)
	n, _ := strconv.Atoi(port)
	endpoint := object{"endpoint": object{"address": socketAddress(host, n)}}
	if metadata != nil {
		endpoint["metadata"] = metadata
	}
	return object{"cluster_name": name, "endpoints": []any{object{"lb_endpoints": []any{endpoint}}}}
}

// firstEndpoint returns the first endpoint of a cluster, by EDS or its own, or nil.
func (b *bootstrap) firstEndpoint(c object, name string) object {
	load, _ := c["load_assignment"].(object)
	if r, ok := b.dump.Lookup(configdump.Endpoints, name); ok {
		if o, err := decode(r.Value()); err == nil {
			load = o
		}
	}
	for _, group := range list(load, "endpoints") {
		for _, e := range list(group, "lb_endpoints") {
			return e
		}
	}
	return nil
}

// keptCluster keeps the endpoints, which have to be loopback addresses, as a static cluster.
func (b *bootstrap) keptCluster(c object, r *configdump.Resource) (object, error) {
	if c["type"] == "EDS" {
		c["type"] = "STATIC"
		delete(c, "eds_cluster_config")
		c["load_assignment"] = object{"cluster_name": r.Name}
		if e, ok := b.dump.Lookup(configdump.Endpoints, r.Name); ok {
			load, err := decode(e.Value())
			if err != nil {
				return nil, err
			}
			delete(load, "@type")
			c["load_assignment"] = load
		}
	}
	b.transport(c, c)
	load, _ := c["load_assignment"].(object)
	for _, group := range list(load, "endpoints") {
		for _, e := range list(group, "lb_endpoints") {
			endpoint, _ := e["endpoint"].(object)
			address, _ := endpoint["address"].(object)
			socket, _ := address["socket_address"].(object)
			if socket == nil {
				continue
			}
			host := fmt.Sprint(socket["address"])
			if _, err := netip.ParseAddr(host); err != nil {
				continue // a name: the stub stands where DNS leads to
			}
			if _, err := b.stubs.at(net.JoinHostPort(host, fmt.Sprint(socket["port_value"]))); err != nil {
				return nil, err
			}
		}
	}
	return c, nil
}
