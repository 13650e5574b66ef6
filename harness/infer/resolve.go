package infer

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
	"github.com/flowproof/lab/harness/infer/say"
)

// A target is the URL of a call in its parts.
type target struct {
	scheme    string
	host      string // without port
	authority string // as it is sent
	port      uint32
	path      string // with query
}

// parseTarget takes a call's URL apart as curl does: a missing scheme is http.
func parseTarget(call flow.Call) (target, error) {
	u, err := call.Parsed()
	if err != nil || u.Hostname() == "" {
		return target{}, fmt.Errorf("read URL %q: it has no host (give it as http://name:port/path)", call.URL)
	}
	t := target{scheme: u.Scheme, host: strings.ToLower(u.Hostname()), authority: u.Host,
		path: strings.ReplaceAll(call.Target(), " ", "%20")}
	port, ok := map[string]uint32{"http": 80, "https": 443}[u.Scheme]
	if !ok {
		return t, fmt.Errorf("read URL %q: its scheme is %s (give it as http://name:port/path; of gRPC too)",
			call.URL, u.Scheme)
	}
	if u.Port() != "" {
		n, err := strconv.ParseUint(u.Port(), 10, 16)
		if err != nil || n == 0 {
			return t, fmt.Errorf("read URL %q: port %s is not between 1 and 65535", call.URL, u.Port())
		}
		port = uint32(n)
	}
	t.port = port
	if host := call.Headers.Get("host"); host != "" {
		t.authority = host
	}
	return t, nil
}

// ErrUnresolved is in the chain of the error about a name whose address is not in the dump.
var ErrUnresolved = errors.New("the dump does not say")

// resolve says which address the pod's resolver gives for a name. The dump holds no DNS, but Istio
// writes a Service's full name, its short names and its ClusterIP as domains of one virtual host; a
// TCP Service's listener has the ClusterIP as its address and the name in its cluster.
func (e *Engine) resolve(t target, given string) (netip.Addr, flow.Hop, error) {
	hop := flow.Hop{Kind: flow.Resolve, Side: flow.Client, Proxy: e.proxy.Node.Proxy()}
	answer := func(addr netip.Addr, why string) (netip.Addr, flow.Hop, error) {
		hop.Decision, hop.Why = t.host+" → "+addr.String(), why
		hop.Expect = []flow.Fact{passage.Fact(flow.FactResolved, addr.String())}
		return addr, hop, nil
	}
	if given != "" {
		addr, err := netip.ParseAddr(given)
		if err != nil {
			return addr, hop, fmt.Errorf("%w: resolved address %q is not an IP address", ErrWay, given)
		}
		return answer(addr, "the address was given by the caller")
	}
	if addr, err := netip.ParseAddr(t.host); err == nil {
		return answer(addr.Unmap(), "the URL's host is an address")
	}
	names := e.searched(t.host)
	for _, name := range names {
		if addr, at, ok := e.addressInRoutes(name, t.port); ok {
			hop.Source, hop.Rejected = at.Pointer(), e.namesakes(t, name)
			return answer(addr, fmt.Sprintf("%s is %s in namespace %s, and the virtual host with that domain has the "+
				"ClusterIP too",
				t.host, name, e.namespaceText()))
		}
		if addr, at, ok := e.addressInListeners(name, t.port); ok {
			hop.Source = at.Pointer()
			return answer(addr, fmt.Sprintf("%s is %s, whose own listener has the ClusterIP", t.host, name))
		}
	}
	return netip.Addr{}, hop, fmt.Errorf("resolve %s: %w: no virtual host or listener of %s has the name (%s) with "+
		"an address "+
		"(give the resolved address)", t.host, ErrUnresolved, say.OrNone(e.proxy.Node.Proxy()), say.List(names))
}

func (e *Engine) namespaceText() string { return cmp.Or(e.proxy.Node.Namespace, "unknown") }

// searched returns the full names that a pod's resolver tries for a name, in order:
// resolv.conf's search list of Kubernetes with ndots:5. The domain of the node's id is
// "<namespace>.svc.<cluster domain>".
func (e *Engine) searched(host string) []string {
	if strings.HasSuffix(host, ".") {
		return []string{strings.TrimSuffix(host, ".")}
	}
	var names []string
	for domain := e.proxy.Node.Domain; strings.Contains(domain, "."); {
		names = append(names, host+"."+domain)
		_, rest, _ := strings.Cut(domain, ".")
		if !strings.HasPrefix(rest, "svc.") && !strings.HasPrefix(domain, "svc.") {
			break
		}
		domain = rest
	}
	if strings.Count(host, ".") >= 5 {
		return append([]string{host}, names...)
	}
	return append(names, host)
}

// addressInRoutes looks for a virtual host that has both the name and an address as domains, first
// in the table that Istio names after the port.
func (e *Engine) addressInRoutes(name string, port uint32) (netip.Addr, configdump.Value, bool) {
	var tables []*configdump.Resource
	for _, r := range e.proxy.Dump.Resources(configdump.RouteConfig) {
		switch {
		case r.State == configdump.Static:
		case r.Name == portText(port):
			tables = append([]*configdump.Resource{r}, tables...)
		case strings.HasSuffix(r.Name, ":"+portText(port)):
			tables = append(tables, r)
		}
	}
	for _, r := range tables {
		t := e.proxy.RouteTable(r.Value())
		vh := t.Exact[name]
		if vh == nil {
			vh = t.Exact[name+":"+portText(port)]
		}
		if vh == nil {
			continue
		}
		if addr, ok := addressAmong(vh.Domains); ok {
			return addr, vh.Value.Get("domains"), true
		}
	}
	return netip.Addr{}, configdump.Value{}, false
}

// addressAmong returns the first domain that is an address, with or without a port.
func addressAmong(domains []string) (netip.Addr, bool) {
	for _, d := range domains {
		if addr, err := netip.ParseAddr(d); err == nil {
			return addr, true
		}
		if addr, err := netip.ParseAddrPort(d); err == nil {
			return addr.Addr(), true
		}
	}
	return netip.Addr{}, false
}

// addressInListeners looks for a listener on a single address and the port whose filters name
// the Service's cluster.
func (e *Engine) addressInListeners(name string, port uint32) (netip.Addr, configdump.Value, bool) {
	cluster := []byte("outbound|" + portText(port) + "||" + name + `"`)
	for _, r := range e.proxy.Dump.Resources(configdump.Listener) {
		for _, a := range r.Addresses {
			addr, ok := proxy.SocketAddress(a)
			if ok && !addr.Addr().IsUnspecified() && uint32(addr.Port()) == port &&
				bytes.Contains(r.Value().Raw(), cluster) {
				return addr.Addr(), a, true
			}
		}
	}
	return netip.Addr{}, configdump.Value{}, false
}

// namesakes are Services of other namespaces with the same short name: they must not be taken.
func (e *Engine) namesakes(t target, chosen string) []flow.Alternative {
	short, _, _ := strings.Cut(t.host, ".")
	r, ok := e.proxy.Dump.Lookup(configdump.RouteConfig, portText(t.port))
	if !ok {
		return nil
	}
	var all []flow.Alternative
	for _, vh := range e.proxy.RouteTable(r.Value()).Namesakes[short] {
		for _, d := range vh.Domains {
			if strings.HasPrefix(d, short+".") && strings.HasSuffix(d, ".svc."+clusterDomain(e.proxy.Node)) &&
				d != chosen {
				all = append(all, flow.Alternative{Name: d, Source: vh.Value.Pointer(),
					Why: "a Service of the same name in another namespace than the client's, " + e.namespaceText()})
			}
		}
	}
	return all
}

// clusterDomain is the cluster's DNS domain, from the node's id.
func clusterDomain(n configdump.Node) string {
	_, domain, _ := strings.Cut(n.Domain, ".svc.")
	return cmp.Or(domain, "cluster.local")
}
