package proxy

import (
	"net/netip"

	"github.com/flowproof/lab/harness/configdump"
)

// The transport protocols of listeners. A UDP listener and a TCP listener may have
// the same address.
const (
	OverTCP = "tcp"
	UDP     = "udp"
)

// An addressTable finds listeners by the address they are for, as Envoy's connection handler does.
type addressTable struct {
	All   map[netip.AddrPort]*configdump.Resource // every listener, bound or not
	Bound map[netip.AddrPort]*configdump.Resource // those that bind a socket
}

// Table returns the addresses of the listeners of a transport protocol that are in use.
func (e *Proxy) Table(protocol string) *addressTable {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.addresses == nil {
		e.addresses = map[string]*addressTable{}
		for _, p := range []string{OverTCP, UDP} {
			e.addresses[p] = &addressTable{All: map[netip.AddrPort]*configdump.Resource{},
				Bound: map[netip.AddrPort]*configdump.Resource{}}
		}
		for _, r := range e.Dump.Resources(configdump.Listener) {
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
			return UDP
		}
	}
	return OverTCP
}

// insert enters a listener under its addresses. bind_to_port stood in deprecated_v1
// until Envoy 1.20.
func (t *addressTable) insert(r *configdump.Resource) {
	v := r.Value()
	bound := !IsFalse(v.Get("bind_to_port")) && !IsFalse(v.Get("deprecated_v1", "bind_to_port"))
	for _, a := range AddressesOf(r) {
		t.put(a, r, bound)
	}
}

// AddressesOf are a listener's address and its additional_addresses.
func AddressesOf(r *configdump.Resource) []configdump.Value {
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
		if t.All[k] == nil {
			t.All[k] = r
		}
		if bound && t.Bound[k] == nil {
			t.Bound[k] = r
		}
	}
}

// keysOf are the addresses that a listener's address stands for: [::] with ipv4_compat
// is for both families.
func keysOf(address configdump.Value) []netip.AddrPort {
	addr, ok := SocketAddress(address)
	if !ok {
		return nil
	}
	keys := []netip.AddrPort{addr}
	if addr.Addr() == netip.IPv6Unspecified() && address.Get("socket_address", "ipv4_compat").Bool() {
		keys = append(keys, netip.AddrPortFrom(netip.IPv4Unspecified(), addr.Port()))
	}
	return keys
}

// ExactAndWildcard returns the keys under which a destination is looked up, in order: its own
// ip:port, then all addresses of its port. (ConnectionHandlerImpl::getBalancedHandlerByAddress)
func ExactAndWildcard(dst netip.AddrPort) (exact, wildcard netip.AddrPort) {
	any := netip.IPv4Unspecified()
	if dst.Addr().Is6() {
		any = netip.IPv6Unspecified()
	}
	return dst, netip.AddrPortFrom(any, dst.Port())
}

// BoundAt returns the listener whose socket takes a connection to an address; nil where there is
// none. An address that is not valid is one of the pod's, and which is not known: a socket on all
// addresses is preferred.
func (e *Proxy) BoundAt(to netip.AddrPort, family int) *Listener {
	bound := e.Table(OverTCP).Bound
	if to.Addr().IsValid() {
		exact, wildcard := ExactAndWildcard(to)
		for _, key := range []netip.AddrPort{exact, wildcard} {
			if r := bound[key]; r != nil {
				return e.Listener(r)
			}
		}
		return nil
	}
	var one *Listener
	for key, r := range bound {
		if key.Port() != to.Port() || key.Addr().BitLen() != family {
			continue
		}
		if key.Addr().IsUnspecified() {
			return e.Listener(r)
		}
		if one == nil || e.Listener(r).Name < one.Name {
			one = e.Listener(r)
		}
	}
	return one
}

// PortOf is the port of a listener's first socket address.
func PortOf(r *configdump.Resource) (uint16, bool) {
	for _, a := range AddressesOf(r) {
		if addr, ok := SocketAddress(a); ok {
			return addr.Port(), true
		}
	}
	return 0, false
}

// ofFamily says whether a listener has an address of a family, in bits: 32 or 128.
func ofFamily(r *configdump.Resource, bits int) bool {
	for _, a := range AddressesOf(r) {
		for _, k := range keysOf(a) {
			if k.Addr().BitLen() == bits {
				return true
			}
		}
	}
	return false
}
