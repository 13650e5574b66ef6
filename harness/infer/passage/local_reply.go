package passage

import (
	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/infer/match"
)

// StatusOf is the status of a reply that the proxy makes itself; a TCP proxy has none.
func (w *Walk) StatusOf(status int) int {
	if w.HCM == nil {
		return 0
	}
	return w.LocalStatus(status)
}

// LocalStatus is the status on the wire of an answer that the proxy makes itself:
// local_reply_config may map it to another, and to gRPC it is always 200, and the status becomes a
// grpc-status. (Http::Utility::sendLocalReply)
func (w *Walk) LocalStatus(status int) int {
	if status == 0 {
		return 0
	}
	if w.HCM != nil {
		status = w.mappedStatus(status, w.Req.Header)
	}
	if match.IsGRPC(w.Req.Header) {
		return 200
	}
	return status
}

// CodecStatus is LocalStatus for an error of the codec, which knows neither headers nor gRPC.
func (w *Walk) CodecStatus(status int) int {
	if status == 0 {
		return 0
	}
	return w.mappedStatus(status, match.NewHeaders(nil))
}

// mappedStatus applies the first mapper of local_reply_config whose filter takes the answer.
func (w *Walk) mappedStatus(status int, h *match.Headers) int {
	for _, m := range w.HCM.At.Get("local_reply_config", "mappers").Elements() {
		if !w.logs(m.Get("filter"), status, h, 0).Yes() {
			continue
		}
		if to := m.Get("status_code"); to.Exists() {
			return int(to.Uint())
		}
		return status
	}
	return status
}

// logs evaluates envoy.config.accesslog.v3.AccessLogFilter for an answer with a status, as far as
// the filter looks at the status and the request.
func (w *Walk) logs(v configdump.Value, status int, h *match.Headers, depth int) match.Truth {
	if depth > match.MaxDepth {
		return match.Depends("access log filter", "what the filter of local_reply_config looks at is not known")
	}
	deeper := func(e configdump.Value) match.Truth { return w.logs(e, status, h, depth+1) }
	for kind, f := range v.Fields() {
		switch configdump.FieldName(kind) {
		case "status_code_filter":
			return match.Of(w.compares(f.Get("comparison"), uint64(status)))
		case "header_filter":
			return match.Header(f.Get("header"), h)
		case "and_filter":
			return match.All(f.Get("filters"), deeper)
		case "or_filter":
			return match.Some(f.Get("filters"), deeper)
		}
	}
	return match.Depends("access log filter", "what the filter of local_reply_config looks at is not known")
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
