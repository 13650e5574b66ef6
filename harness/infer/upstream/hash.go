package upstream

import (
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/hcm"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
)

// hashPolicy is the hash by which a ring or a Maglev table is asked.
func hashPolicy(w *passage.Walk, c *proxy.Cluster) hcm.Hash {
	list := w.TCPProxy.Get("hash_policy")
	if w.HCM != nil && w.Route != nil {
		list = w.Route.Action.Get("hash_policy")
		if own := c.Options().Get("hash_policy"); own.Len() > 0 {
			list = own
		}
		policy, _ := c.Policy()
		if own := policy.Get("consistent_hashing_lb_config", "hash_policy"); own.Len() > 0 {
			list = own
		}
	}
	return hcm.HashOf(w, list)
}

// maxDrawn bounds among how many endpoints a draw is followed.
const maxDrawn = 16

// byHash says how a cluster with a ring or a Maglev table chooses: by what it hashes always the
// same endpoint, and without a hash any of them by chance, which then is an outcome of its own.
func byHash(w *passage.Walk, c *proxy.Cluster, hosts []proxy.Host,
	choices []flow.Choice) (taken []proxy.Host, left []flow.Choice, why string) {
	if !c.Hashed() || len(hosts) < 2 {
		return hosts, choices, ""
	}
	hash := hashPolicy(w, c)
	if len(hash.By) > 0 {
		return hosts, choices, "the hash of " + strings.Join(hash.By, ", ") +
			" decides: for the same value it is always the same endpoint"
	}
	why = "no hash policy gives this request a hash, so chance decides"
	if len(hash.Lacks) > 0 {
		why = "hash_policy asks for " + strings.Join(hash.Lacks, ", ") + ", which the request does not have, so " +
			"chance decides"
	}
	shares := []float64{0}
	for _, choice := range choices {
		shares = append(shares, choice.Share)
	}
	if len(shares) != len(hosts)+1 || len(hosts) > maxDrawn {
		return hosts, choices, why
	}
	if i := w.Draw(flow.WhatHost, c.Name+" hash", "cluster "+c.Name+" asks for a hash: "+why,
		c.At.Value, shares...); i > 0 {
		return hosts[i-1 : i], nil, why
	}
	return hosts, choices, why
}
