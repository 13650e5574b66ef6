package changes

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// routes compares a route configuration: the virtual host that was taken whole, those that could
// have been by their domains, and all else that stands in it. Where it is not known which one was
// taken, or which authority the request has at this proxy, all of it counts.
func (w *way) routes(ref reference, before, after *configdump.Resource) {
	taken, authorities := w.virtualHost(before), w.authorities()
	read := func(r *configdump.Resource) any {
		fields, ok := message(r).(map[string]any)
		if !ok || taken == "" || authorities == nil {
			return message(r)
		}
		for name := range fields {
			if configdump.FieldName(name) == "virtual_hosts" {
				fields[name] = hosts(r.Value().Get("virtual_hosts"), taken, authorities)
			}
		}
		return fields
	}
	w.diff(title(ref.kind, ref.name), read(before), read(after))
	if route := routeTaken(w); route != nil {
		w.follow("", route)
		return
	}
	w.follow("", read(before))
	w.follow("", read(after))
}

// hosts are the virtual hosts that could take a request to one of the authorities.
func hosts(list configdump.Value, taken string, authorities []string) any {
	var all []any
	for _, host := range list.Elements() {
		switch name := host.Get("name").Text(); {
		case name == taken:
			all = append(all, whole(host))
		case matchesAny(host.Get("domains").Texts(), authorities):
			all = append(all, map[string]any{"name": name, "domains": whole(host.Get("domains"))})
		}
	}
	return all
}

// domains are those of one virtual host of a route configuration.
func domains(r *configdump.Resource, name string) any {
	if r == nil {
		return nil
	}
	for _, host := range r.Value().Get("virtual_hosts").Elements() {
		if host.Get("name").Text() == name {
			return map[string]any{
				"virtual_hosts": []any{map[string]any{"name": name, "domains": whole(host.Get("domains"))}},
			}
		}
	}
	return nil
}

// virtualHost is the name of the virtual host that the way takes; "" where it is not known.
func (w *way) virtualHost(r *configdump.Resource) string {
	if r == nil || !w.decided(flow.Route, r) {
		return ""
	}
	for _, hop := range w.hops {
		if hop.Kind == flow.Route {
			return w.before.At(upTo(hop.Source, "virtual_hosts", 1)).Get("name").Text()
		}
	}
	return ""
}

// authorities are the names by which the client's proxy may find a virtual host for the call,
// in lower case; nil where that is not known: on the server's side the client's proxy may have
// written another one.
func (w *way) authorities() []string {
	target, err := w.call.Parsed()
	if err != nil || len(w.hops) == 0 || w.hops[0].Side != flow.Client {
		return nil
	}
	given := []string{target.Host}
	given = append(given, w.call.Headers["host"]...)
	var all []string
	for _, authority := range given {
		authority = strings.ToLower(authority)
		host, _, ok := cutPort(authority)
		if all = append(all, authority); ok {
			all = append(all, host)
		} else {
			all = append(all, authority+":80", authority+":443")
		}
	}
	return all
}

// cutPort takes the port off an authority.
func cutPort(authority string) (host, port string, ok bool) {
	i := strings.LastIndexByte(authority, ':')
	if i < 0 || strings.HasSuffix(authority, "]") {
		return authority, "", false
	}
	return authority[:i], authority[i+1:], true
}

// matchesAny says whether a virtual host with these domains may take one of the authorities. The
// forms of a domain are those of envoy.config.route.v3.VirtualHost: exact, *suffix, prefix* and *.
func matchesAny(domains, authorities []string) bool {
	for _, domain := range domains {
		domain = strings.ToLower(domain)
		for _, authority := range authorities {
			switch {
			case domain == "*", domain == authority:
				return true
			case strings.HasPrefix(domain, "*") && strings.HasSuffix(authority, domain[1:]):
				return true
			case strings.HasSuffix(domain, "*") && strings.HasPrefix(authority, domain[:len(domain)-1]):
				return true
			}
		}
	}
	return false
}

// sockets are the addresses of a listener's address field: one, or a list of additional ones.
func sockets(v configdump.Value) []netip.AddrPort {
	var all []netip.AddrPort
	add := func(a configdump.Value) {
		s := a.Get("socket_address")
		if ip, err := netip.ParseAddr(s.Get("address").Text()); err == nil {
			all = append(all, netip.AddrPortFrom(ip.Unmap(), uint16(s.Get("port_value").Uint())))
		}
	}
	add(v)
	for _, more := range v.Elements() {
		add(more.Get("address"))
	}
	return all
}

func portText(port uint16) string { return strconv.Itoa(int(port)) }
