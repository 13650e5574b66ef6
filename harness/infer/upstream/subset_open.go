package upstream

import (
	"slices"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/certainty"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
)

// maxSubsets bounds how many subsets of a cluster are named, where which one is taken is open.
const maxSubsets = 12

// openSubset is subsetOf for a match that a filter may have changed. The cluster has so many
// subsets and no more, so each is one of the answers to which one is taken.
func openSubset(w *passage.Walk, config configdump.Value, hosts []proxy.Host, match []pair) ([]proxy.Host, string) {
	guess, why := subsetOf(config, hosts, match)
	cause, open := w.Meta.Open(envoyLB)
	if !open {
		return guess, why
	}
	others, whole := otherSubsets(config, hosts, guess)
	if !whole {
		w.Open(flow.WhatHost, cause.On, cause.Why, w.Cluster.At.Value)
		return guess, why
	}
	about := flow.Dependency{On: cause.On, What: flow.WhatHost, Why: cause.Why, Source: w.Cluster.At.Pointer()}
	key := "subset of " + w.Cluster.Name + "\n" + cause.On
	if i := w.Ask(certainty.Question{Key: key, About: about, Answers: 1 + len(others)}); i > 0 {
		return others[i-1].hosts, others[i-1].why
	}
	return guess, why
}

// A hostSet is hosts that a subset or the fallback policy leaves, with why.
type hostSet struct {
	hosts []proxy.Host
	why   string
}

// otherSubsets are the sets of hosts that some match leads to, beside that of the guess: one for
// each combination of values that a selector finds, and what the fallback policies leave. whole is
// false where there are too many.
func otherSubsets(config configdump.Value, hosts, guess []proxy.Host) (all []hostSet, whole bool) {
	seen := map[string]bool{hostsText(guess): true}
	add := func(match []pair) {
		in, why := subsetOf(config, hosts, match)
		if text := hostsText(in); !seen[text] {
			seen[text], all = true, append(all, hostSet{in, why})
		}
	}
	add(nil)
	for _, s := range config.Get("subset_selectors").Elements() {
		keys := s.Get("keys").Texts()
		none := make([]pair, len(keys))
		for i, key := range keys {
			none[i] = pair{key, "no value"} // which no JSON is
		}
		add(none)
		for _, h := range hosts {
			match, list := valuesOf(h, keys)
			if list && config.Get("list_as_any").Bool() {
				return nil, false
			}
			if add(match); len(all) > maxSubsets {
				return nil, false
			}
		}
	}
	return all, true
}

// valuesOf are a host's values of some keys. list says that one of them is a list.
func valuesOf(h proxy.Host, keys []string) (match []pair, list bool) {
	have := h.Metadata.Get("filter_metadata").Key(envoyLB)
	for _, key := range keys {
		if v := have.Key(key); v.Exists() {
			match = append(match, pair{key, proxy.CanonicalJSON(v.Raw())})
			list = list || v.IsArray()
		}
	}
	return match, list
}

func hostsText(hosts []proxy.Host) string {
	text := ""
	for _, address := range slices.Sorted(func(yield func(string) bool) {
		for _, h := range hosts {
			if !yield(h.Address) {
				return
			}
		}
	}) {
		text += address + " "
	}
	return text
}
