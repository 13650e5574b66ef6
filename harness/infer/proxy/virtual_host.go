package proxy

import (
	"fmt"
	"strings"
	"sync"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/say"
)

// A HeaderLevel is what one level of a route configuration does to headers.
type HeaderLevel struct{ Add, Remove configdump.Value }

// A RouteTable is envoy.config.route.v3.RouteConfiguration with its virtual hosts by domain.
type RouteTable struct {
	at           configdump.Value
	List         configdump.Value // virtual_hosts
	PerFilter    configdump.Value // typed_per_filter_config
	Headers      HeaderLevel
	Answers      HeaderLevel      // of responses
	Mirrors      configdump.Value // request_mirror_policies
	Specifiers   configdump.Value // route_specifiers
	SpecificWins bool             // most_specific_header_mutations_wins
	Name         string
	Hosts        int
	Exact        map[string]*VirtualHost
	suffixes     map[string]*VirtualHost   // "*.x" as ".x", "*-x" as "-x"
	prefixes     map[string]*VirtualHost   // "x.*" as "x."
	all          *VirtualHost              // "*"
	First        []*VirtualHost            // the first few, to be named as rejected
	Namesakes    map[string][]*VirtualHost // by the first label of their name: the same Service in other namespaces
	ignorePort   bool
	InternalOnly []string // internal_only_headers
	NoParameters bool     // ignore_path_parameters_in_path_matching
	HostHeader   string   // vhost_header: where the host is read from instead of the authority
}

// A VirtualHost is envoy.config.route.v3.VirtualHost; its routes are decoded when the first
// request comes to it.
type VirtualHost struct {
	At      configdump.Message // once a request has come to it
	Value   configdump.Value
	Name    string
	Domains []string
	decode  sync.Once
	entries []*RouteEntry

	describe sync.Once
	shown    string // the domains, as they are shown where it is rejected
	pointer  string
}

// NamedHosts is how many virtual hosts are named as rejected: a table may have thousands.
const NamedHosts = 6

// RouteTable returns the decoded form of a route configuration. It may have tens of megabytes, so
// it is walked over once.
func (e *Proxy) RouteTable(v configdump.Value) *RouteTable {
	return once(e, e.tables, v.Pointer(), func() *RouteTable {
		t := &RouteTable{at: v, Exact: map[string]*VirtualHost{}, suffixes: map[string]*VirtualHost{},
			prefixes: map[string]*VirtualHost{}, Namesakes: map[string][]*VirtualHost{}}
		for key, field := range v.Fields() {
			switch configdump.FieldName(key) {
			case "name":
				t.Name = field.Text()
			case "virtual_hosts":
				t.List = field
				t.fill()
			case "ignore_port_in_host_matching":
				t.ignorePort = field.Bool()
			case "internal_only_headers":
				t.InternalOnly = field.Texts()
			case "ignore_path_parameters_in_path_matching":
				t.NoParameters = field.Bool()
			case "vhost_header":
				t.HostHeader = field.Text()
			case "typed_per_filter_config":
				t.PerFilter = field
			case "request_mirror_policies":
				t.Mirrors = field
			case "route_specifiers":
				t.Specifiers = field
			case "request_headers_to_add":
				t.Headers.Add = field
			case "request_headers_to_remove":
				t.Headers.Remove = field
			case "response_headers_to_add":
				t.Answers.Add = field
			case "response_headers_to_remove":
				t.Answers.Remove = field
			case "most_specific_header_mutations_wins":
				t.SpecificWins = field.Bool()
			}
		}
		return t
	})
}

func (t *RouteTable) fill() {
	for _, h := range t.List.Elements() {
		vh := &VirtualHost{Value: h, Name: h.Get("name").Text(), Domains: h.Get("domains").Texts()}
		t.enter(vh)
		if t.Hosts++; len(t.First) <= NamedHosts {
			t.First = append(t.First, vh)
		}
		if label := FirstLabel(vh.Name); len(t.Namesakes[label]) <= NamedHosts {
			t.Namesakes[label] = append(t.Namesakes[label], vh)
		}
	}
}

// FirstLabel returns a host's name up to its first dot or port.
func FirstLabel(host string) string {
	if i := strings.IndexAny(host, ".:"); i >= 0 {
		return host[:i]
	}
	return host
}

// Rejected says why a virtual host was not taken for an authority.
func (vh *VirtualHost) Rejected(authority string) flow.Alternative {
	vh.describe.Do(func() { vh.shown, vh.pointer = " ("+say.List(vh.Domains)+")", vh.Value.Pointer() })
	why := "no domain matches " + authority + vh.shown
	if len(vh.Domains) == 1 && vh.Domains[0] == "*" {
		why = "* is only taken when no other domain matches"
	}
	return flow.Alternative{Name: "virtual host " + vh.Name, Source: vh.pointer, Why: why}
}

// enter files a virtual host under its domains as RouteMatcher's constructor does. Domains
// of a table are unique.
func (t *RouteTable) enter(vh *VirtualHost) {
	put := func(m map[string]*VirtualHost, key string) {
		if m[key] == nil {
			m[key] = vh
		}
	}
	for _, d := range vh.Domains {
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
			put(t.Exact, d)
		}
	}
}

// Find returns the virtual host for an authority and the domain that matched: an exact domain, then
// the longest "*suffix", then the longest "prefix*", then "*". (RouteMatcher::findVirtualHost)
func (t *RouteTable) Find(authority string) (vh *VirtualHost, domain string) {
	host := strings.ToLower(authority)
	if t.ignorePort {
		host, _ = match.SplitPort(host)
	}
	if vh := t.Exact[host]; vh != nil {
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

// Why says how a domain matched.
func (t *RouteTable) Why(authority, domain string) string {
	switch {
	case domain == "*":
		return fmt.Sprintf("no other domain of %s matches %s, and this virtual host has *", t.Name, authority)
	case strings.Contains(domain, "*"):
		return fmt.Sprintf("%s is the longest wildcard domain that matches %s", domain, authority)
	}
	return "domain " + domain + " is the authority itself"
}
