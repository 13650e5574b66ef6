package configdump

// Kind is a kind of resource that a dump holds.
type Kind uint8

// The kinds of resources, by the name of their xDS type.
const (
	Listener    Kind = iota + 1 // envoy.config.listener.v3.Listener
	RouteConfig                 // envoy.config.route.v3.RouteConfiguration
	Cluster                     // envoy.config.cluster.v3.Cluster
	Endpoints                   // envoy.config.endpoint.v3.ClusterLoadAssignment
	ScopedRoute                 // envoy.config.route.v3.ScopedRouteConfiguration
	Secret                      // envoy.extensions.transport_sockets.tls.v3.Secret
	Extension                   // envoy.config.core.v3.TypedExtensionConfig, by ECDS
)

// section returns the name of the section that holds resources of the kind.
func (k Kind) section() string {
	return [...]string{"", "ListenersConfigDump", "RoutesConfigDump", "ClustersConfigDump", "EndpointsConfigDump",
		"ScopedRoutesConfigDump", "SecretsConfigDump", "EcdsConfigDump"}[k]
}

func (k Kind) hint() string {
	if k == Endpoints {
		return " (take the dump with ?include_eds; Envoy writes it since 1.19)"
	}
	return " (take the dump without a filter)"
}

// State says whether a resource is in use.
type State uint8

// The states of a resource, in the order in which Lookup prefers them.
const (
	Static State = iota
	Active
	Warming
	Draining
	Failed
)

// String returns the state as Envoy's field names say it.
func (s State) String() string {
	return [...]string{"static", "active", "warming", "draining", "error"}[s]
}

// A Resource is one listener, route configuration, cluster or load assignment of a dump.
type Resource struct {
	Kind      Kind
	Name      string
	State     State
	Addresses []Value // of a listener: address and additional_addresses, each as it stands
	value     Value
}

// Value returns the resource's own message.
func (r *Resource) Value() Value { return r.value }

// A shape says how resources of one kind stand in one array of a section.
type shape struct {
	kind  Kind
	state State
	field string // of the array's element that holds the resource
}

// arrays maps the arrays of all sections to the shape of their elements.
var arrays = map[string]shape{
	"static_listeners":             {Listener, Static, "listener"},
	"dynamic_listeners":            {Listener, Active, "active_state"},
	"static_clusters":              {Cluster, Static, "cluster"},
	"dynamic_active_clusters":      {Cluster, Active, "cluster"},
	"dynamic_warming_clusters":     {Cluster, Warming, "cluster"},
	"static_route_configs":         {RouteConfig, Static, "route_config"},
	"dynamic_route_configs":        {RouteConfig, Active, "route_config"},
	"static_endpoint_configs":      {Endpoints, Static, "endpoint_config"},
	"dynamic_endpoint_configs":     {Endpoints, Active, "endpoint_config"},
	"inline_scoped_route_configs":  {ScopedRoute, Static, "scoped_route_configs"},
	"dynamic_scoped_route_configs": {ScopedRoute, Active, "scoped_route_configs"},
	"static_secrets":               {Secret, Static, "secret"},
	"dynamic_active_secrets":       {Secret, Active, "secret"},
	"dynamic_warming_secrets":      {Secret, Warming, "secret"},
	"ecds_filters":                 {Extension, Active, "ecds_filter"},
}

// singles maps the type of an element, which /config_dump?resource=… returns without its
// array, to the array.
var singles = map[string]string{
	"ListenersConfigDump.StaticListener":        "static_listeners",
	"ListenersConfigDump.DynamicListener":       "dynamic_listeners",
	"ClustersConfigDump.StaticCluster":          "static_clusters",
	"ClustersConfigDump.DynamicCluster":         "dynamic_active_clusters",
	"RoutesConfigDump.StaticRouteConfig":        "static_route_configs",
	"RoutesConfigDump.DynamicRouteConfig":       "dynamic_route_configs",
	"EndpointsConfigDump.StaticEndpointConfig":  "static_endpoint_configs",
	"EndpointsConfigDump.DynamicEndpointConfig": "dynamic_endpoint_configs",
	"SecretsConfigDump.DynamicSecret":           "dynamic_active_secrets",
	"EcdsConfigDump.EcdsFilterConfig":           "ecds_filters",
}
