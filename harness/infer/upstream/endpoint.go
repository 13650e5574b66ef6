package upstream

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
	"github.com/flowproof/lab/harness/infer/say"
)

// PickEndpoint decides which host gets the request, as a set with shares where load
// balancing decides.
func PickEndpoint(w *passage.Walk) {
	c := w.Cluster
	switch {
	case c.Kind == "ORIGINAL_DST":
		originalDestination(w)
		return
	case c.ForwardsDynamically():
		dynamicHost(w)
		return
	}
	load := w.Proxy.Endpoints(c)
	if c.Kind == "EDS" && !load.At.Exists() {
		if w.Proxy.Dump.Has(configdump.Endpoints) {
			noEndpoint(w, c.At.Value, "EDS gave no endpoints for it")
		} else {
			unknownEndpoint(w)
		}
		return
	}
	hosts, choices, why := balance(w, c, load)
	unresolved := askDNS(w, c, load)
	if len(hosts) == 0 {
		noEndpoint(w, load.At, why)
		return
	}
	hosts, choices, hashed := byHash(w, c, hosts, choices)
	if unresolved { // what is picked from are addresses that are not known
		choices = nil
	}
	why = say.Join(why, hashed)
	w.Pick = passage.Picked{Hosts: towards(w, hosts), Choices: choices}
	w.Out.Endpoints = hostList(load.Hosts)
	if c.Members() != nil {
		why = say.Join(proxy.AggregateText(c), why)
	}
	hop := flow.Hop{Decision: hosts[0].Address, Why: why}
	if len(hosts) > 1 {
		hop.Decision, hop.Choices = fmt.Sprintf("one of %d endpoints", len(hosts)), choices
		hop.Expect = []flow.Fact{passage.Fact(flow.FactEndpoint, "*")}
	} else {
		hop.Expect = []flow.Fact{passage.Fact(flow.FactEndpoint, seenAs(hosts[0].Address))}
	}
	if len(hosts) < len(load.Hosts) {
		hop.Rejected = passedOver(load.Hosts, hosts)
	}
	source := load.At
	if len(hosts) == 1 {
		source = hosts[0].At
	}
	if name, ok := autoHost(w, c); ok {
		hop.Why = say.Join(hop.Why, "auto_host_rewrite makes its name the host: "+name)
	}
	w.Add(flow.Endpoint, source, hop)
}

// autoHost does what auto_host_rewrite says: the host becomes the endpoint's name, which of a DNS
// cluster is the name that was looked up. Where several endpoints may be picked they have to agree.
func autoHost(w *passage.Walk, c *proxy.Cluster) (name string, ok bool) {
	if w.HCM == nil || !w.Route.Action.Get("auto_host_rewrite").Bool() {
		return "", false
	}
	for i, h := range w.Pick.Hosts {
		own := h.Name(c)
		if i > 0 && own != name {
			return "", false
		}
		name = own
	}
	if host, _ := w.Req.Header.Get(":authority"); name == "" || name == host {
		return "", false
	}
	if w.Out.Rewrite == nil {
		w.Out.Rewrite = &flow.Rewrite{}
	}
	w.Out.Rewrite.Host = name
	return name, true
}

// towards narrows the set to the pod that the way is known to go to.
func towards(w *passage.Walk, hosts []proxy.Host) []proxy.Host {
	for _, h := range hosts {
		addr, err := netip.ParseAddrPort(h.Address)
		if err == nil && slices.Contains(w.Opts.Toward, addr.Addr().String()) {
			return []proxy.Host{h}
		}
	}
	return hosts
}

// passedOver are the hosts that were not picked, up to a readable number.
func passedOver(all, picked []proxy.Host) (rejected []flow.Alternative) {
	const shown = 20
	taken := make(map[configdump.Value]bool, len(picked))
	for _, h := range picked {
		taken[h.At] = true
	}
	for _, h := range all {
		if len(rejected) == shown {
			break
		}
		if !taken[h.At] {
			rejected = append(rejected,
				flow.Alternative{Name: h.Address, Source: h.At.Pointer(), Why: notPicked(h)})
		}
	}
	return rejected
}

func notPicked(h proxy.Host) string {
	if !h.Healthy() {
		return "its health status is " + h.Health
	}
	return fmt.Sprintf("its priority %d, locality %s or subset is not one in use", h.Priority, say.OrNone(h.Locality))
}

func hostList(hosts []proxy.Host) []flow.Host {
	all := make([]flow.Host, 0, len(hosts))
	for _, h := range hosts {
		all = append(all, flow.Host{Address: h.Address, Weight: h.Weight, Priority: h.Priority, Healthy: h.Healthy()})
	}
	return all
}

// noEndpoint is a cluster without a host that may be used: 503 with the flag UH.
func noEndpoint(w *passage.Walk, source configdump.Value, why string) {
	hop := flow.Hop{Decision: "no healthy endpoint", Why: why}
	status := w.StatusOf(503, "UH")
	if status != 0 {
		hop.Why += ": Envoy answers 503 (UH)"
		hop.Expect = passage.StatusFact(status)
	}
	w.Add(flow.Endpoint, source, hop)
	w.Fail(flow.NoHealthyEndpoint, "UH")
	w.Out.Status = status
}

// unknownEndpoint is an EDS cluster in a dump without endpoints, as Envoy wrote them before 1.19
// and writes them without include_eds. Where the way is known to go to a pod, that pod is taken,
// and said so; else the way ends here.
func unknownEndpoint(w *passage.Walk) {
	const missing = "the dump has no EndpointsConfigDump (take it with ?include_eds), so which endpoints the cluster " +
		"has is not known"
	if len(w.Opts.Toward) == 0 {
		w.Add(flow.Endpoint, w.Cluster.At.Value, flow.Hop{Decision: "not known", Why: missing})
		w.Out.Outcome, w.Done = flow.Forwarded, true
		return
	}
	address := net.JoinHostPort(w.Opts.Toward[0], clusterPort(w.Cluster.Name, w.Req.Dst.Port()))
	w.Pick = passage.Picked{Hosts: []proxy.Host{{Address: address, Weight: 1, Assumed: true}}}
	w.Out.Endpoints = []flow.Host{{Address: address, Weight: 1, Healthy: true}}
	w.Add(flow.Endpoint, w.Cluster.At.Value,
		flow.Hop{Decision: address, Why: missing + "; the pod that the way goes to is assumed",
			Assumptions: []flow.Reason{flow.AssumeEndpoint},
			Expect:      []flow.Fact{passage.Fact(flow.FactEndpoint, address)}})
}

// clusterPort is the port in Istio's name of a cluster (outbound|8080||host), or else the
// one that was dialled.
func clusterPort(name string, dialled uint16) string {
	if parts := strings.Split(name, "|"); len(parts) == 4 && parts[1] != "" {
		return parts[1]
	}
	return strconv.Itoa(int(dialled))
}
