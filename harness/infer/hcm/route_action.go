package hcm

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
	"github.com/flowproof/lab/harness/infer/say"
)

// forward reads envoy.config.route.v3.RouteAction: the cluster or clusters, and what is
// done to the request.
func forward(w *passage.Walk, r *proxy.RouteEntry) routeResult {
	action := r.Action
	result := routeResult{source: action.Value}
	switch {
	case action.Has("cluster"):
		w.Out.Cluster = action.Get("cluster").Text()
	case action.Has("cluster_header"):
		name := action.Get("cluster_header").Text()
		value, ok := w.Decisive(name, flow.WhatCluster, action.Get("cluster_header"))
		if !ok || value == "" {
			result.failure, result.flag, result.status = flow.NoCluster, "NC", NotFoundStatus(action)
			result.hop.Decision = "no cluster"
			result.hop.Why = "cluster_header reads header " + name + ", which the request does not have"
			return result
		}
		w.Out.Cluster = value
		result.hop.Why = "cluster_header " + name + " says " + value
	case action.Has("weighted_clusters"):
		result.hop.Choices, result.hop.Why = Weighted(w, action.Get("weighted_clusters"))
	default: // a cluster_specifier_plugin
		result.unknown = true
		result.hop.Decision = "a cluster that is not known"
		why, most := policies(w, action)
		result.hop.Why, result.hop.Timeout = say.Join("the cluster depends on "+clusterPlugin(action), why), most
		return result
	}
	why, most := policies(w, action)
	result.hop.Why, result.hop.Timeout = say.Join(result.hop.Why, why), most
	result.hop.Decision = "cluster " + w.Out.Cluster
	if w.Out.Cluster == "" {
		result.hop.Decision = "one of " + fmt.Sprint(len(w.Out.Clusters)) + " weighted clusters"
	}
	if r.Name != "" {
		result.hop.Expect = append(result.hop.Expect, passage.Fact(flow.FactRoute, r.Name))
	}
	if w.Proxy.Cluster(w.Out.Cluster) != nil { // the router says it: cluster '…' match for URL
		result.hop.Expect = append(result.hop.Expect, passage.Fact(flow.FactCluster, w.Out.Cluster))
	}
	return result
}

// clusterPlugin names what chooses the cluster of a route that does not say it.
func clusterPlugin(action configdump.Message) string {
	if name := action.Get("cluster_specifier_plugin").Text(); name != "" {
		return "the cluster_specifier_plugin " + name
	}
	if p := action.Get("inline_cluster_specifier_plugin", "extension"); p.Exists() {
		_, kind := p.Get("typed_config").Typed()
		return "the cluster_specifier_plugin " + cmp.Or(p.Get("name").Text(), kind)
	}
	return "what the route says in a way that is not known"
}

// Weighted reads WeightedCluster, and returns the shares of its clusters. A given random value
// picks as Envoy does: modulo the total, then in order; why says so. With header_name the request
// itself brings the value.
func Weighted(w *passage.Walk, v configdump.Value) (choices []flow.Choice, why string) {
	var total uint64
	prefix := v.Get("runtime_key_prefix").Text()
	for _, c := range v.Get("clusters").Elements() {
		name := c.Get("name").Text()
		if header := c.Get("cluster_header").Text(); name == "" && header != "" {
			name, _ = w.Decisive(header, flow.WhatCluster, c)
		}
		weight := uint32(c.Get("weight").Uint())
		if prefix != "" {
			if set := w.Proxy.Runtime(prefix + "." + name); set.Exists() {
				weight = uint32(set.Uint())
			}
		}
		total += uint64(weight)
		w.Out.Clusters = append(w.Out.Clusters, flow.WeightedCluster{Name: name, Weight: weight})
	}
	if total == 0 {
		return nil, ""
	}
	choices = Shares(w.Out.Clusters)
	random := w.Req.Random
	if name := v.Get("header_name").Text(); name != "" {
		if text, ok := w.Decisive(name, flow.WhatCluster, v); ok {
			if n, err := strconv.ParseUint(text, 10, 64); err == nil {
				random = &n
			}
		}
	}
	if v.Get("use_hash_policy").Bool() && w.Route != nil {
		if h := HashOf(w, w.Route.Action.Get("hash_policy")); len(h.By) > 0 && h.Known {
			random = &h.Value
		}
	}
	if random == nil {
		drawCluster(w, v, choices)
		return choices, ""
	}
	selected := *random % total
	for _, c := range w.Out.Clusters {
		if selected < uint64(c.Weight) {
			w.Out.Cluster = c.Name
			return choices, fmt.Sprintf("random value %d picks %s of total weight %d", *random, c.Name, total)
		}
		selected -= uint64(c.Weight)
	}
	return choices, ""
}

// Shares are the parts of all requests that weighted clusters get.
func Shares(clusters []flow.WeightedCluster) []flow.Choice {
	var total uint64
	for _, c := range clusters {
		total += uint64(c.Weight)
	}
	choices := make([]flow.Choice, 0, len(clusters))
	for _, c := range clusters {
		choices = append(choices, flow.Choice{Name: c.Name, Share: float64(c.Weight) / float64(max(total, 1))})
	}
	return choices
}

// drawCluster lets chance choose among weighted clusters. The walk that answers first goes no
// further than the set.
func drawCluster(w *passage.Walk, v configdump.Value, choices []flow.Choice) {
	var able []string
	shares := []float64{0}
	for _, c := range choices {
		if c.Share > 0 {
			able, shares = append(able, c.Name), append(shares, c.Share)
		}
	}
	if len(able) == 1 {
		w.Out.Cluster = able[0]
		return
	}
	if i := w.Draw(flow.WhatCluster, v.Pointer(),
		"weights decide between "+say.List(able)+", and no random value was given", v, shares...); i > 0 {
		w.Out.Cluster = able[i-1]
	}
}

// NotFoundStatus is the status for a cluster that is not there: cluster_not_found_response_code.
func NotFoundStatus(action configdump.Message) int {
	switch action.Get("cluster_not_found_response_code").Text() {
	case "NOT_FOUND", "1":
		return 404
	case "INTERNAL_SERVER_ERROR", "2":
		return 500
	}
	return 503
}

// rewrite applies what the route does to path and host before the request goes upstream. What the
// connection manager has made of them before, such as a path without dots, is part of it: the next
// proxy sees nothing else.
func rewrite(w *passage.Walk, action configdump.Message, r *proxy.RouteEntry) {
	path, _ := w.Req.Header.Get(":path")
	var rw flow.Rewrite
	if p := rewrittenPath(w, action, r, path); p != w.Req.Path {
		rw.Path = p
	}
	host, _ := w.Req.Header.Get(":authority")
	switch {
	case action.Has("host_rewrite_literal"):
		rw.Host = action.Get("host_rewrite_literal").Text()
	case action.Has("host_rewrite"): // the v2 name of host_rewrite_literal, and since Envoy 1.36 a format
		var known bool
		if rw.Host, known = w.Formatted(action.Get("host_rewrite").Text(), "-"); !known {
			w.Req.Header.Loosen(":authority", unknownValue)
			w.Open(flow.WhatHeaders, unknownValue.On, "host_rewrite: "+unknownValue.Why, action.Get("host_rewrite"))
		}
	case action.Has("host_rewrite_header"):
		rw.Host, _ = w.Req.Header.Get(action.Get("host_rewrite_header").Text())
	case action.Has("host_rewrite_path_regex"):
		rw.Host = match.Substitute(action.Get("host_rewrite_path_regex"), match.PathOnly(path))
	}
	weighted := WeightedEntry(w).Get("host_rewrite_literal").Text() // the route rewrites after it
	if rw.Host = cmp.Or(rw.Host, weighted, host); rw.Host == w.Req.Authority {
		rw.Host = ""
	}
	if rw != (flow.Rewrite{}) {
		w.Out.Rewrite = &rw
	}
}

// unknownValue opens what a format makes that the dump and the request do not decide.
var unknownValue = match.Cause{On: "a value that the route adds", Why: "the route adds a value to it that is not known"}

// rewrittenPath applies prefix_rewrite, regex_rewrite or path_rewrite_policy. The query stays.
func rewrittenPath(w *passage.Walk, action configdump.Message, r *proxy.RouteEntry, path string) string {
	only := match.PathOnly(path)
	rest := path[len(only):]
	switch {
	case action.Get("prefix_rewrite").Text() != "":
		matched, ok := r.Path.Matched(only)
		if !ok {
			return path
		}
		return action.Get("prefix_rewrite").Text() + only[len(matched):] + rest
	case action.Has("regex_rewrite"):
		return match.Substitute(action.Get("regex_rewrite"), only) + rest
	case action.Get("path_rewrite").Text() != "":
		to, known := w.Formatted(action.Get("path_rewrite").Text(), "")
		if known {
			return to + rest
		}
		w.Req.Header.Loosen(":path", unknownValue)
	case action.Has("path_rewrite_policy"):
		policy, _ := action.Get("path_rewrite_policy", "typed_config").Typed()
		if to, ok := r.Path.TemplateRewrite(policy.Get("path_template_rewrite").Text(), only); ok {
			return to + rest
		}
	}
	return path
}

// redirectStatus is RedirectAction.RedirectResponseCode, by name and by number.
var redirectStatus = map[string]int{
	"": 301, "MOVED_PERMANENTLY": 301, "FOUND": 302, "SEE_OTHER": 303, "TEMPORARY_REDIRECT": 307,
	"PERMANENT_REDIRECT": 308, "0": 301, "1": 302, "2": 303, "3": 307, "4": 308,
}

// redirectTo builds the answer of a RedirectAction: RouteEntryImplBase::newUri. A request without a
// path, as a CONNECT of HTTP/1 is, is told no place. (Router::Filter::decodeHeaders)
func redirectTo(w *passage.Walk, action configdump.Value, r *proxy.RouteEntry) (status int, location string) {
	status = redirectStatus[action.Get("response_code").Text()]
	if !hasPath(w) {
		return status, ""
	}
	scheme, _ := w.Req.Header.Get(":scheme")
	if action.Get("https_redirect").Bool() {
		scheme = "https"
	}
	if s := action.Get("scheme_redirect").Text(); s != "" {
		scheme = s
	}
	port := ""
	if p := action.Get("port_redirect").Uint(); p != 0 {
		port = fmt.Sprintf(":%d", p)
	}
	host := action.Get("host_redirect").Text()
	if host == "" {
		host = redirectHost(w, scheme, port)
	}
	for _, name := range []string{":path", ":authority", ":scheme", "x-forwarded-proto"} {
		if cause, open := w.Req.Header.Open(name); open && status != 0 {
			w.Open(flow.WhatPath, cause.On, "where the redirect leads: "+cause.Why, r.At.Value)
			break
		}
	}
	return status, scheme + "://" + host + port + redirectPath(w, action, r)
}

// hasPath says whether the request has a path, or may have one.
func hasPath(w *passage.Walk) bool {
	_, has := w.Req.Header.Get(":path")
	_, open := w.Req.Header.Open(":path")
	return has || open
}

// redirected says what a redirect answers.
func redirected(status int, location string) string {
	if location == "" {
		return fmt.Sprintf("%d without a location", status)
	}
	return fmt.Sprintf("%d to %s", status, location)
}

// redirectHost keeps the request's host; its port goes when another is given, or when it was the
// default of a scheme that changes. (RouteEntryImplBase::processRequestHost)
func redirectHost(w *passage.Walk, scheme, port string) string {
	host, _ := w.Req.Header.Get(":authority")
	name, own := match.SplitPort(host)
	proto, _ := w.Req.Header.Get("x-forwarded-proto")
	if own == "" {
		return host
	}
	if port != "" || scheme != proto && (strings.EqualFold(proto, "https") && own == "443" ||
		strings.EqualFold(proto, "http") && own == "80") {
		return name
	}
	return host
}

func redirectPath(w *passage.Walk, action configdump.Value, r *proxy.RouteEntry) string {
	path, _ := w.Req.Header.Get(":path")
	if action.Get("strip_query").Bool() {
		path = match.PathOnly(path)
	}
	if to := action.Get("path_redirect").Text(); to != "" {
		if strings.Contains(to, "?") {
			return to
		}
		return to + match.QueryOf(path)
	}
	return rewrittenPath(w, action.Message(), r, path)
}
