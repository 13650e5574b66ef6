package explain

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/glossary"
)

// A scope says what of a dump a check is about. Empty parts do not narrow it.
type scope struct {
	direction flow.Direction
	cluster   string
	route     string // JSON pointer
	details   string
}

// mostFound bounds how many places are told of one cause.
const mostFound = 5

// checks look for a cause in a dump, by the names that the glossary has. Each returns what it
// found; done is false where the dump does not have what it would look at.
var checks = map[string]func(d *configdump.Dump, s scope) (found []flow.Found, done bool){
	"endpoints":    withoutEndpoints,
	"clusters":     missingClusters,
	"routes":       withoutCatchAll,
	"chains":       pickyChains,
	"breakers":     breakers,
	"retries":      onRoutes("retry_policy", retriesText),
	"timeouts":     onRoutes("timeout", timeoutText),
	"upstream-tls": upstreamTLS,
	"protocols":    protocols,
	"durations":    durations,
	"idle":         idle,
	"discovered":   discovered,
	"overload":     overload,
	"dns":          byDNS,
	"drops":        drops,
	"rbac":         rbacPolicies,
}

// check makes one check; filter:NAME looks for a filter.
func check(name string, d *configdump.Dump, s scope) (found []flow.Found, done bool) {
	if filter, ok := strings.CutPrefix(name, "filter:"); ok {
		found, done = filters(d, filter), true
	} else if c := checks[name]; c != nil {
		found, done = c(d, s)
	}
	if len(found) > mostFound {
		more := len(found) - mostFound
		found = append(found[:mostFound:mostFound], flow.Found{Text: fmt.Sprintf("and %d more", more)})
	}
	return found, done
}

// clustersOf are the clusters that the scope names, or all.
func clustersOf(d *configdump.Dump, s scope) []*configdump.Resource {
	if s.cluster != "" {
		if r, ok := d.Lookup(configdump.Cluster, s.cluster); ok {
			return []*configdump.Resource{r}
		}
		return nil
	}
	var all []*configdump.Resource
	for _, r := range d.Resources(configdump.Cluster) {
		inbound := strings.HasPrefix(r.Name, "inbound|")
		if s.direction == "" || inbound == (s.direction == flow.Inbound) {
			all = append(all, r)
		}
	}
	return all
}

// withoutEndpoints are clusters of which no host may be picked.
func withoutEndpoints(d *configdump.Dump, s scope) (found []flow.Found, done bool) {
	for _, r := range clustersOf(d, s) {
		c := r.Value()
		load, at := c.Get("load_assignment"), c
		switch kind := c.Get("type").Text(); kind {
		case "ORIGINAL_DST", "STRICT_DNS", "LOGICAL_DNS":
			continue
		case "EDS":
			name := cmp.Or(c.Get("eds_cluster_config", "service_name").Text(), r.Name)
			e, ok := d.Lookup(configdump.Endpoints, name)
			if !ok {
				if d.Has(configdump.Endpoints) {
					found = append(found, place(r.Name+" has no endpoints in the dump", c.Pointer()))
				}
				continue
			}
			load, at = e.Value(), e.Value()
		}
		done = true
		hosts, healthy := 0, 0
		for _, locality := range load.Get("endpoints").Elements() {
			for _, host := range locality.Get("lb_endpoints").Elements() {
				hosts++
				switch host.Get("health_status").Text() {
				case "", "UNKNOWN", "HEALTHY", "DEGRADED":
					healthy++
				}
			}
		}
		switch {
		case r.Name == "BlackHoleCluster" && s.cluster == "":
		case hosts == 0:
			found = append(found, place(r.Name+" has no endpoint", at.Pointer()))
		case healthy == 0:
			said := fmt.Sprintf("%s has %d endpoints and none is healthy", r.Name, hosts)
			found = append(found, place(said, at.Pointer()))
		}
	}
	return found, done || len(found) > 0
}

// eachRoute visits the routes of the scope: those of route configurations of their own and those
// inside of listeners.
func eachRoute(d *configdump.Dump, s scope, visit func(table, route configdump.Value)) {
	tables := func(table configdump.Value) {
		for _, vh := range table.Get("virtual_hosts").Elements() {
			for _, route := range vh.Get("routes").Elements() {
				if s.route == "" || route.Pointer() == s.route || strings.HasPrefix(s.route, route.Pointer()+"/") {
					visit(table, route)
				}
			}
		}
	}
	for _, r := range d.Resources(configdump.RouteConfig) {
		tables(r.Value())
	}
	eachManager(d, func(hcm configdump.Value) { tables(hcm.Get("route_config")) })
}

// eachManager visits the HTTP connection managers of all listeners.
func eachManager(d *configdump.Dump, visit func(configdump.Value)) {
	eachChain(d, func(chain configdump.Value) {
		for _, f := range chain.Get("filters").Elements() {
			if config := f.Get("typed_config"); strings.HasSuffix(config.Type(), "HttpConnectionManager") {
				visit(config)
			}
		}
	})
}

// eachFilter visits the network filters of all listeners and the HTTP filters of all connection
// managers.
func eachFilter(d *configdump.Dump, visit func(configdump.Value)) {
	eachChain(d, func(chain configdump.Value) {
		for _, f := range chain.Get("filters").Elements() {
			visit(f)
		}
	})
	eachManager(d, func(hcm configdump.Value) {
		for _, f := range hcm.Get("http_filters").Elements() {
			visit(f)
		}
	})
}

func eachChain(d *configdump.Dump, visit func(chain configdump.Value)) {
	for _, r := range d.Resources(configdump.Listener) {
		for _, chain := range r.Value().Get("filter_chains").Elements() {
			visit(chain)
		}
		if chain := r.Value().Get("default_filter_chain"); chain.Exists() {
			visit(chain)
		}
	}
}

// missingClusters are routes that name clusters which the dump does not have.
func missingClusters(d *configdump.Dump, s scope) (found []flow.Found, done bool) {
	if !d.Has(configdump.Cluster) {
		return nil, false
	}
	eachRoute(d, scope{}, func(_, route configdump.Value) {
		action := route.Get("route")
		names := []configdump.Value{action.Get("cluster")}
		for _, w := range action.Get("weighted_clusters", "clusters").Elements() {
			names = append(names, w.Get("name"))
		}
		for _, n := range names {
			if _, ok := d.Lookup(configdump.Cluster, n.Text()); n.Exists() && !ok &&
				(s.cluster == "" || n.Text() == s.cluster) {
				said := "a route names " + n.Text() + ", which is not among the clusters"
				found = append(found, place(said, n.Pointer()))
			}
		}
	})
	return found, true
}

// withoutCatchAll are route configurations that do not take every authority, and routes that answer
// themselves.
func withoutCatchAll(d *configdump.Dump, s scope) (found []flow.Found, done bool) {
	if s.details == "direct_response" {
		eachRoute(d, s, func(_, route configdump.Value) {
			for _, kind := range []string{"direct_response", "redirect"} {
				if v := route.Get(kind); v.Exists() {
					found = append(found, place("a route has "+kind, v.Pointer()))
				}
			}
		})
		return found, true
	}
	for _, r := range d.Resources(configdump.RouteConfig) {
		all := false
		for _, vh := range r.Value().Get("virtual_hosts").Elements() {
			for _, domain := range vh.Get("domains").Elements() {
				all = all || domain.Text() == "*"
			}
		}
		if !all && r.Value().Get("virtual_hosts").Len() > 0 {
			said := "route configuration " + r.Name + " has no virtual host for every authority"
			found = append(found, place(said, r.Value().Pointer()))
		}
	}
	return found, d.Has(configdump.RouteConfig)
}

// pickyChains are ports of virtualInbound that take no clear text, and listeners whose every chain
// asks for a server name.
func pickyChains(d *configdump.Dump, s scope) (found []flow.Found, done bool) {
	if s.direction != flow.Outbound && s.direction != flow.Gateway {
		found = strictPorts(d)
	}
	if s.direction != flow.Inbound {
		for _, r := range d.Resources(configdump.Listener) {
			chains, named := r.Value().Get("filter_chains"), 0
			for _, chain := range chains.Elements() {
				if chain.Get("filter_chain_match", "server_names").Len() > 0 {
					named++
				}
			}
			if named > 0 && named == chains.Len() && !r.Value().Has("default_filter_chain") {
				said := "each filter chain of listener " + r.Name + " asks for a server name"
				found = append(found, place(said, chains.Pointer()))
			}
		}
	}
	return found, d.Has(configdump.Listener)
}

func strictPorts(d *configdump.Dump) (found []flow.Found) {
	r, ok := d.Lookup(configdump.Listener, "virtualInbound")
	if !ok {
		return nil
	}
	type port struct {
		tls, clear bool
		at         string
	}
	ports, order := map[uint64]*port{}, []uint64{}
	for _, chain := range r.Value().Get("filter_chains").Elements() {
		match := chain.Get("filter_chain_match")
		n := match.Get("destination_port").Uint()
		if ports[n] == nil {
			ports[n] = &port{at: chain.Pointer()}
			order = append(order, n)
		}
		if match.Get("transport_protocol").Text() == "tls" {
			ports[n].tls = true
		} else {
			ports[n].clear = true
		}
	}
	for _, n := range order {
		if p := ports[n]; p.tls && !p.clear {
			what := fmt.Sprintf("port %d", n)
			if n == 0 {
				what = "ports that have no chain of their own"
			}
			found = append(found, place("virtualInbound takes TLS only at "+what, p.at))
		}
	}
	return found
}

// breakers are clusters with thresholds below those that Istio sets by default, which are the
// largest number.
func breakers(d *configdump.Dump, s scope) (found []flow.Found, done bool) {
	for _, r := range clustersOf(d, s) {
		for _, t := range r.Value().Get("circuit_breakers", "thresholds").Elements() {
			for name, v := range t.Fields() {
				name, n := configdump.FieldName(name), v.Uint()
				if strings.HasPrefix(name, "max_") && n < math.MaxUint32 {
					found = append(found, place(fmt.Sprintf("%s: %s is %d", r.Name, name, n), v.Pointer()))
				}
			}
		}
	}
	return found, d.Has(configdump.Cluster)
}

// onRoutes looks for a field of the action of routes.
func onRoutes(field string, text func(configdump.Value) string) func(*configdump.Dump, scope) ([]flow.Found, bool) {
	return func(d *configdump.Dump, s scope) (found []flow.Found, done bool) {
		eachRoute(d, s, func(table, route configdump.Value) {
			v := route.Get("route", field)
			if !v.Exists() {
				return
			}
			if said := text(v); said != "" {
				name := cmp.Or(route.Get("name").Text(), "without a name")
				said = fmt.Sprintf("%s, route %s: %s", table.Get("name").Text(), name, said)
				found = append(found, place(said, v.Pointer()))
			}
		})
		return found, true
	}
}

func retriesText(v configdump.Value) string { return "retries on " + v.Get("retry_on").Text() }

func timeoutText(v configdump.Value) string {
	if v.Duration() == 0 {
		return ""
	}
	return "timeout " + v.Text()
}

// rbacPolicies are the policies of RBAC filters: the one that the details name, or all.
func rbacPolicies(d *configdump.Dump, s scope) (found []flow.Found, done bool) {
	want := ""
	if inside := glossary.Inside(s.details); len(inside) > 0 && inside[0] != "none" {
		want = inside[0]
	}
	eachFilter(d, func(f configdump.Value) {
		config := f.Get("typed_config")
		if !strings.HasSuffix(config.Type(), ".RBAC") {
			return
		}
		rules := config.Get("rules")
		action := cmp.Or(rules.Get("action").Text(), "ALLOW")
		for name, p := range rules.Get("policies").Fields() {
			if want == "" && action == "ALLOW" || want != "" && underscored(name) == underscored(want) {
				found = append(found, place(action+" policy "+name, p.Pointer()))
			}
		}
	})
	return unique(found), true
}

// underscored is a policy's name as details have it: Envoy puts an underscore for what may not
// stand there.
func underscored(name string) string { return strings.NewReplacer(" ", "_", "\t", "_").Replace(name) }

// unique keeps the first of each text.
func unique(all []flow.Found) []flow.Found {
	seen := map[string]bool{}
	var kept []flow.Found
	for _, f := range all {
		if !seen[f.Text] {
			seen[f.Text] = true
			kept = append(kept, f)
		}
	}
	return kept
}

// HasCheck says whether there is a check of a name that the glossary has.
func HasCheck(name string) bool {
	filter, ok := strings.CutPrefix(name, "filter:")
	return ok && filter != "" || checks[name] != nil
}

// place is what was found, and where.
func place(text, source string) flow.Found { return flow.Found{Text: text, Source: source} }
