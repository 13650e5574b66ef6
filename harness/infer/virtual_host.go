package infer

import (
	"fmt"
	"strings"
	"sync"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// A routeTable is envoy.config.route.v3.RouteConfiguration with its virtual hosts by domain.
type routeTable struct {
	at           configdump.Value
	list         configdump.Value // virtual_hosts
	perFilter    configdump.Value // typed_per_filter_config
	headers      headerLevel
	mirrors      configdump.Value // request_mirror_policies
	specificWins bool             // most_specific_header_mutations_wins
	name         string
	hosts        int
	exact        map[string]*virtualHost
	suffixes     map[string]*virtualHost   // "*.x" as ".x", "*-x" as "-x"
	prefixes     map[string]*virtualHost   // "x.*" as "x."
	all          *virtualHost              // "*"
	first        []*virtualHost            // the first few, to be named as rejected
	namesakes    map[string][]*virtualHost // by the first label of their name: the same Service in other namespaces
	ignorePort   bool
	internalOnly []string // internal_only_headers
	hostHeader   string   // vhost_header: where the host is read from instead of the authority
}

// A virtualHost is envoy.config.route.v3.VirtualHost; its routes are decoded when the first request comes to it.
type virtualHost struct {
	at      configdump.Message // once a request has come to it
	value   configdump.Value
	name    string
	domains []string
	decode  sync.Once
	entries []*routeEntry

	describe sync.Once
	shown    string // the domains, as they are shown where it is rejected
	pointer  string
}

// namedHosts is how many virtual hosts are named as rejected: a table may have thousands.
const namedHosts = 6

// routeTable returns the decoded form of a route configuration. It may have tens of megabytes, so it is walked over once.
func (e *Engine) routeTable(v configdump.Value) *routeTable {
	return once(e, e.tables, v.Pointer(), func() *routeTable {
		t := &routeTable{at: v, exact: map[string]*virtualHost{}, suffixes: map[string]*virtualHost{}, prefixes: map[string]*virtualHost{}, namesakes: map[string][]*virtualHost{}}
		for key, field := range v.Fields() {
			switch configdump.FieldName(key) {
			case "name":
				t.name = field.Text()
			case "virtual_hosts":
				t.list = field
				t.fill()
			case "ignore_port_in_host_matching":
				t.ignorePort = field.Bool()
			case "internal_only_headers":
				t.internalOnly = field.Texts()
			case "vhost_header":
				t.hostHeader = field.Text()
			case "typed_per_filter_config":
				t.perFilter = field
			case "request_mirror_policies":
				t.mirrors = field
			case "request_headers_to_add":
				t.headers.add = field
			case "request_headers_to_remove":
				t.headers.remove = field
			case "most_specific_header_mutations_wins":
				t.specificWins = field.Bool()
			}
		}
		return t
	})
}

func (t *routeTable) fill() {
	for _, h := range t.list.Elements() {
		vh := &virtualHost{value: h, name: h.Get("name").Text(), domains: h.Get("domains").Texts()}
		t.enter(vh)
		if t.hosts++; len(t.first) <= namedHosts {
			t.first = append(t.first, vh)
		}
		if label := firstLabel(vh.name); len(t.namesakes[label]) <= namedHosts {
			t.namesakes[label] = append(t.namesakes[label], vh)
		}
	}
}

// firstLabel returns a host's name up to its first dot or port.
func firstLabel(host string) string {
	if i := strings.IndexAny(host, ".:"); i >= 0 {
		return host[:i]
	}
	return host
}

// rejected says why a virtual host was not taken for an authority.
func (vh *virtualHost) rejected(authority string) flow.Alternative {
	vh.describe.Do(func() { vh.shown, vh.pointer = " ("+list(vh.domains)+")", vh.value.Pointer() })
	why := "no domain matches " + authority + vh.shown
	if len(vh.domains) == 1 && vh.domains[0] == "*" {
		why = "* is only taken when no other domain matches"
	}
	return flow.Alternative{Name: "virtual host " + vh.name, Source: vh.pointer, Why: why}
}

// enter files a virtual host under its domains as RouteMatcher's constructor does. Domains of a table are unique.
func (t *routeTable) enter(vh *virtualHost) {
	put := func(m map[string]*virtualHost, key string) {
		if m[key] == nil {
			m[key] = vh
		}
	}
	for _, d := range vh.domains {
		d = strings.ToLower(d)
		switch {
		case d == "*":
			if t.all == nil {
				t.all = vh
			}
		case strings.HasPrefix(d, "*"):
			put(t.suffixes, d[1:])
		case strings.HasSuffix(d, "*"):
			put(t.prefixes, d[:len(d)-1])
		default:
			put(t.exact, d)
		}
	}
}

// find returns the virtual host for an authority and the domain that matched: an exact domain, then the longest
// "*suffix", then the longest "prefix*", then "*". (RouteMatcher::findVirtualHost)
func (t *routeTable) find(authority string) (vh *virtualHost, domain string) {
	host := strings.ToLower(authority)
	if t.ignorePort {
		host, _ = splitPort(host)
	}
	if vh := t.exact[host]; vh != nil {
		return vh, host
	}
	// A wildcard stands for at least one character.
	for i := 1; i < len(host) && len(t.suffixes) > 0; i++ {
		if vh := t.suffixes[host[i:]]; vh != nil {
			return vh, "*" + host[i:]
		}
	}
	for i := len(host) - 1; i > 0 && len(t.prefixes) > 0; i-- {
		if vh := t.prefixes[host[:i]]; vh != nil {
			return vh, host[:i] + "*"
		}
	}
	if t.all != nil {
		return t.all, "*"
	}
	return nil, ""
}

// why says how a domain matched.
func (t *routeTable) why(authority, domain string) string {
	switch {
	case domain == "*":
		return fmt.Sprintf("no other domain of %s matches %s, and this virtual host has *", t.name, authority)
	case strings.Contains(domain, "*"):
		return fmt.Sprintf("%s is the longest wildcard domain that matches %s", domain, authority)
	}
	return "domain " + domain + " is the authority itself"
}
