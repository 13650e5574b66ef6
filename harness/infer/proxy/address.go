package proxy

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
)

// SocketAddress reads envoy.config.core.v3.Address. ok is false for a pipe, an
// internal address or a name.
func SocketAddress(v configdump.Value) (addr netip.AddrPort, ok bool) {
	s := v.Get("socket_address")
	ip, err := netip.ParseAddr(s.Get("address").Text())
	if err != nil {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(ip, uint16(s.Get("port_value").Uint())), true
}

// AddressText shows any envoy.config.core.v3.Address.
func AddressText(v configdump.Value) string {
	if addr, ok := SocketAddress(v); ok {
		return addr.String()
	}
	if s := v.Get("socket_address"); s.Exists() {
		return s.Get("address").Text() + ":" + s.Get("port_value").Text()
	}
	if p := v.Get("pipe", "path"); p.Exists() {
		return "unix:" + p.Text()
	}
	if i := v.Get("envoy_internal_address"); i.Exists() {
		return "envoy://" + i.Get("server_listener_name").Text() + "/" + i.Get("endpoint_id").Text()
	}
	return "unknown"
}

// PrefixRange reads envoy.config.core.v3.CidrRange. An absent length is 0.
func PrefixRange(v configdump.Value) (netip.Prefix, bool) {
	ip, err := netip.ParseAddr(v.Get("address_prefix").Text())
	if err != nil {
		return netip.Prefix{}, false
	}
	p, err := ip.Prefix(int(min(v.Get("prefix_len").Uint(), 128)))
	return p, err == nil
}

// PrefixRanges reads a list of CidrRange.
func PrefixRanges(v configdump.Value) []netip.Prefix {
	var all []netip.Prefix
	for _, e := range v.Elements() {
		if p, ok := PrefixRange(e); ok {
			all = append(all, p)
		}
	}
	return all
}

// Longest returns the length of the longest of the prefixes that holds the address, or -1.
func Longest(prefixes []netip.Prefix, addr netip.Addr) int {
	best := -1
	for _, p := range prefixes {
		if p.Contains(addr) {
			best = max(best, p.Bits())
		}
	}
	return best
}

// OwnAddress says whether the address is one of the pod's own.
func OwnAddress(node configdump.Node, ip string) bool {
	return slices.ContainsFunc(node.IPs, func(own string) bool { return strings.EqualFold(own, ip) })
}
