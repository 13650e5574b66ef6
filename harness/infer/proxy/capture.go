package proxy

import (
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// The names and ports of Istio's virtual listeners.
var virtualListeners = map[flow.Direction]struct {
	name    string
	port    uint16
	traffic string // of traffic_direction
}{
	flow.Outbound: {"virtualOutbound", OutboundPort, "OUTBOUND"},
	flow.Inbound:  {"virtualInbound", InboundPort, "INBOUND"},
}

// captures are the listeners that take redirected connections of a direction: those that restore
// the original destination and whose traffic_direction is not the other one. Istio's own are known
// by their name, and those at its ports are tried before others.
func (e *Proxy) captures(direction flow.Direction) []*configdump.Resource {
	return once(e, e.capture, direction, func() []*configdump.Resource { return e.findCaptures(direction) })
}

func (e *Proxy) findCaptures(direction flow.Direction) []*configdump.Resource {
	of := virtualListeners[direction]
	if r, ok := e.Dump.Lookup(configdump.Listener, of.name); ok && r.State <= configdump.Active {
		return []*configdump.Resource{r}
	}
	var atPort, others []*configdump.Resource
	for _, r := range e.Dump.Resources(configdump.Listener) {
		if r.State > configdump.Active || protocolOf(r) != OverTCP {
			continue
		}
		if port, ok := PortOf(r); ok && port == of.port {
			atPort = append(atPort, r)
			continue
		}
		if _, ok := PortOf(r); !ok { // one inside of the proxy
			continue
		}
		l := e.Listener(r)
		traffic := strings.ToUpper(l.At.Get("traffic_direction").Text())
		if l.Restores() && (traffic == "" || traffic == "UNSPECIFIED" || traffic == "0" || traffic == of.traffic ||
			traffic == trafficNumbers[of.traffic]) {
			others = append(others, r)
		}
	}
	return append(atPort, others...)
}

// trafficNumbers are the numbers of envoy.config.core.v3.TrafficDirection.
var trafficNumbers = map[string]string{"INBOUND": "1", "OUTBOUND": "2"}

// Ports of Istio: of the virtual listeners, where a dump does not say others.
const (
	OutboundPort = 15001
	InboundPort  = 15006
	DNSPort      = 15053 // of the agent, where it captures DNS
)

// CapturingFor is the listener that takes redirected connections of a direction and a family, in
// bits: 32 or 128; nil where the dump has none.
func (e *Proxy) CapturingFor(direction flow.Direction, family int) *configdump.Resource {
	all := e.captures(direction)
	for _, r := range all {
		if ofFamily(r, family) {
			return r
		}
	}
	if len(all) > 0 { // as dumps have it whose listener serves the other family through the kernel
		return all[0]
	}
	return nil
}

// CapturePort is the port of the listener that takes redirected connections of a direction:
// Istio's where r is nil.
func CapturePort(direction flow.Direction, r *configdump.Resource) uint16 {
	if r != nil {
		if port, ok := PortOf(r); ok {
			return port
		}
	}
	return virtualListeners[direction].port
}
