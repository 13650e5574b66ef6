package infer

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// balance returns the hosts that load balancing picks from, with the share of each.
func (w *walk) balance(c *cluster, load *loadAssignment) (hosts []host, choices []flow.Choice, why string) {
	candidates, why := w.subset(c, load.hosts)
	if len(candidates) == 0 {
		return nil, nil, first(why, "the cluster has no endpoints")
	}
	set := newPrioritySet(candidates, load.over, panicThreshold(c))
	shares, how := set.shares(c)
	for i, h := range candidates {
		if shares[i] > 0 {
			hosts = append(hosts, h)
			choices = append(choices, flow.Choice{Name: h.address, Share: shares[i]})
		}
	}
	if len(hosts) == 0 {
		return nil, nil, joinWhy(why, how)
	}
	return hosts, choices, joinWhy(why, how)
}

// panicThreshold is healthy_panic_threshold in percent: 50 by default.
func panicThreshold(c *cluster) float64 {
	v := c.at.Get("common_lb_config", "healthy_panic_threshold")
	if !v.Exists() {
		return 50
	}
	return v.Get("value").Float() // an empty Percent is 0: no panic
}

// subset narrows the hosts by the route's metadata_match: SubsetLoadBalancer. The keys of the match have to be those of
// one of the selectors; otherwise, or when no host has the values, the fallback policy decides.
func (w *walk) subset(c *cluster, hosts []host) ([]host, string) {
	config := c.at.Get("lb_subset_config")
	if !config.Exists() {
		config = subsetPolicy(c)
	}
	if !config.Has("subset_selectors") && !config.Has("fallback_policy") {
		return hosts, ""
	}
	match := w.metadataMatch()
	fallback := config.Get("fallback_policy").Text()
	for _, s := range config.Get("subset_selectors").Elements() {
		if !sameKeys(s.Get("keys").Texts(), match) {
			continue
		}
		var in []host
		for _, h := range hosts {
			if len(metadataMissing(match, h)) == 0 {
				in = append(in, h)
			}
		}
		if len(in) > 0 {
			return in, "subset " + matchText(match)
		}
		if own := s.Get("fallback_policy").Text(); own != "" && own != "NOT_DEFINED" {
			fallback = own
		}
	}
	wanted := "the route asks for no subset"
	if len(match) > 0 {
		wanted = "no subset is " + matchText(match)
	}
	switch fallback {
	case "ANY_ENDPOINT", "1":
		return hosts, wanted + ", so fallback_policy ANY_ENDPOINT takes all"
	case "DEFAULT_SUBSET", "2":
		var in []host
		defaults := pairs(config.Get("default_subset"))
		for _, h := range hosts {
			if len(metadataMissing(defaults, h)) == 0 {
				in = append(in, h)
			}
		}
		return in, wanted + ", so fallback_policy takes default_subset " + matchText(defaults)
	}
	return nil, wanted + ", and fallback_policy is NO_FALLBACK"
}

// subsetPolicy finds the subset policy among load_balancing_policy's.
func subsetPolicy(c *cluster) configdump.Value {
	for _, p := range c.at.Get("load_balancing_policy", "policies").Elements() {
		if message, kind := p.Get("typed_extension_config", "typed_config").Typed(); strings.HasSuffix(kind, ".subset.v3.Subset") {
			return message
		}
	}
	return configdump.Value{}
}

// A pair is one key and value of metadata.
type pair struct {
	key   string
	value configdump.Value
}

func pairs(v configdump.Value) []pair {
	var all []pair
	for key, value := range v.Fields() {
		all = append(all, pair{key, value})
	}
	return all
}

// metadataMatch returns envoy.lb of the route's metadata_match, where a weighted cluster's own adds to it.
func (w *walk) metadataMatch() []pair {
	lb := func(v configdump.Value) []pair { return pairs(v.Get("metadata_match", "filter_metadata", "envoy.lb")) }
	if w.hcm == nil {
		return lb(w.tcpProxy)
	}
	match := lb(w.route.action.Value)
	for _, c := range w.route.action.Get("weighted_clusters", "clusters").Elements() {
		if c.Get("name").Text() != w.out.Cluster {
			continue
		}
		for _, own := range lb(c) {
			replaced := false
			for i := range match {
				if match[i].key == own.key {
					match[i], replaced = own, true
				}
			}
			if !replaced {
				match = append(match, own)
			}
		}
	}
	return match
}

func sameKeys(keys []string, match []pair) bool {
	want := map[string]bool{}
	for _, k := range keys {
		want[k] = true
	}
	for _, p := range match {
		if !want[p.key] {
			return false
		}
	}
	return len(match) == len(want) && len(match) > 0
}

// metadataMissing returns the pairs that a host's envoy.lb metadata does not have.
func metadataMissing(match []pair, h host) []pair {
	have := h.metadata.Get("filter_metadata", "envoy.lb")
	var missing []pair
	for _, p := range match {
		if v := named(have, p.key); !v.Exists() || !sameJSON(v, p.value) {
			missing = append(missing, p)
		}
	}
	return missing
}

func matchText(match []pair) string {
	var parts []string
	for _, p := range match {
		parts = append(parts, fmt.Sprintf("%s: %s", p.key, shown(p.value)))
	}
	return orNone(list(parts))
}
