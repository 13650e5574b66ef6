package infer

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
)

// policies says what the route does about time and repetition, as Envoy will apply it.
func (w *walk) policies(action configdump.Message) string {
	parts := []string{w.timeout(action)}
	retry := action.Get("retry_policy")
	of := "the route"
	if !retry.Exists() && w.vhost != nil {
		retry, of = w.vhost.at.Get("retry_policy"), "the virtual host"
	}
	if retry.Exists() {
		n := retry.Get("num_retries").Text()
		setDefault(&n, "1")
		text := n + " retries on " + retry.Get("retry_on").Text() + " by " + of
		if per := retry.Get("per_try_timeout"); per.Exists() {
			text += ", each try at most " + per.Text()
		}
		parts = append(parts, text)
	}
	if on, ok := w.req.header.Get("x-envoy-retry-on"); ok {
		n, _ := w.req.header.Get("x-envoy-max-retries")
		parts = append(parts, first(n, "1")+" retries on "+on+" by the request's own header")
	}
	return strings.Join(parts, ", ")
}

// timeout is the time that the request may take: of gRPC grpc-timeout where max_grpc_timeout or max_stream_duration take it, of
// others what the request's own header or the route says. (Router::FilterUtility::finalTimeout)
func (w *walk) timeout(action configdump.Message) string {
	if own, ok := w.req.header.Get("x-envoy-upstream-rq-timeout-ms"); ok {
		return "timeout " + own + " ms by the request's own header"
	}
	limit := first(action.Get("max_stream_duration", "grpc_timeout_header_max").Text(), action.Get("max_grpc_timeout").Text())
	if given, ok := w.req.header.Get("grpc-timeout"); ok && limit != "" && match.IsGRPC(w.req.header) {
		return "timeout " + given + " by grpc-timeout, at most " + limit
	}
	switch t := action.Get("timeout"); {
	case !t.Exists():
		return "timeout 15s, Envoy's default"
	case t.Duration() == 0:
		return "no timeout"
	default:
		return "timeout " + t.Text()
	}
}

// mirrors lists the second ways of a request that is mirrored: the policies of the route, or else of its virtual host, or else of
// the route configuration. (RouteEntryImplBase::shadowPolicies)
func (w *walk) mirrors() []flow.Mirror {
	const field = "request_mirror_policies"
	list := w.route.action.Get(field)
	if list.Len() == 0 {
		list = w.vhost.at.Get(field)
	}
	if list.Len() == 0 {
		list = w.table.mirrors
	}
	host := w.rewrittenHost()
	if host == "" {
		host, _ = w.req.header.Get(":authority")
	}
	var all []flow.Mirror
	for _, p := range list.Elements() {
		m := flow.Mirror{Cluster: p.Get("cluster").Text(), Host: host, Share: 1}
		if header := p.Get("cluster_header").Text(); m.Cluster == "" && header != "" {
			m.Cluster, _ = w.req.header.Get(header)
		}
		if own := p.Get("host_rewrite_literal").Text(); own != "" {
			m.Host = own
		} else if !p.Get("disable_shadow_host_suffix_append").Bool() {
			name, port := splitPort(host)
			m.Host = name + "-shadow"
			if port != "" {
				m.Host += ":" + port
			}
		}
		if fraction := p.Get("runtime_fraction"); fraction.Exists() {
			numerator, of := w.e.fraction(fraction)
			m.Share = min(1, float64(numerator)/float64(of))
		}
		if m.Share > 0 && m.Cluster != "" {
			all = append(all, m)
		}
	}
	return all
}

func mirrorText(all []flow.Mirror) string {
	var parts []string
	for _, m := range all {
		part := fmt.Sprintf("mirrored to cluster %s as %s", m.Cluster, m.Host)
		if m.Share < 1 {
			part += fmt.Sprintf(" for %g %% of requests", m.Share*100)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// hashPolicy says what gives the hash by which a ring or a Maglev table is asked; "" where nothing does, and chance decides.
// (Http::HashPolicyImpl::generateHash)
func (w *walk) hashPolicy(c *cluster) (by string) {
	list := w.tcpProxy.Get("hash_policy")
	if w.hcm != nil && w.route != nil {
		list = w.route.action.Get("hash_policy")
		if own := c.policy().Get("consistent_hashing_lb_config", "hash_policy"); own.Len() > 0 {
			list = own
		}
	}
	var parts []string
	for _, p := range list.Elements() {
		part := w.hashes(p)
		if part != "" {
			parts = append(parts, part)
			if p.Get("terminal").Bool() {
				break
			}
		}
	}
	return strings.Join(parts, ", ")
}

// hashes names what one hash policy hashes of this request, or "".
func (w *walk) hashes(p configdump.Value) string {
	for kind, v := range p.Fields() {
		switch configdump.FieldName(kind) {
		case "header":
			name := first(v.Get("header_name").Text(), v.Get("name").Text())
			if _, ok := w.req.header.Get(name); ok {
				return "header " + name
			}
		case "cookie":
			header, _ := w.req.header.Get("cookie")
			if match.Cookies(header)[v.Get("name").Text()] != "" {
				return "cookie " + v.Get("name").Text()
			}
		case "query_parameter":
			path, _ := w.req.header.Get(":path")
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
			if key := v.Get("key").Text(); w.state.Has(key) {
				return "filter state " + key
			}
		}
	}
	return ""
}

// policy returns the first policy of load_balancing_policy, or a Value that does not exist.
func (c *cluster) policy() configdump.Value {
	message, _ := c.at.Get("load_balancing_policy", "policies").Element(0).Get("typed_extension_config", "typed_config").Typed()
	return message
}

// hashed says whether the cluster's load balancing asks for a hash.
func (c *cluster) hashed() bool {
	_, kind := c.at.Get("load_balancing_policy", "policies").Element(0).Get("typed_extension_config", "typed_config").Typed()
	return oneOf(c.at.Get("lb_policy").Text(), "RING_HASH", "MAGLEV", "2", "5") || strings.HasSuffix(kind, ".RingHash") || strings.HasSuffix(kind, ".Maglev")
}

// maxDrawn bounds among how many endpoints a draw is followed.
const maxDrawn = 16

// byHash says how a cluster with a ring or a Maglev table chooses: by what it hashes always the same endpoint, and without a
// hash any of them by chance, which then is an outcome of its own.
func (w *walk) byHash(c *cluster, hosts []host, choices []flow.Choice) (taken []host, left []flow.Choice, why string) {
	if !c.hashed() || len(hosts) < 2 {
		return hosts, choices, ""
	}
	if by := w.hashPolicy(c); by != "" {
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
	if i := w.draw(flow.WhatHost, c.name+" hash", "cluster "+c.name+" asks for a hash: "+why, c.at.Value, shares...); i > 0 {
		return hosts[i-1 : i], nil, why
	}
	return hosts, choices, why
}
