package infer

import (
	"fmt"
	"net/netip"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
	"github.com/flowproof/lab/harness/infer/say"
)

// A NodePort is what a cluster says about a port that a Service opens on every node. It stands in
// no dump: no proxy of the mesh has to know it.
type NodePort struct {
	Service   string           `json:"service"`         // "name.namespace"
	Name      string           `json:"name"`            // of the Service's port
	Port      uint32           `json:"port"`            // on the nodes
	Endpoints []netip.AddrPort `json:"endpoints"`       // of the ready pods behind it
	Local     bool             `json:"local,omitempty"` // externalTrafficPolicy is Local
}

// throughNode is a call to a port of a node, which kube-proxy translates before any
// sidecar hears of it. Source: Kubernetes' documentation, "Virtual IPs and Service
// Proxies" and "Using Source IP".
func (a *arrival) throughNode(server configdump.Node, path *flow.Path) error {
	port := a.opts.NodePort
	if a.target.port != port.Port {
		return fmt.Errorf("%w: the URL names port %d, and node port %d of Service %s was given", ErrWay,
			a.target.port, port.Port, port.Service)
	}
	node, err := netip.ParseAddr(a.target.host)
	if err != nil {
		return fmt.Errorf("%w: %q is not the address of a node", ErrWay, a.target.host)
	}
	dialled := netip.AddrPortFrom(node, uint16(port.Port))
	hop := flow.Hop{Kind: flow.NodePort, Side: flow.Server}
	var chosen netip.AddrPort
	for _, endpoint := range port.Endpoints {
		hop.Choices = append(hop.Choices, flow.Choice{Name: endpoint.String(), Share: 1 / float64(len(port.Endpoints))})
		if proxy.OwnAddress(server, endpoint.Addr().String()) {
			chosen = endpoint
		}
	}
	if !chosen.IsValid() {
		return fmt.Errorf("%w: none of the %d endpoints of Service %s is the pod of the server's dump, %s at %s "+
			"(give the dump of a pod behind it)", ErrWay,
			len(port.Endpoints), port.Service, server.Proxy(), say.List(server.IPs))
	}
	if len(hop.Choices) == 1 {
		hop.Choices = nil
	}
	hop.Decision = fmt.Sprintf("%s → %s", dialled, chosen)
	hop.Why = fmt.Sprintf("kube-proxy translates port %s of Service %s, which is open on every node, to one of its "+
		"%d ready pods", port.Name, port.Service, len(port.Endpoints))
	if port.Local {
		hop.Why += "; externalTrafficPolicy Local leaves the client's own address"
	} else {
		hop.Why += "; the node's own address takes the place of the client's, so that the answer comes back the same " +
			"way"
		a.opts.Source = "" // one of the node's; nothing says which
	}
	hop.Expect = []flow.Fact{passage.Fact(flow.FactOriginalDst, chosen.String())}
	path.Hops = append(path.Hops, hop)
	a.request = a.firstRequest(chosen.Addr(), a.opts.Source)
	a.request.Direction, a.request.Port = flow.Inbound, uint32(chosen.Port())
	return nil
}
