package filters

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
)

// extProc hands the request to a service, unless processing_mode leaves the request out, or the
// service only looks on. (docs/root/configuration/http/http_filters/ext_proc_filter)
func extProc(r *Request, f *Filter) (Result, bool) {
	config, route := f.Config, f.Route()
	if route.Get("disabled").Bool() || config.Get("observability_mode").Bool() {
		return Result{}, true
	}
	mode, service := config.Get("processing_mode"), config.Get("grpc_service")
	if own := route.Get("overrides", "processing_mode"); own.Exists() {
		mode = own
	}
	if own := route.Get("overrides", "grpc_service"); own.Exists() {
		service = own
	}
	skips := func(field string) bool {
		return slices.Contains([]string{"SKIP", "2"}, mode.Get(field).Text())
	}
	quiet := func(field string) bool { return slices.Contains([]string{"", "NONE", "0"}, mode.Get(field).Text()) }
	if skips("request_header_mode") && quiet("request_body_mode") {
		if skips("response_header_mode") && quiet("response_body_mode") {
			return Result{}, true
		}
		return Result{}, false
	}
	cluster := service.Get("envoy_grpc", "cluster_name").Text()
	if cluster == "" || skips("request_header_mode") || r.Way.Reachable(cluster) {
		return Result{}, false
	}
	if config.Get("failure_mode_allow").Bool() {
		return Result{
			Note: f.Name + " cannot reach " + cluster + ", and failure_mode_allow lets the request through",
		}, true
	}
	status := 500
	if code := config.Get("status_on_error", "code"); code.Exists() {
		status = statusCode(code.Text())
	}
	return answered(Reply{Status: status, Denied: true, Source: config, Why: f.Name + " cannot reach " + cluster}), true
}

// oauth2 sends a client without a session to an authorization server. Where the request has
// cookies, or is one of the login itself, what becomes of it is open. (OAuth2Filter::decodeHeaders)
func oauth2(r *Request, f *Filter) (Result, bool) {
	config := f.own().Get("config")
	if !config.Exists() {
		config = f.Config.Get("config")
	}
	if !config.Exists() {
		return Result{}, true
	}
	matches := func(list string) match.Truth {
		return match.Some(config.Get(list), func(m configdump.Value) match.Truth { return match.Header(m, r.Headers) })
	}
	passed := matches("pass_through_matcher")
	if r.Way.Holds(passed, flow.WhatAnswer, config, "oauth2: pass_through_matcher") {
		return Result{}, true
	}
	_, cookies := r.Headers.Get("cookie")
	path, _ := r.Headers.Get(":path")
	for _, own := range []string{"redirect_path_matcher", "signout_path"} {
		if cookies = cookies || !match.String(config.Get(own, "path"), match.PathOnly(path)).No(); cookies {
			return Result{}, false
		}
	}
	if !r.settled("cookie", ":path") {
		return Result{}, false
	}
	if r.Way.Holds(matches("deny_redirect_matcher"), flow.WhatAnswer, config, "oauth2: deny_redirect_matcher") {
		return answered(Reply{Status: 401, Denied: true, Source: config,
			Why: "oauth2: the request has no session, and deny_redirect_matcher does not let it be redirected"}), true
	}
	r.Way.Open(flow.WhatAnswer, f.Name, "the address that the client is sent to holds a random value", config)
	return answered(Reply{Status: 302, Source: config, Details: "oauth.missing_credentials",
		Why: "oauth2: the request has no session, and is sent to " + config.Get("authorization_endpoint").Text()}), true
}

// ipTagging names the ranges that the client's address is in, and has the route chosen again.
// (docs/root/configuration/http/http_filters/ip_tagging_filter; IpTaggingFilter::applyTags)
func ipTagging(r *Request, f *Filter) (Result, bool) {
	config := f.Config
	inside, _ := r.Headers.Get("x-envoy-internal")
	switch kind := config.Get("request_type").Text(); {
	case kind == "" || kind == "BOTH" || kind == "0":
	case !r.settled("x-envoy-internal"):
		return Result{}, false
	case (kind == "INTERNAL" || kind == "1") && inside != "true",
		(kind == "EXTERNAL" || kind == "2") && inside == "true":
		return Result{}, true
	}
	text, known := r.Way.Format("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "")
	client, err := netip.ParseAddr(text)
	if err != nil || !known || config.Has("ip_tags_file_provider") {
		return Result{}, false
	}
	var tags []string
	for _, tag := range config.Get("ip_tags").Elements() {
		if match.Some(tag.Get("ip_list"), func(of configdump.Value) match.Truth {
			return match.Of(inRange(of, client))
		}).Yes() {
			tags = append(tags, tag.Get("ip_tag_name").Text())
		}
	}
	name, own := "x-envoy-ip-tags", config.Get("ip_tag_header")
	sanitize := own.Exists() && !slices.Contains([]string{"APPEND_IF_EXISTS_OR_ADD", "1"}, own.Get("action").Text())
	if own.Exists() {
		name = own.Get("header").Text()
	}
	_, given := r.Headers.Get(name)
	switch {
	case len(tags) == 0 && !(sanitize && given):
		return Result{}, true
	case len(tags) == 0:
		r.Headers.Remove(name)
	case sanitize:
		r.Headers.Set(name, strings.Join(tags, ","))
	default:
		r.Headers.Append(name, strings.Join(tags, ","))
	}
	if len(tags) > 1 { // in the order of Envoy's trie
		r.Headers.Loosen(name, f.cause("the order of the tags"))
	}
	return Result{Reroute: true}, true
}

// inRange says whether an address is in a CidrRange.
func inRange(v configdump.Value, addr netip.Addr) bool {
	from, err := netip.ParseAddr(v.Get("address_prefix").Text())
	if err != nil {
		return false
	}
	prefix, err := from.Prefix(int(v.Get("prefix_len").Uint()))
	return err == nil && prefix.Contains(addr)
}
