package infer

import (
	"net/netip"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// The transport protocols of listeners. A UDP listener and a TCP listener may have the same address.
const (
	overTCP = "tcp"
	udp     = "udp"
)

// An addressTable finds listeners by the address they are for, as Envoy's connection handler does.
type addressTable struct {
	all   map[netip.AddrPort]*configdump.Resource // every listener, bound or not
	bound map[netip.AddrPort]*configdump.Resource // those that bind a socket
}

// table returns the addresses of the listeners of a transport protocol that are in use.
func (e *Engine) table(protocol string) *addressTable {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.addresses == nil {
		e.addresses = map[string]*addressTable{}
		for _, p := range []string{overTCP, udp} {
			e.addresses[p] = &addressTable{all: map[netip.AddrPort]*configdump.Resource{}, bound: map[netip.AddrPort]*configdump.Resource{}}
		}
		for _, r := range e.dump.Resources(configdump.Listener) {
			if r.State <= configdump.Active {
				e.addresses[protocolOf(r)].insert(r)
			}
		}
	}
	return e.addresses[protocol]
}

// protocolOf is the transport protocol of a listener: that of its socket address.
func protocolOf(r *configdump.Resource) string {
	for _, a := range r.Addresses {
		if p := a.Get("socket_address", "protocol").Text(); p == "UDP" || p == "1" {
			return udp
		}
	}
	return overTCP
}

// insert enters a listener under its addresses. bind_to_port stood in deprecated_v1 until Envoy 1.20.
func (t *addressTable) insert(r *configdump.Resource) {
	v := r.Value()
	bound := !isFalse(v.Get("bind_to_port")) && !isFalse(v.Get("deprecated_v1", "bind_to_port"))
	for _, a := range addressesOf(r) {
		t.put(a, r, bound)
	}
}

// addressesOf are a listener's address and its additional_addresses.
func addressesOf(r *configdump.Resource) []configdump.Value {
	var all []configdump.Value
	for _, a := range r.Addresses {
		if !a.IsArray() {
			all = append(all, a)
		}
		for _, more := range a.Elements() {
			all = append(all, more.Get("address"))
		}
	}
	return all
}

func (t *addressTable) put(address configdump.Value, r *configdump.Resource, bound bool) {
	for _, k := range keysOf(address) {
		if t.all[k] == nil {
			t.all[k] = r
		}
		if bound && t.bound[k] == nil {
			t.bound[k] = r
		}
	}
}

// keysOf are the addresses that a listener's address stands for: [::] with ipv4_compat is for both families.
func keysOf(address configdump.Value) []netip.AddrPort {
	addr, ok := socketAddress(address)
	if !ok {
		return nil
	}
	keys := []netip.AddrPort{addr}
	if addr.Addr() == netip.IPv6Unspecified() && address.Get("socket_address", "ipv4_compat").Bool() {
		keys = append(keys, netip.AddrPortFrom(netip.IPv4Unspecified(), addr.Port()))
	}
	return keys
}

// exactAndWildcard returns the keys under which a destination is looked up, in order: its own ip:port, then all
// addresses of its port. (ConnectionHandlerImpl::getBalancedHandlerByAddress)
func exactAndWildcard(dst netip.AddrPort) (exact, wildcard netip.AddrPort) {
	any := netip.IPv4Unspecified()
	if dst.Addr().Is6() {
		any = netip.IPv6Unspecified()
	}
	return dst, netip.AddrPortFrom(any, dst.Port())
}

// boundAt returns the listener whose socket takes a connection to an address; nil where there is none. An address that is not
// valid is one of the pod's, and which is not known: a socket on all addresses is preferred.
func (e *Engine) boundAt(to netip.AddrPort, family int) *listener {
	bound := e.table(overTCP).bound
	if to.Addr().IsValid() {
		exact, wildcard := exactAndWildcard(to)
		for _, key := range []netip.AddrPort{exact, wildcard} {
			if r := bound[key]; r != nil {
				return e.listener(r)
			}
		}
		return nil
	}
	var one *listener
	for key, r := range bound {
		if key.Port() != to.Port() || key.Addr().BitLen() != family {
			continue
		}
		if key.Addr().IsUnspecified() {
			return e.listener(r)
		}
		if one == nil || e.listener(r).name < one.name {
			one = e.listener(r)
		}
	}
	return one
}

// The names and ports of Istio's virtual listeners.
var virtualListeners = map[flow.Direction]struct {
	name    string
	port    uint16
	traffic string // of traffic_direction
}{
	flow.Outbound: {"virtualOutbound", outboundPort, "OUTBOUND"}, flow.Inbound: {"virtualInbound", inboundPort, "INBOUND"},
}

// captures are the listeners that take redirected connections of a direction: those that restore the original destination
// and whose traffic_direction is not the other one. Istio's own are known by their name, and those at its ports are tried
// before others.
func (e *Engine) captures(direction flow.Direction) []*configdump.Resource {
	return once(e, e.capture, direction, func() []*configdump.Resource { return e.findCaptures(direction) })
}

func (e *Engine) findCaptures(direction flow.Direction) []*configdump.Resource {
	of := virtualListeners[direction]
	if r, ok := e.dump.Lookup(configdump.Listener, of.name); ok && r.State <= configdump.Active {
		return []*configdump.Resource{r}
	}
	var atPort, others []*configdump.Resource
	for _, r := range e.dump.Resources(configdump.Listener) {
		if r.State > configdump.Active || protocolOf(r) != overTCP {
			continue
		}
		if port, ok := portOf(r); ok && port == of.port {
			atPort = append(atPort, r)
			continue
		}
		if _, ok := portOf(r); !ok { // one inside of the proxy
			continue
		}
		l := e.listener(r)
		traffic := strings.ToUpper(l.at.Get("traffic_direction").Text())
		if l.restores() && (traffic == "" || traffic == "UNSPECIFIED" || traffic == "0" || traffic == of.traffic || traffic == trafficNumbers[of.traffic]) {
			others = append(others, r)
		}
	}
	return append(atPort, others...)
}

// trafficNumbers are the numbers of envoy.config.core.v3.TrafficDirection.
var trafficNumbers = map[string]string{"INBOUND": "1", "OUTBOUND": "2"}

// portOf is the port of a listener's first socket address.
func portOf(r *configdump.Resource) (uint16, bool) {
	for _, a := range addressesOf(r) {
		if addr, ok := socketAddress(a); ok {
			return addr.Port(), true
		}
	}
	return 0, false
}

// ofFamily says whether a listener has an address of a family, in bits: 32 or 128.
func ofFamily(r *configdump.Resource, bits int) bool {
	for _, a := range addressesOf(r) {
		for _, k := range keysOf(a) {
			if k.Addr().BitLen() == bits {
				return true
			}
		}
	}
	return false
}

// restores says whether the listener restores the original destination of redirected connections.
func (l *listener) restores() bool {
	if l.handOver {
		return true
	}
	for _, f := range l.filters {
		if f.kind == originalDst {
			return true
		}
	}
	return false
}
