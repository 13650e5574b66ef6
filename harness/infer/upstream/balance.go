package upstream

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/hcm"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
	"github.com/flowproof/lab/harness/infer/say"
)

// balance returns the hosts that load balancing picks from, with the share of each.
func balance(w *passage.Walk, c *proxy.Cluster, load *proxy.LoadAssignment) (hosts []proxy.Host,
	choices []flow.Choice, why string) {
	config := subsetConfig(c)
	if !config.Exists() {
		return share(w, c, load, load.Hosts, "")
	}
	for _, match := range fallbacks(config, metadataMatch(w)) {
		in, how := openSubset(w, config, load.Hosts, match)
		hosts, choices, how = share(w, c, load, in, how)
		if why = say.Join(why, how); len(hosts) > 0 {
			break
		}
	}
	return hosts, choices, why
}

// share returns those of the candidates that get requests, with the share of each.
func share(w *passage.Walk, c *proxy.Cluster, load *proxy.LoadAssignment, candidates []proxy.Host,
	why string) (hosts []proxy.Host, choices []flow.Choice, how string) {
	if len(candidates) == 0 {
		return nil, nil, cmp.Or(why, "the cluster has no endpoints")
	}
	set := newPrioritySet(candidates, load.Over, panicThreshold(w, c))
	shares, how := set.shares(c)
	for i, h := range candidates {
		if shares[i] > 0 {
			hosts = append(hosts, h)
			choices = append(choices, flow.Choice{Name: h.Address, Share: shares[i]})
		}
	}
	return hosts, choices, say.Join(why, how)
}

// panicThreshold is healthy_panic_threshold in percent, by the runtime or the cluster: 50 by
// default.
func panicThreshold(w *passage.Walk, c *proxy.Cluster) float64 {
	const key = "upstream.healthy_panic_threshold"
	if w.Proxy.Runtime(key).Exists() {
		return float64(w.Proxy.Percent(key, 0))
	}
	v := c.At.Get("common_lb_config", "healthy_panic_threshold")
	if !v.Exists() {
		return 50
	}
	return v.Get("value").Float() // an empty Percent is 0: no panic
}

// subsetConfig is the configuration by which a cluster narrows its hosts, or a Value that does not
// exist.
func subsetConfig(c *proxy.Cluster) configdump.Value {
	config := c.At.Get("lb_subset_config")
	if !config.Exists() {
		config = subsetPolicy(c)
	}
	if !config.Has("subset_selectors") && !config.Has("fallback_policy") {
		return configdump.Value{}
	}
	return config
}

// fallbacks are the matches that are tried in turn until one has a host: one, or with
// metadata_fallback_policy FALLBACK_LIST one for each element of the match's fallback_list, which
// adds to the rest. (SubsetLoadBalancer::chooseHost)
func fallbacks(config configdump.Value, match []pair) [][]pair {
	at := slices.IndexFunc(match, func(p pair) bool { return p.key == "fallback_list" })
	policy := config.Get("metadata_fallback_policy").Text()
	var list []map[string]json.RawMessage
	if at < 0 || policy != "FALLBACK_LIST" && policy != "1" || json.Unmarshal([]byte(match[at].value), &list) != nil {
		return [][]pair{match}
	}
	rest := slices.Delete(slices.Clone(match), at, at+1)
	if len(list) == 0 {
		return [][]pair{rest}
	}
	var all [][]pair
	for _, element := range list {
		var own []pair
		for _, key := range slices.Sorted(maps.Keys(element)) {
			own = append(own, pair{key, proxy.CanonicalJSON(element[key])})
		}
		all = append(all, merged(slices.Clone(rest), own))
	}
	return all
}

// subsetOf chooses the hosts for a match by the selectors and the fallback policy of a
// subset configuration. The keys of the match have to be those of one of the selectors; otherwise,
// or when no host has the values, the fallback policy decides. (SubsetLoadBalancer)
func subsetOf(config configdump.Value, hosts []proxy.Host, match []pair) ([]proxy.Host, string) {
	fallback := config.Get("fallback_policy").Text()
	for _, s := range config.Get("subset_selectors").Elements() {
		if !sameKeys(s.Get("keys").Texts(), match) {
			continue
		}
		if in := withMetadata(config, hosts, match); len(in) > 0 {
			return in, "subset " + matchText(match)
		}
		if own := s.Get("fallback_policy").Text(); own != "" && own != "NOT_DEFINED" && own != "0" {
			fallback = own
		}
		if fallback == "KEYS_SUBSET" || fallback == "4" { // the same again with some of the keys only
			var fewer []pair
			for _, p := range match {
				if slices.Contains(s.Get("fallback_keys_subset").Texts(), p.key) {
					fewer = append(fewer, p)
				}
			}
			if len(fewer) > 0 && len(fewer) < len(match) {
				in, why := subsetOf(config, hosts, fewer)
				return in, say.Join("no subset is "+matchText(match)+", so fallback_keys_subset leaves keys out", why)
			}
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
		defaults := pairs(config.Get("default_subset"))
		in := withMetadata(config, hosts, defaults)
		if len(in) == 0 && config.Get("panic_mode_any").Bool() {
			return hosts, wanted + ", default_subset is empty and panic_mode_any takes all"
		}
		return in, wanted + ", so fallback_policy takes default_subset " + matchText(defaults)
	}
	if config.Get("panic_mode_any").Bool() {
		return hosts, wanted + ", and panic_mode_any takes all"
	}
	return nil, wanted + ", and fallback_policy is NO_FALLBACK"
}

// subsetPolicy finds the subset policy among load_balancing_policy's.
func subsetPolicy(c *proxy.Cluster) configdump.Value {
	for _, p := range c.At.Get("load_balancing_policy", "policies").Elements() {
		if message, kind := p.Get("typed_extension_config", "typed_config").Typed(); strings.HasSuffix(kind,
			".subset.v3.Subset") {
			return message
		}
	}
	return configdump.Value{}
}

// A pair is one key and value of metadata, the value as canonical JSON.
type pair struct{ key, value string }

func pairs(v configdump.Value) []pair {
	var all []pair
	for key, value := range v.Fields() {
		all = append(all, pair{key, proxy.CanonicalJSON(value.Raw())})
	}
	return all
}

// metadataMatch returns envoy.lb of the route's metadata_match, where a weighted cluster's own adds
// to it, and what filters have written into the request's metadata of that name, which counts
// before both. (Router::Filter::metadataMatchCriteria)
func metadataMatch(w *passage.Walk) []pair {
	lb := func(v configdump.Value) []pair { return pairs(v.Get("metadata_match", "filter_metadata").Key(envoyLB)) }
	if w.HCM == nil {
		return merged(lb(w.TCPProxy), writtenPairs(w))
	}
	var route, weighted []pair
	if w.Route != nil {
		route, weighted = lb(w.Route.Action.Value), lb(hcm.WeightedEntry(w))
	}
	return merged(merged(route, weighted), writtenPairs(w))
}

// envoyLB is the namespace of metadata that chooses subsets.
const envoyLB = "envoy.lb"

// writtenPairs are those that filters have written, in the order of their keys.
func writtenPairs(w *passage.Walk) []pair {
	var all []pair
	for key, value := range w.Meta.Namespace(envoyLB) {
		if text, err := json.Marshal(value); err == nil {
			all = append(all, pair{key, string(text)})
		}
	}
	slices.SortFunc(all, func(a, b pair) int { return strings.Compare(a.key, b.key) })
	return all
}

// merged adds pairs to others; those of the same key are replaced.
func merged(pairs, more []pair) []pair {
	for _, own := range more {
		if i := slices.IndexFunc(pairs, func(p pair) bool { return p.key == own.key }); i >= 0 {
			pairs[i] = own
		} else {
			pairs = append(pairs, own)
		}
	}
	return pairs
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

// withMetadata returns the hosts whose envoy.lb metadata has all the pairs. With list_as_any a list
// there stands for each of its elements.
func withMetadata(config configdump.Value, hosts []proxy.Host, match []pair) []proxy.Host {
	anyOf := config.Get("list_as_any").Bool()
	var in []proxy.Host
	for _, h := range hosts {
		if hasPairs(h, match, anyOf) {
			in = append(in, h)
		}
	}
	return in
}

func hasPairs(h proxy.Host, match []pair, anyOf bool) bool {
	have := h.Metadata.Get("filter_metadata").Key(envoyLB)
	for _, p := range match {
		v := have.Key(p.key)
		has := v.Exists() && proxy.CanonicalJSON(v.Raw()) == p.value
		for _, e := range v.Elements() {
			has = has || anyOf && proxy.CanonicalJSON(e.Raw()) == p.value
		}
		if !has {
			return false
		}
	}
	return true
}

func matchText(match []pair) string {
	var parts []string
	for _, p := range match {
		parts = append(parts, p.key+": "+strings.Trim(p.value, `"`))
	}
	return say.OrNone(say.List(parts))
}
