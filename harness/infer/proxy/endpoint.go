package proxy

import (
	"cmp"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
)

// A LoadAssignment is envoy.config.endpoint.v3.ClusterLoadAssignment.
type LoadAssignment struct {
	At    configdump.Value
	Hosts []Host
	Over  uint64           // overprovisioning_factor in percent
	Drops configdump.Value // drop_overloads
}

// A Host is one LbEndpoint with its locality.
type Host struct {
	At             configdump.Value
	Address        string
	Weight         uint32
	Priority       uint32
	Locality       string
	LocalityWeight uint32
	Health         string
	Hostname       string // that auto_host_rewrite takes
	Metadata       configdump.Value
	Sockets        configdump.Value // of the metadata: envoy.transport_socket_match
	Assumed        bool             // not from a dump: see unknownEndpoint
	Cluster        *Cluster         // of an aggregate's member; nil: the cluster that was chosen
}

// Healthy says whether a host counts as healthy for load balancing; degraded ones count only when
// others are missing.
func (h Host) Healthy() bool { return h.Health == "" || h.Health == "UNKNOWN" || h.Health == "HEALTHY" }

// Load returns the endpoints of a cluster: from EDS, or from the cluster's own load_assignment.
// Those of a DNS cluster are names there, and Envoy reports with its endpoints which addresses DNS
// gave. (ConfigDumpHandler::dumpEndpointConfigs)
func (e *Proxy) Load(c *Cluster) *LoadAssignment {
	name := c.At.Get("eds_cluster_config", "service_name").Text()
	name = cmp.Or(name, c.Name)
	key := c.Kind + " " + name
	return once(e, e.loads, key, func() *LoadAssignment {
		v := c.At.Get("load_assignment")
		if c.Kind == "EDS" {
			v = configdump.Value{}
		}
		if c.Kind == "EDS" || c.AsksDNS() {
			if r, ok := e.Dump.Lookup(configdump.Endpoints, name); ok {
				v = r.Value()
			}
		}
		return newLoadAssignment(v)
	})
}

func newLoadAssignment(v configdump.Value) *LoadAssignment {
	policy := v.Get("policy")
	l := &LoadAssignment{At: v, Over: policy.Get("overprovisioning_factor").Uint(), Drops: policy.Get("drop_overloads")}
	if l.Over == 0 {
		l.Over = 140
	}
	for _, group := range v.Get("endpoints").Elements() {
		g := group.Message()
		loc := g.Get("locality").Message()
		of := Host{Priority: uint32(g.Get("priority").Uint()),
			LocalityWeight: uint32(g.Get("load_balancing_weight").Uint()),
			Locality: strings.Trim(loc.Get("region").Text()+"/"+loc.Get("zone").Text()+"/"+
				loc.Get("sub_zone").Text(), "/")}
		for _, e := range g.Get("lb_endpoints").Elements() {
			l.Hosts = append(l.Hosts, newHost(e, of))
		}
	}
	return l
}

// newHost reads an LbEndpoint; of says what its locality gives to it.
func newHost(v configdump.Value, of Host) Host {
	h, fields := of, v.Message()
	h.At, h.Address = v, AddressText(fields.Get("endpoint", "address"))
	h.Health = fields.Get("health_status").Text()
	if name, ok := healthNames[h.Health]; ok {
		h.Health = name
	}
	h.Metadata = fields.Get("metadata")
	h.Hostname = fields.Get("endpoint", "hostname").Text()
	h.Sockets = h.Metadata.Get("filter_metadata").Key("envoy.transport_socket_match")
	h.Weight = max(1, uint32(fields.Get("load_balancing_weight").Uint()))
	return h
}

// healthNames are the names of envoy.config.core.v3.HealthStatus by their numbers.
var healthNames = map[string]string{
	"0": "UNKNOWN", "1": "HEALTHY", "2": "UNHEALTHY", "3": "DRAINING", "4": "TIMEOUT", "5": "DEGRADED",
}

// Name is what Envoy calls a host: its hostname, which of a DNS cluster is the name that was looked
// up where none is given.
func (h Host) Name(c *Cluster) string {
	if h.Hostname == "" && c.AsksDNS() {
		return h.At.Get("endpoint", "address", "socket_address", "address").Text()
	}
	return h.Hostname
}

// InternalOf returns which internal listener a host is, or "".
func (h Host) InternalOf() string {
	return h.At.Get("endpoint", "address", "envoy_internal_address", "server_listener_name").Text()
}
