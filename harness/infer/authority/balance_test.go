package authority

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
)

// A balanceRule is a cluster's load balancing: its endpoints stand on loopback
// addresses of their own.
type balanceRule struct {
	name      string
	cluster   string // fields of the cluster
	endpoints string // LocalityLbEndpoints; IP stands for the rule's own 127.x network
	route     string // further fields of the route's action
}

// ep is an endpoint with further fields of LbEndpoint.
func ep(n int, more ...string) string {
	text := fmt.Sprintf("{endpoint: {address: {socket_address: {address: NET.%d, port_value: 8080}}}", n)
	for _, m := range more {
		text += ", " + m
	}
	return text + "}"
}

func locality(more string, endpoints ...string) string {
	return "{" + more + "lb_endpoints: [" + strings.Join(endpoints, ", ") + "]}"
}

const (
	unhealthy = "health_status: UNHEALTHY"
	degraded  = "health_status: DEGRADED"
)

func tagged(key, value string) string {
	return "metadata: {filter_metadata: {envoy.lb: {" + key + ": " + value + "}}}"
}

// falling begins a subset configuration that tries a list of fallbacks.
const falling = "lb_policy: ROUND_ROBIN, lb_subset_config: {metadata_fallback_policy: FALLBACK_LIST, " +
	"subset_selectors: [{keys: [v]}, {keys: [v, w]}], fallback_policy: "

var balanceRules = []balanceRule{
	{"all healthy", "lb_policy: ROUND_ROBIN", locality("", ep(1), ep(2), ep(3)), ""},
	{"unhealthy and draining", "lb_policy: ROUND_ROBIN", locality("", ep(1), ep(2, unhealthy),
		ep(3, "health_status: DRAINING"), ep(4), ep(5)), ""},
	{"a draining endpoint is not missing", "lb_policy: ROUND_ROBIN", locality("priority: 0, ",
		ep(1), ep(2, "health_status: DRAINING"),
		ep(3, "health_status: DRAINING")) + "," + locality("priority: 1, ", ep(4)), ""},
	{"an unhealthy endpoint is missing", "lb_policy: ROUND_ROBIN", locality("priority: 0, ", ep(1), ep(2, unhealthy),
		ep(3, unhealthy)) + "," + locality("priority: 1, ", ep(4)), ""},
	{"draining in a locality", "lb_policy: ROUND_ROBIN, common_lb_config: {locality_weighted_lb_config: {}}",
		locality("locality: {zone: a}, load_balancing_weight: 1, ", ep(1)) + "," +
			locality("locality: {zone: b}, load_balancing_weight: 1, ", ep(2), ep(3, "health_status: DRAINING"),
				ep(4, "health_status: DRAINING")), ""},
	{"all draining", "lb_policy: ROUND_ROBIN", locality("", ep(1, "health_status: DRAINING"),
		ep(2, "health_status: DRAINING")), ""},
	{"weights", "lb_policy: ROUND_ROBIN", locality("", ep(1, "load_balancing_weight: 1"),
		ep(2, "load_balancing_weight: 3")), ""},
	{"panic", "lb_policy: ROUND_ROBIN", locality("", ep(1), ep(2, unhealthy), ep(3, unhealthy)), ""},
	{"panic off", "lb_policy: ROUND_ROBIN, common_lb_config: {healthy_panic_threshold: {value: 0}}",
		locality("", ep(1), ep(2, unhealthy), ep(3, unhealthy)), ""},
	{"panic off, none healthy", "lb_policy: ROUND_ROBIN, common_lb_config: {healthy_panic_threshold: {value: 0}}",
		locality("", ep(1, unhealthy)), ""},
	{"panic, all unhealthy", "lb_policy: ROUND_ROBIN", locality("", ep(1, unhealthy), ep(2, unhealthy)), ""},
	{"priorities: first is enough", "lb_policy: ROUND_ROBIN",
		locality("priority: 0, ", ep(1), ep(2), ep(3, unhealthy)) + "," + locality("priority: 1, ", ep(4)), ""},
	{"priorities: spill over", "lb_policy: ROUND_ROBIN",
		locality("priority: 0, ", ep(1), ep(2, unhealthy)) + "," + locality("priority: 1, ", ep(3), ep(4)), ""},
	{"priorities: failover", "lb_policy: ROUND_ROBIN",
		locality("priority: 0, ", ep(1, unhealthy)) + "," + locality("priority: 1, ", ep(2)), ""},
	{"priorities: not enough anywhere", "lb_policy: ROUND_ROBIN", locality("priority: 0, ", ep(1), ep(2, unhealthy),
		ep(3, unhealthy), ep(4, unhealthy)) + "," +
		locality("priority: 1, ", ep(5), ep(6, unhealthy), ep(7, unhealthy), ep(8, unhealthy)), ""},
	{"panic at another threshold", "lb_policy: ROUND_ROBIN, common_lb_config: {healthy_panic_threshold: {value: 30}}",
		locality("", ep(1), ep(2, unhealthy), ep(3, unhealthy)), ""},
	{"panic below all", "lb_policy: ROUND_ROBIN, common_lb_config: {healthy_panic_threshold: {value: 100}}",
		locality("", ep(1), ep(2), ep(3, unhealthy)), ""},
	{"priorities: three, each with a part", "lb_policy: ROUND_ROBIN",
		locality("priority: 0, ", ep(1), ep(2, unhealthy), ep(3, unhealthy), ep(4, unhealthy)) + "," +
			locality("priority: 1, ", ep(5), ep(6, unhealthy), ep(7, unhealthy)) + "," +
			locality("priority: 2, ", ep(8), ep(9)), ""},
	{"priorities: one in panic beside another", "lb_policy: ROUND_ROBIN",
		locality("priority: 0, ", ep(1), ep(2, unhealthy), ep(3, unhealthy), ep(4, unhealthy)) + "," +
			locality("priority: 1, ", ep(5), ep(6), ep(7, unhealthy), ep(8, unhealthy)), ""},
	{"priorities: degraded before the next", "lb_policy: ROUND_ROBIN",
		locality("priority: 0, ", ep(1, degraded), ep(2, unhealthy)) + "," +
			locality("priority: 1, ", ep(3), ep(4, unhealthy), ep(5, unhealthy)), ""},
	{"priorities: panic off in the first", "lb_policy: ROUND_ROBIN, common_lb_config: {healthy_panic_threshold: " +
		"{value: 0}}", locality("priority: 0, ", ep(1, unhealthy)) + "," +
		locality("priority: 1, ", ep(2), ep(3, unhealthy), ep(4, unhealthy)), ""},
	{"priorities: no host panics and traffic fails", "lb_policy: ROUND_ROBIN, common_lb_config: " +
		"{zone_aware_lb_config: {fail_traffic_on_panic: true}}",
		locality("priority: 0, ", ep(1), ep(2, unhealthy), ep(3, unhealthy)), ""},
	{"degraded", "lb_policy: ROUND_ROBIN", locality("", ep(1), ep(2, degraded), ep(3, unhealthy)), ""},
	{"locality weights", "lb_policy: ROUND_ROBIN, common_lb_config: {locality_weighted_lb_config: {}}",
		locality("locality: {zone: a}, load_balancing_weight: 1, ", ep(1)) + "," +
			locality("locality: {zone: b}, load_balancing_weight: 3, ", ep(2), ep(3)), ""},
	{"locality weights with unhealthy hosts", "lb_policy: ROUND_ROBIN, common_lb_config: " +
		"{locality_weighted_lb_config: {}}", locality("locality: {zone: a}, load_balancing_weight: 1, ", ep(1)) + "," +
		locality("locality: {zone: b}, load_balancing_weight: 1, ", ep(2), ep(3, unhealthy)), ""},
	{"locality without weight", "lb_policy: ROUND_ROBIN, common_lb_config: {locality_weighted_lb_config: {}}",
		locality("locality: {zone: a}, load_balancing_weight: 1, ", ep(1)) + "," +
			locality("locality: {zone: b}, ", ep(2)), ""},
	{"subset", "lb_policy: ROUND_ROBIN, lb_subset_config: {fallback_policy: NO_FALLBACK, subset_selectors: [{keys: " +
		"[v]}]}",
		locality("", ep(1, tagged("v", "one")), ep(2, tagged("v", "two")), ep(3, tagged("v", "one"))),
		"metadata_match: {filter_metadata: {envoy.lb: {v: one}}}"},
	{"subset: no match, no fallback", "lb_policy: ROUND_ROBIN, lb_subset_config: {fallback_policy: NO_FALLBACK, " +
		"subset_selectors: [{keys: [v]}]}",
		locality("", ep(1, tagged("v", "one"))), "metadata_match: {filter_metadata: {envoy.lb: {v: three}}}"},
	{"subset: no match, any endpoint", "lb_policy: ROUND_ROBIN, lb_subset_config: {fallback_policy: ANY_ENDPOINT, " +
		"subset_selectors: [{keys: [v]}]}",
		locality("", ep(1, tagged("v", "one")), ep(2)), "metadata_match: {filter_metadata: {envoy.lb: {v: three}}}"},
	{"subset: default subset", "lb_policy: ROUND_ROBIN, lb_subset_config: {fallback_policy: DEFAULT_SUBSET, " +
		"default_subset: {v: two}, subset_selectors: [{keys: [v]}]}",
		locality("", ep(1, tagged("v", "one")), ep(2, tagged("v", "two"))), ""},
	{"subset: other keys",
		"lb_policy: ROUND_ROBIN, lb_subset_config: {fallback_policy: ANY_ENDPOINT, subset_selectors: [{keys: [v, w]}]}",
		locality("", ep(1, tagged("v", "one")), ep(2)), "metadata_match: {filter_metadata: {envoy.lb: {v: one}}}"},
	{"subset: some of the keys", "lb_policy: ROUND_ROBIN, lb_subset_config: {fallback_policy: NO_FALLBACK, " +
		"subset_selectors: [{keys: [v, w], fallback_policy: KEYS_SUBSET, fallback_keys_subset: [v]}, {keys: [v]}]}",
		locality("", ep(1, tagged("v", "one")), ep(2, tagged("v", "two"))),
		"metadata_match: {filter_metadata: {envoy.lb: {v: one, w: x}}}"},
	{"subset: some of the keys, and no such subset", "lb_policy: ROUND_ROBIN, lb_subset_config: {fallback_policy: " +
		"ANY_ENDPOINT, subset_selectors: [{keys: [v, w], fallback_policy: KEYS_SUBSET, fallback_keys_subset: [w]}, " +
		"{keys: [w]}]}",
		locality("", ep(1, tagged("v", "one")), ep(2, tagged("v", "two"))),
		"metadata_match: {filter_metadata: {envoy.lb: {v: one, w: x}}}"},
	{"subset: a list stands for itself",
		"lb_policy: ROUND_ROBIN, lb_subset_config: {fallback_policy: NO_FALLBACK, subset_selectors: [{keys: [v]}]}",
		locality("", ep(1, tagged("v", "[one, two]")), ep(2, tagged("v", "one"))),
		"metadata_match: {filter_metadata: {envoy.lb: {v: one}}}"},
	{"subset: list_as_any", "lb_policy: ROUND_ROBIN, lb_subset_config: {list_as_any: true, fallback_policy: " +
		"NO_FALLBACK, subset_selectors: [{keys: [v]}]}",
		locality("", ep(1, tagged("v", "[one, two]")), ep(2, tagged("v", "one")), ep(3, tagged("v", "three"))),
		"metadata_match: {filter_metadata: {envoy.lb: {v: one}}}"},
	{"subset: panic_mode_any", "lb_policy: ROUND_ROBIN, lb_subset_config: {panic_mode_any: true, fallback_policy: " +
		"DEFAULT_SUBSET, default_subset: {v: none}, subset_selectors: [{keys: [v]}]}",
		locality("", ep(1, tagged("v", "one")), ep(2, tagged("v", "two"))),
		"metadata_match: {filter_metadata: {envoy.lb: {v: three}}}"},
	{"subset: an unhealthy subset",
		"lb_policy: ROUND_ROBIN, lb_subset_config: {fallback_policy: ANY_ENDPOINT, subset_selectors: [{keys: [v]}]}",
		locality("", ep(1, tagged("v", "one")+", health_status: UNHEALTHY"), ep(2, tagged("v", "two"))),
		"metadata_match: {filter_metadata: {envoy.lb: {v: one}}}"},
	{"subset: numbers and booleans",
		"lb_policy: ROUND_ROBIN, lb_subset_config: {fallback_policy: NO_FALLBACK, subset_selectors: [{keys: [v]}]}",
		locality("", ep(1, tagged("v", "1")), ep(2, tagged("v", "'1'")), ep(3, tagged("v", "true"))),
		"metadata_match: {filter_metadata: {envoy.lb: {v: 1}}}"},
	{"subset: a list of fallbacks", falling + "NO_FALLBACK}",
		locality("", ep(1, tagged("v", "one")), ep(2, tagged("v", "two"))),
		"metadata_match: {filter_metadata: {envoy.lb: {fallback_list: [{v: three}, {v: two}, {v: one}]}}}"},
	{"subset: a list of fallbacks that adds to the rest", falling + "NO_FALLBACK}",
		locality("", ep(1, tagged("v", "one")), ep(2, tagged("v", "two, w: x"))),
		"metadata_match: {filter_metadata: {envoy.lb: {v: two, fallback_list: [{w: y}, {w: x}]}}}"},
	{"subset: a list of fallbacks after the fallback policy", falling + "ANY_ENDPOINT}",
		locality("", ep(1, tagged("v", "one")), ep(2, tagged("v", "two"))),
		"metadata_match: {filter_metadata: {envoy.lb: {fallback_list: [{v: three}, {v: two}]}}}"},
	{"subset: a list of fallbacks and none of them", falling + "NO_FALLBACK}", locality("", ep(1, tagged("v", "one"))),
		"metadata_match: {filter_metadata: {envoy.lb: {v: one, fallback_list: [{v: three}, {v: two}]}}}"},
	{"subset: an empty list of fallbacks", falling + "NO_FALLBACK}", locality("", ep(1, tagged("v", "one")), ep(2)),
		"metadata_match: {filter_metadata: {envoy.lb: {v: one, fallback_list: []}}}"},
	{"subset: a list of fallbacks over an unhealthy subset", falling + "NO_FALLBACK}, common_lb_config: " +
		"{healthy_panic_threshold: {value: 0}}", locality("", ep(1, tagged("v", "one"), unhealthy),
		ep(2, tagged("v", "two"))),
		"metadata_match: {filter_metadata: {envoy.lb: {fallback_list: [{v: one}, {v: two}]}}}"},
	{"subset: a list of fallbacks that is not asked for",
		"lb_policy: ROUND_ROBIN, lb_subset_config: {fallback_policy: NO_FALLBACK, subset_selectors: [{keys: [v]}]}",
		locality("", ep(1, tagged("v", "one"))),
		"metadata_match: {filter_metadata: {envoy.lb: {v: one, fallback_list: [{v: one}]}}}"},
	{"subset: fallback of the selector", "lb_policy: ROUND_ROBIN, lb_subset_config: {fallback_policy: ANY_ENDPOINT, " +
		"subset_selectors: [{keys: [v], fallback_policy: NO_FALLBACK}]}",
		locality("", ep(1, tagged("v", "one")), ep(2)), "metadata_match: {filter_metadata: {envoy.lb: {v: three}}}"},
}

// TestBalance sends many requests through each cluster and compares which endpoints they reach with
// the inferred shares.
func TestBalance(t *testing.T) {
	const base = 40000
	var c config
	for i, r := range balanceRules {
		name := fmt.Sprint("k", i)
		endpoints := strings.ReplaceAll(r.endpoints, "NET", fmt.Sprint("127.3.", i))
		c.clusters = append(c.clusters, fmt.Sprintf("{name: %s, type: STATIC, %s, load_assignment: {cluster_name: "+
			"%s, endpoints: [%s]}}", name, r.cluster, name, endpoints))
		more := ""
		if r.route != "" {
			more = ", " + r.route
		}
		c.listeners = append(c.listeners,
			httpListener(base+i, "", vhost("{match: {prefix: /}, route: {cluster: "+name+more+"}}")))
	}
	rules := balanceRules
	for i, members := range []string{"[k5, k0]", "[k1, k0]", "[k8, k0]", "[k9, k3]",
		"[k10, k7]", "[k11, k8, k1]", "[aggregate0, k2]", "[k2, aggregate0]", "[aggregate0]", "[k6]"} {
		name := fmt.Sprint("aggregate", i)
		c.clusters = append(c.clusters, "{name: "+name+`, lb_policy: CLUSTER_PROVIDED,
			cluster_type: {name: envoy.clusters.aggregate, typed_config: {
			"@type": type.googleapis.com/envoy.extensions.clusters.aggregate.v3.ClusterConfig, clusters: `+
			members+`}}}`)
		c.listeners = append(c.listeners,
			httpListener(base+len(rules), "", vhost("{match: {prefix: /}, route: {cluster: "+name+"}}")))
		rules = append(rules, balanceRule{name: "aggregate of " + members})
	}
	d := c.dump(t)
	e, engine := start(t, d, Options{KeepEndpoints: true}), infer.New(d)
	for i, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			req := shorthand("GET x /", base+i)
			decision, err := engine.Decide(req)
			if err != nil {
				t.Fatal(err)
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

// expectedShares returns the share of each endpoint by address; "none" when there is no endpoint.
func expectedShares(d flow.Decision) map[string]float64 {
	if d.Outcome == flow.Failed {
		return map[string]float64{"none " + d.Flag: 1}
	}
	shares := map[string]float64{}
	for _, h := range d.Hops {
		if h.Kind != flow.Endpoint {
			continue
		}
		for _, c := range h.Choices {
			shares[c.Name] = c.Share
		}
		if len(h.Choices) == 0 {
			shares[h.Decision] = 1
		}
	}
	return shares
}

// judgeShares fails t where Envoy's choices do not fit the inferred shares. It asks some
// requests first. Where those lie far from the shares, it asks many more and judges all of
// them: chance alone fails a right share in fewer than one of a million rules, and a share that
// is wrong by a tenth is found.
func judgeShares(t *testing.T, want map[string]float64, ask func(times int) []Result) {
	t.Helper()
	const some, more = 120, 1500
	results := ask(some)
	if misfits(want, results, 2.5) == nil {
		return
	}
	results = append(results, ask(more)...)
	for _, misfit := range misfits(want, results, 5) {
		t.Errorf("%s (of %d requests: inferred %v, Envoy %v)", misfit, len(results), want, observedShares(results))
	}
}

// misfits names each endpoint whose number of requests lies more than deviations standard
// deviations of a binomial distribution from its inferred share, and each endpoint that was
// not inferred at all.
func misfits(want map[string]float64, results []Result, deviations float64) []string {
	var found []string
	got := observedShares(results)
	for where, share := range want {
		bound := deviations * math.Sqrt(share*(1-share)/float64(len(results)))
		if math.Abs(got[where]-share) > bound+1e-9 || share > 0 && got[where] == 0 {
			found = append(found, fmt.Sprintf("%s: inferred %.2f of the requests, Envoy %.2f",
				where, share, got[where]))
		}
	}
	for where := range got {
		if want[where] == 0 {
			found = append(found, where+": reached, and inference does not expect it")
		}
	}
	slices.Sort(found)
	return found
}

// observedShares returns the part of the requests that each endpoint received, by its address.
func observedShares(results []Result) map[string]float64 {
	got := map[string]float64{}
	for _, r := range results {
		where := "none " + lastEntry(r).Flags
		if r.Seen != nil {
			where = r.Seen.Local
		}
		got[where] += 1 / float64(len(results))
	}
	return got
}

// TestMisfits shows that a share that is wrong by a tenth is found and that a rare draw is not.
func TestMisfits(t *testing.T) {
	draw := func(a, b int) []Result {
		at := func(where string) Result { return Result{Seen: &Seen{Local: where}} }
		return append(slices.Repeat([]Result{at("a")}, a), slices.Repeat([]Result{at("b")}, b)...)
	}
	for _, c := range []struct {
		name       string
		a, b       int
		share      float64
		deviations float64
		fits       bool
	}{
		{"as inferred", 810, 810, 0.5, 5, true},
		{"three deviations of few requests", 43, 77, 0.5, 5, true},
		{"a tenth beside", 648, 972, 0.5, 5, false},
		{"one of two never chosen", 1620, 0, 0.98, 5, false},
		{"an endpoint that is not inferred", 1619, 1, 1, 5, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := map[string]float64{"a": c.share}
			if c.share < 1 {
				want["b"] = 1 - c.share
			}
			if got := misfits(want, draw(c.a, c.b), c.deviations); (got == nil) != c.fits {
				t.Errorf("misfits %v, want none: %v", got, c.fits)
			}
		})
	}
}
