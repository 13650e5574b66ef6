package infer

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// A loadAssignment is envoy.config.endpoint.v3.ClusterLoadAssignment.
type loadAssignment struct {
	at    configdump.Value
	hosts []host
	over  uint64 // overprovisioning_factor in percent
}

// A host is one LbEndpoint with its locality.
type host struct {
	at             configdump.Value
	address        string
	weight         uint32
	priority       uint32
	locality       string
	localityWeight uint32
	health         string
	hostname       string // that auto_host_rewrite takes
	metadata       configdump.Value
	sockets        configdump.Value // of the metadata: envoy.transport_socket_match
	assumed        bool             // not from a dump: see unknownEndpoint
	cluster        *cluster         // of an aggregate's member; nil: the cluster that was chosen
}

// healthy says whether a host counts as healthy for load balancing; degraded ones count only when others are missing.
func (h host) healthy() bool { return h.health == "" || h.health == "UNKNOWN" || h.health == "HEALTHY" }

// load returns the endpoints of a cluster: from EDS, or from the cluster's own load_assignment.
func (e *Engine) load(c *cluster) *loadAssignment {
	name := c.at.Get("eds_cluster_config", "service_name").Text()
	setDefault(&name, c.name)
	key := c.kind + " " + name
	return once(e, e.loads, key, func() *loadAssignment {
		v := c.at.Get("load_assignment")
		if c.kind == "EDS" {
			v = configdump.Value{}
			if r, ok := e.dump.Lookup(configdump.Endpoints, name); ok {
				v = r.Value()
			}
		}
		return newLoadAssignment(v)
	})
}

func newLoadAssignment(v configdump.Value) *loadAssignment {
	l := &loadAssignment{at: v, over: v.Get("policy", "overprovisioning_factor").Uint()}
	if l.over == 0 {
		l.over = 140
	}
	for _, group := range v.Get("endpoints").Elements() {
		g := group.Message()
		loc := g.Get("locality").Message()
		of := host{priority: uint32(g.Get("priority").Uint()), localityWeight: uint32(g.Get("load_balancing_weight").Uint()),
			locality: strings.Trim(loc.Get("region").Text()+"/"+loc.Get("zone").Text()+"/"+loc.Get("sub_zone").Text(), "/")}
		for _, e := range g.Get("lb_endpoints").Elements() {
			l.hosts = append(l.hosts, newHost(e, of))
		}
	}
	return l
}

// newHost reads an LbEndpoint; of says what its locality gives to it.
func newHost(v configdump.Value, of host) host {
	h, fields := of, v.Message()
	h.at, h.address, h.health = v, addressText(fields.Get("endpoint", "address")), fields.Get("health_status").Text()
	h.metadata = fields.Get("metadata")
	h.hostname = fields.Get("endpoint", "hostname").Text()
	h.sockets = h.metadata.Get("filter_metadata", "envoy.transport_socket_match")
	h.weight = max(1, uint32(fields.Get("load_balancing_weight").Uint()))
	return h
}

// A picked is what load balancing came to: one host, or the set that it picks from.
type picked struct {
	hosts    []host
	choices  []flow.Choice // all that may be picked, where hosts has only the one that the way is followed to
	original bool          // the original destination
}

// address returns the address when there is only one.
func (p picked) address() string {
	if len(p.hosts) == 1 {
		return p.hosts[0].address
	}
	return ""
}

// pickEndpoint decides which host gets the request, as a set with shares where load balancing decides.
func (w *walk) pickEndpoint() {
	c := w.cluster
	switch {
	case c.kind == "ORIGINAL_DST":
		w.originalDestination()
		return
	case c.forwardsDynamically():
		w.dynamicHost()
		return
	}
	load := w.e.load(c)
	if c.members() != nil {
		load = w.e.aggregated(c, 0)
	}
	if c.kind == "EDS" && !load.at.Exists() {
		if w.e.dump.Has(configdump.Endpoints) {
			w.noEndpoint(c.at.Value, "EDS gave no endpoints for it")
		} else {
			w.unknownEndpoint()
		}
		return
	}
	hosts, choices, why := w.balance(c, load)
	if len(hosts) == 0 {
		w.noEndpoint(load.at, why)
		return
	}
	hosts, choices, hashed := w.byHash(c, hosts, choices)
	why = joinWhy(why, hashed)
	w.pick = picked{hosts: w.towards(hosts), choices: choices}
	w.out.Endpoints = hostList(load.hosts)
	if c.members() != nil {
		why = joinWhy(aggregateText(c), why)
	}
	hop := flow.Hop{Decision: hosts[0].address, Why: why}
	if len(hosts) > 1 {
		hop.Decision, hop.Choices = fmt.Sprintf("one of %d endpoints", len(hosts)), choices
		hop.Expect = []flow.Fact{fact(flow.FactEndpoint, "*")}
	} else {
		hop.Expect = []flow.Fact{fact(flow.FactEndpoint, hosts[0].address)}
	}
	for _, h := range load.hosts {
		if !contains(hosts, h) && len(hop.Rejected) < 20 {
			hop.Rejected = append(hop.Rejected, flow.Alternative{Name: h.address, Source: h.at.Pointer(), Why: notPicked(h)})
		}
	}
	source := load.at
	if len(hosts) == 1 {
		source = hosts[0].at
	}
	if name, ok := w.autoHost(c); ok {
		hop.Why = joinWhy(hop.Why, "auto_host_rewrite makes its name the host: "+name)
	}
	w.add(flow.Endpoint, source, hop)
}

// autoHost does what auto_host_rewrite says: the host becomes the endpoint's name, which of a DNS cluster is the name that
// was looked up. Where several endpoints may be picked they have to agree.
func (w *walk) autoHost(c *cluster) (name string, ok bool) {
	if w.hcm == nil || !w.route.action.Get("auto_host_rewrite").Bool() {
		return "", false
	}
	for i, h := range w.pick.hosts {
		own := h.name(c)
		if i > 0 && own != name {
			return "", false
		}
		name = own
	}
	if host, _ := w.req.header.Get(":authority"); name == "" || name == host {
		return "", false
	}
	if w.out.Rewrite == nil {
		w.out.Rewrite = &flow.Rewrite{}
	}
	w.out.Rewrite.Host = name
	return name, true
}

// name is what Envoy calls a host: its hostname, which of a DNS cluster is the name that was looked up where none is given.
func (h host) name(c *cluster) string {
	if h.hostname == "" && strings.HasSuffix(c.kind, "_DNS") {
		return h.at.Get("endpoint", "address", "socket_address", "address").Text()
	}
	return h.hostname
}

// towards narrows the set to the pod that the way is known to go to.
func (w *walk) towards(hosts []host) []host {
	for _, h := range hosts {
		addr, err := netip.ParseAddrPort(h.address)
		if err == nil && slices.Contains(w.opts.toward, addr.Addr().String()) {
			return []host{h}
		}
	}
	return hosts
}

func contains(hosts []host, h host) bool {
	for _, o := range hosts {
		if o.at == h.at {
			return true
		}
	}
	return false
}

func notPicked(h host) string {
	if !h.healthy() {
		return "its health status is " + h.health
	}
	return fmt.Sprintf("its priority %d, locality %s or subset is not one in use", h.priority, orNone(h.locality))
}

func hostList(hosts []host) []flow.Host {
	all := make([]flow.Host, 0, len(hosts))
	for _, h := range hosts {
		all = append(all, flow.Host{Address: h.address, Weight: h.weight, Priority: h.priority, Healthy: h.healthy()})
	}
	return all
}

// noEndpoint is a cluster without a host that may be used: 503 with the flag UH.
func (w *walk) noEndpoint(source configdump.Value, why string) {
	hop := flow.Hop{Decision: "no healthy endpoint", Why: why}
	status := w.statusOf(503)
	if status != 0 {
		hop.Why += ": Envoy answers 503 (UH)"
		hop.Expect = statusFact(status)
	}
	w.add(flow.Endpoint, source, hop)
	w.fail(flow.NoHealthyEndpoint, "UH")
	w.out.Status = status
}

// unknownEndpoint is an EDS cluster in a dump without endpoints, as Envoy wrote them before 1.19 and writes them without
// include_eds. Where the way is known to go to a pod, that pod is taken, and said so; else the way ends here.
func (w *walk) unknownEndpoint() {
	const missing = "the dump has no EndpointsConfigDump (take it with ?include_eds), so which endpoints the cluster has is not known"
	if len(w.opts.toward) == 0 {
		w.add(flow.Endpoint, w.cluster.at.Value, flow.Hop{Decision: "not known", Why: missing})
		w.out.Outcome, w.done = flow.Forwarded, true
		return
	}
	address := net.JoinHostPort(w.opts.toward[0], clusterPort(w.cluster.name, w.req.dst.Port()))
	w.pick = picked{hosts: []host{{address: address, weight: 1, assumed: true}}}
	w.out.Endpoints = []flow.Host{{Address: address, Weight: 1, Healthy: true}}
	w.add(flow.Endpoint, w.cluster.at.Value, flow.Hop{Decision: address, Why: missing + "; the pod that the way goes to is assumed",
		Assumptions: []flow.Reason{flow.AssumeEndpoint},
		Expect:      []flow.Fact{fact(flow.FactEndpoint, address)}})
}

// clusterPort is the port in Istio's name of a cluster (outbound|8080||host), or else the one that was dialled.
func clusterPort(name string, dialled uint16) string {
	if parts := strings.Split(name, "|"); len(parts) == 4 && parts[1] != "" {
		return parts[1]
	}
	return strconv.Itoa(int(dialled))
}
