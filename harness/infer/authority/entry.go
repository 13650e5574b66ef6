package authority

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// entry is the listener bound to a free port of loopback, with a PROXY header in the place
// of SO_ORIGINAL_DST.
func entry(l object, name string) object {
	e := headed(l)
	e["name"], e["bind_to_port"], e["address"] = entryPrefix+name, true, socketAddress("127.0.0.1", 0)
	delete(e, "additional_addresses")
	return e
}

// headed is a listener that takes a PROXY header in the place of SO_ORIGINAL_DST.
func headed(l object) object {
	e := maps.Clone(l)
	filters := []any{object{"name": "envoy.filters.listener.proxy_protocol", "typed_config": object{
		"@type": "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol"}}}
	for _, f := range list(l, "listener_filters") {
		of := fmt.Sprint(f["name"], typeOf(f))
		if !strings.Contains(of, "original_dst") && !strings.Contains(of, "proxy_protocol") {
			filters = append(filters, f)
		}
	}
	e["listener_filters"] = filters
	return e
}

// dialled returns the address at which netfilter would have a request arrive: one of the
// proxy's own, or of the family's loopback where only the port is changed. ok is false where
// the request does not say it.
func dialled(req flow.Request) (address string, ok bool) {
	if _, err := netip.ParseAddrPort(req.Redirect); err == nil {
		return req.Redirect, true
	}
	host := "127.0.0.1"
	if dst, err := netip.ParseAddr(req.Address); err == nil && dst.Is6() {
		host = "::1"
	}
	return net.JoinHostPort(host, strings.TrimPrefix(req.Redirect, ":")), req.Redirect != ""
}
