package upstream

import (
	"cmp"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
)

// hashPolicy says what gives the hash by which a ring or a Maglev table is asked; "" where nothing
// does, and chance decides. (Http::HashPolicyImpl::generateHash)
func hashPolicy(w *passage.Walk, c *proxy.Cluster) (by string) {
	list := w.TCPProxy.Get("hash_policy")
	if w.HCM != nil && w.Route != nil {
		list = w.Route.Action.Get("hash_policy")
		policy, _ := c.Policy()
		if own := policy.Get("consistent_hashing_lb_config", "hash_policy"); own.Len() > 0 {
			list = own
		}
	}
	var parts []string
	for _, p := range list.Elements() {
		if part := hashes(w, p); part != "" {
			parts = append(parts, part)
			if p.Get("terminal").Bool() {
				break
			}
		}
	}
	return strings.Join(parts, ", ")
}

// hashes names what one hash policy hashes of this request, or "".
func hashes(w *passage.Walk, p configdump.Value) string {
	for kind, v := range p.Fields() {
		switch configdump.FieldName(kind) {
		case "header":
			name := cmp.Or(v.Get("header_name").Text(), v.Get("name").Text())
			if _, ok := w.Req.Header.Get(name); ok {
				return "header " + name
			}
		case "cookie":
			header, _ := w.Req.Header.Get("cookie")
			if match.Cookies(header)[v.Get("name").Text()] != "" {
				return "cookie " + v.Get("name").Text()
			}
		case "query_parameter":
			path, _ := w.Req.Header.Get(":path")
			if match.QueryParams(path)[v.Get("name").Text()] != "" {
				return "query parameter " + v.Get("name").Text()
			}
		case "connection_properties":
			if v.Get("source_ip").Bool() {
				return "the client's address"
			}
		case "source_ip": // of a TCP proxy
			return "the client's address"
		case "filter_state":
			if key := v.Get("key").Text(); w.State.Has(key) {
				return "filter state " + key
			}
		}
	}
	return ""
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
	if by := hashPolicy(w, c); by != "" {
		return hosts, choices, "the hash of " + by + " decides: for the same value it is always the same endpoint"
	}
	why = "no hash policy gives this request a hash, so chance decides"
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
