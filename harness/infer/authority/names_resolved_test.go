package authority

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
)

// A nameRule is a cluster whose endpoints are names.
type nameRule struct {
	name      string
	kind      string // fields that choose the kind of cluster
	endpoints string // LocalityLbEndpoints
	route     string // further fields of the route's action
}

func named(host string, port int, more ...string) string {
	text := fmt.Sprintf("{endpoint: {address: {socket_address: {address: %s, port_value: %d}}}", host, port)
	for _, m := range more {
		text += ", " + m
	}
	return text + "}"
}

// nameRules are asked with every answer of DNS, none included.
func nameRules(dns *nameServer) []nameRule {
	resolver := fmt.Sprintf(`typed_dns_resolver_config: {name: envoy.network.dns_resolver.cares, typed_config: `+
		`{"@type": type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig, `+
		`resolvers: [{socket_address: {address: 127.0.0.1, port_value: %s}}]}}, dns_lookup_family: V4_ONLY`, dns.port)
	strict, logical := "type: STRICT_DNS, "+resolver, "type: LOGICAL_DNS, "+resolver
	extension := func(more string) string {
		return `cluster_type: {name: envoy.cluster.dns, typed_config: {` + more + resolver +
			`, "@type": type.googleapis.com/envoy.extensions.clusters.dns.v3.DnsCluster}}`
	}
	const teams = "lb_subset_config: {fallback_policy: ANY_ENDPOINT, subset_selectors: [{keys: [team]}]}"
	red, blue := named("red.test", 9471, tagged("team", "red")), named("blue.test", 9472, tagged("team", "blue"))
	return []nameRule{
		{"strict", strict, locality("", named("red.test", 9471)), ""},
		{"strict, two names", strict, locality("", named("red.test", 9471), named("blue.test", 9472)), ""},
		{"strict, weights", strict, locality("", named("red.test", 9471, "load_balancing_weight: 1"),
			named("blue.test", 9472, "load_balancing_weight: 3")), ""},
		{"strict, a subset", strict + ", " + teams, locality("", red, blue),
			"metadata_match: {filter_metadata: {envoy.lb: {team: blue}}}"},
		{"strict, no such subset", strict + ", " + teams, locality("", red, blue),
			"metadata_match: {filter_metadata: {envoy.lb: {team: green}}}"},
		{"strict, priorities", strict, locality("priority: 0, ", named("red.test", 9471)) + ", " +
			locality("priority: 1, ", named("blue.test", 9472)), ""},
		{"logical", logical, locality("", named("red.test", 9471)), ""},
		{"extension", extension(""), locality("", named("red.test", 9471), named("blue.test", 9472)), ""},
		{"extension, one host", extension("all_addresses_in_single_endpoint: true, "),
			locality("", named("red.test", 9471)), ""},
	}
}

// TestNames asks clusters whose endpoints are names. Which addresses DNS gave for them stands in
// what Envoy reports of its endpoints, and so does that it gave none.
func TestNames(t *testing.T) {
	dns := newNameServer(t)
	for variant := range variants {
		t.Run(fmt.Sprint("answer ", variant), func(t *testing.T) {
			dns.variant.Store(int32(variant))
			askNames(t, nameRules(dns), addressOf[variant].address != nil)
		})
	}
}

// askNames asks each cluster; known says that DNS gives addresses, so that nothing is open.
func askNames(t *testing.T, rules []nameRule, known bool) {
	const base = 47300
	var c config
	for n := 1; n <= 3; n++ { // where DNS may lead
		for _, port := range []string{"9471", "9472"} {
			c.clusters = append(c.clusters, staticCluster(fmt.Sprint("at", n, "_", port),
				fmt.Sprint("127.62.2.", n, ":", port), ""))
		}
	}
	for i, r := range rules {
		name, more := fmt.Sprint("k", i), ""
		if r.route != "" {
			more = ", " + r.route
		}
		c.clusters = append(c.clusters, fmt.Sprintf("{name: %s, %s, load_assignment: {cluster_name: %s, "+
			"endpoints: [%s]}}", name, r.kind, name, r.endpoints))
		c.listeners = append(c.listeners, httpListener(base+i, "",
			vhost("{match: {prefix: /}, route: {cluster: "+name+more+"}}")))
	}
	e := start(t, c.dump(t), Options{KeepEndpoints: true})
	c.endpoints = reported(t, e)
	engine := infer.New(c.dump(t))
	for i, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			req := shorthand("GET x /", base+i)
			decision, err := engine.Decide(req)
			if err != nil {
				t.Fatal(err)
			}
			if open := len(decision.Depends) > 0; open == known || open && decision.Depends[0].On != "DNS" {
				t.Errorf("it depends on %+v", decision.Depends)
			}
			judgeShares(t, expectedShares(decision), func(times int) []Result {
				results, err := e.Ask(context.Background(), slices.Repeat([]flow.Request{req}, times))
				if err != nil {
					t.Fatal(err)
				}
				return results
			})
		})
	}
}

// reported is the section of Envoy's own dump that has the endpoints of its clusters.
func reported(t *testing.T, e *Envoy) any {
	t.Helper()
	text, err := e.ConfigDump()
	if err != nil {
		t.Fatal(err)
	}
	var dump struct{ Configs []object }
	if err := json.Unmarshal(text, &dump); err != nil {
		t.Fatal(err)
	}
	for _, section := range dump.Configs {
		if section["@type"] == "type.googleapis.com/envoy.admin.v3.EndpointsConfigDump" {
			return section
		}
	}
	t.Fatal("Envoy reports no endpoints")
	return nil
}
