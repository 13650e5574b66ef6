package passage

import (
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
)

// StatusOf is the status of a reply that the proxy makes itself for the reason that a response
// flag names; a TCP proxy has none.
func (w *Walk) StatusOf(status int, flag string) int {
	if w.HCM == nil {
		return 0
	}
	return w.LocalStatus(status, flag)
}

// LocalStatus is the status on the wire of an answer that the proxy makes itself:
// local_reply_config may map it to another, and to gRPC it is always 200, and the status becomes a
// grpc-status. Filters may then respond otherwise. flag is the response flag, "" for none.
// (Http::Utility::sendLocalReply)
func (w *Walk) LocalStatus(status int, flag string) int {
	if status == 0 {
		return 0
	}
	if w.HCM != nil {
		status = w.mappedStatus(status, flag, w.Req.Header)
	}
	if match.IsGRPC(w.Req.Header) {
		status = 200
	}
	if w.Respond != nil {
		status = w.Respond(status)
	}
	return status
}

// CodecStatus is LocalStatus for an error of the codec, which knows neither headers nor gRPC.
func (w *Walk) CodecStatus(status int, flag string) int {
	if status == 0 {
		return 0
	}
	return w.mappedStatus(status, flag, match.NewHeaders(nil))
}

// mappedStatus applies the first mapper of local_reply_config whose filter takes the answer.
func (w *Walk) mappedStatus(status int, flag string, h *match.Headers) int {
	for _, m := range w.HCM.At.Get("local_reply_config", "mappers").Elements() {
		takes := replied{w, status, flag, h}.takes(m.Get("filter"), 0)
		if !w.Settle(takes, flow.WhatAnswer, m, "local_reply_config takes the answer") {
			continue
		}
		if to := m.Get("status_code"); to.Exists() {
			return int(to.Uint())
		}
		return status
	}
	return status
}

// A replied is an answer as a filter of access logs sees it.
type replied struct {
	*Walk
	status int
	flag   string
	header *match.Headers
}

// takes evaluates envoy.config.accesslog.v3.AccessLogFilter for an answer, as far as the filter
// looks at the status, the response flag and the request.
func (r replied) takes(v configdump.Value, depth int) match.Truth {
	if depth > match.MaxDepth {
		return match.Depends("access log filter", "what the filter of local_reply_config looks at is not known")
	}
	deeper := func(e configdump.Value) match.Truth { return r.takes(e, depth+1) }
	for kind, f := range v.Fields() {
		switch configdump.FieldName(kind) {
		case "status_code_filter":
			return match.Of(r.compares(f.Get("comparison"), uint64(r.status)))
		case "header_filter":
			return match.Header(f.Get("header"), r.header)
		case "response_flag_filter":
			flags := f.Get("flags").Texts()
			return match.Of(r.flag != "" && (len(flags) == 0 || slices.Contains(flags, r.flag)))
		case "not_health_check_filter":
			return r.noHealthCheck()
		case "metadata_filter":
			return r.metadata(f)
		case "and_filter":
			return match.All(f.Get("filters"), deeper)
		case "or_filter":
			return match.Some(f.Get("filters"), deeper)
		}
	}
	return match.Depends("access log filter", "what the filter of local_reply_config looks at is not known")
}

// noHealthCheck says whether the request is none of those that a filter health_check takes
// for a health check, and no other filter does.
func (r replied) noHealthCheck() match.Truth {
	for _, f := range r.HCM.Filters {
		if strings.HasSuffix(f.Kind, ".health_check.v3.HealthCheck") || f.Kind == "" {
			return match.Depends("filter "+f.Name, "whether it takes the request for a health check is not known").
				Guessing(true)
		}
	}
	return match.Yes
}

// metadata evaluates MetadataFilter; what no filter has written is taken as
// match_if_key_not_found says.
func (r replied) metadata(f configdump.Value) match.Truth {
	matcher := f.Get("matcher")
	if r.Meta.Written(matcher) {
		return r.Meta.Matches(matcher)
	}
	missing := match.Of(!f.Has("match_if_key_not_found") || f.Get("match_if_key_not_found").Bool())
	if cause, open := r.Meta.Open(matcher.Get("filter").Text()); open {
		return cause.Opened(missing)
	}
	return missing
}

// compares evaluates ComparisonFilter; the runtime may say another value than the default.
func (w *Walk) compares(v configdump.Value, have uint64) bool {
	want := v.Get("value", "default_value").Uint()
	if set := w.Proxy.Runtime(v.Get("value", "runtime_key").Text()); set.Exists() {
		want = set.Uint()
	}
	switch v.Get("op").Text() {
	case "GE", "1":
		return have >= want
	case "LE", "2":
		return have <= want
	case "NE", "3":
		return have != want
	}
	return have == want
}
