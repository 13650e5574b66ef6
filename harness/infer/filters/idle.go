package filters

import (
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/infer/match"
)

// idle are filters that are not computed, each with what says that it does nothing to this request.
// Where that does not hold the filter is opened.
var idle = map[string]func(*Request, *Filter) bool{
	httpPrefix + "admission_control.v3.AdmissionControl":       turnedOff,
	httpPrefix + "adaptive_concurrency.v3.AdaptiveConcurrency": turnedOff,
	httpPrefix + "cache.v3.CacheConfig":                        notFromCache,
	httpPrefix + "cache_v2.v3.CacheV2Config":                   notFromCache,
	httpPrefix + "lua.v3.Lua":                                  noRequestScript,
	httpPrefix + "connect_grpc_bridge.v3.FilterConfig":         noConnect,
	httpPrefix + "stateful_session.v3.StatefulSession":         noSession,
	httpPrefix + "grpc_json_transcoder.v3.GrpcJsonTranscoder":  transcoderPasses,
	httpPrefix + "dynamic_forward_proxy.v3.FilterConfig":       otherCluster,
}

// partly are filters that are computed for some requests: ok is false for one that opens what
// the filter can touch.
var partly = map[string]func(*Request, *Filter) (result Result, ok bool){
	httpPrefix + "ext_proc.v3.ExternalProcessor": extProc,
	httpPrefix + "oauth2.v3.OAuth2":              oauth2,
	httpPrefix + "ip_tagging.v3.IPTagging":       ipTagging,
	httpPrefix + "mcp.v3.Mcp":                    mcp,
	httpPrefix + "a2a.v3.A2a":                    a2a,
}

// settled says whether none of the headers is open.
func (r *Request) settled(names ...string) bool {
	for _, name := range names {
		if _, open := r.Headers.Open(name); open {
			return false
		}
	}
	return true
}

// turnedOff is a filter with a flag enabled, which is set where it is missing.
func turnedOff(r *Request, f *Filter) bool { return !r.Way.Flag(f.Config.Get("enabled"), true) }

// notFromCache is a request that no cache answers: CacheabilityUtils::canServeRequestFromCache.
func notFromCache(r *Request, _ *Filter) bool {
	asked := []string{":method", "authorization", "if-match", "if-none-match", "if-modified-since",
		"if-unmodified-since", "if-range"}
	if !r.settled(asked...) {
		return false
	}
	for _, name := range asked[1:] {
		if _, given := r.Headers.Get(name); given {
			return true
		}
	}
	method, _ := r.Headers.Get(":method")
	return method != "GET" && method != "HEAD"
}

// noRequestScript is a Lua filter without a script, or with one that has no envoy_on_request. A
// script that makes names at run time may have one all the same.
func noRequestScript(_ *Request, f *Filter) bool {
	route := f.Route()
	script := f.Config.Get("default_source_code")
	named := route.Get("name").Text()
	switch {
	case route.Get("disabled").Bool():
		return true
	case named != "":
		script = configdump.Value{}
		for name, code := range f.Config.Get("source_codes").Fields() {
			if name == named {
				script = code
			}
		}
	case route.Has("source_code"):
		script = route.Get("source_code")
	case f.Config.Has("inline_code"):
		return noHandler(f.Config.Get("inline_code").Text())
	}
	if !script.Exists() {
		return true
	}
	return script.Has("inline_string") && noHandler(script.Get("inline_string").Text())
}

func noHandler(script string) bool {
	for _, word := range []string{"envoy_on_request", "_G", "load", "require", "dofile", "fenv", "debug"} {
		if strings.Contains(script, word) {
			return false
		}
	}
	return true
}

// noConnect is a request that is none of the Connect protocol. (connect_grpc_bridge/filter.cc)
func noConnect(r *Request, _ *Filter) bool {
	if !r.settled("content-type", "connect-protocol-version", ":path", ":method") {
		return false
	}
	kind, _ := r.Headers.Get("content-type")
	_, version := r.Headers.Get("connect-protocol-version")
	path, _ := r.Headers.Get(":path")
	return !version && !strings.HasPrefix(kind, "application/connect") && match.QueryParams(path)["connect"] == ""
}

// noSession is a request that belongs to no session: it has no cookie, or no header,
// that would name one.
func noSession(r *Request, f *Filter) bool {
	config := f.Config
	if f.Route().Get("disabled").Bool() {
		return true
	}
	if own := f.Route().Get("stateful_session"); own.Exists() {
		config = own
	}
	state, _ := config.Get("session_state", "typed_config").Typed()
	name := "cookie"
	if header := state.Get("name").Text(); header != "" {
		name = header
	} else if !state.Has("cookie") {
		return !config.Has("session_state")
	}
	value, given := r.Headers.Get(name)
	return r.settled(name) &&
		(!given || name == "cookie" && !strings.Contains(value, state.Get("cookie", "name").Text()+"="))
}

// transcoderPasses is a request that is gRPC already.
func transcoderPasses(r *Request, _ *Filter) bool {
	return r.settled("content-type") && match.IsGRPC(r.Headers)
}

// otherCluster is a route to a cluster that asks no DNS cache for the host.
func otherCluster(r *Request, _ *Filter) bool { return !r.Way.Dynamic(r.Cluster) }
