package infer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// This file holds requests that the codec does not take, or that the connection manager refuses before anything else.

// methods are those that Envoy's HTTP/1 codec takes where allow_custom_methods is not set. (isMethodValid in balsa_parser.cc)
var methods = strings.Fields(`ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MOVE MSEARCH NOTIFY
	OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE`)

// Bounds of the codecs where the configuration says none: max_headers_count and max_request_headers_kb.
const (
	standardHeaders   = 100
	standardHeadersKB = 60
)

// codecRefused says what of the request's first line and headers the codec does not take.
func (w *walk) codecRefused() *refusal {
	if w.req.isHTTP2() {
		return w.tooMany("http2.too_many_headers", 0, "DR")
	}
	options := w.hcm.at.Get("http_protocol_options")
	bad := func(details, format string, args ...any) *refusal {
		return &refusal{status: 400, flag: "DPE", details: details, why: fmt.Sprintf(format, args...)}
	}
	switch host, _ := w.req.header.Get(":authority"); {
	case !slices.Contains(methods, w.req.Method) && !options.Get("allow_custom_methods").Bool():
		return bad("http1.codec_error", "method %q is none that the HTTP/1 codec takes, and allow_custom_methods is not set", w.req.Method)
	case w.req.Method == "CONNECT" && !hasPort(host):
		return bad("http1.invalid_url", "the target %q of CONNECT has no port", host)
	case !isAuthority(host):
		return bad("http.invalid_authority", "the host %q has a character that no authority may have", host)
	}
	return w.tooMany("http1.too_many_headers", 431, "DPE")
}

// tooMany refuses a request with more headers than max_headers_count, or larger ones than max_request_headers_kb.
func (w *walk) tooMany(details string, status int, flag string) *refusal {
	limit, at := uint64(standardHeaders), w.hcm.at.Get("common_http_protocol_options", "max_headers_count")
	if at.Exists() {
		limit = at.Uint()
	}
	count, size := uint64(0), uint64(0)
	for name, value := range w.req.header.All() {
		if strings.HasPrefix(name, ":") && !w.req.isHTTP2() && name != ":authority" {
			continue // in the first line
		}
		count, size = count+1, size+uint64(len(name)+len(value))
	}
	if count > limit {
		return &refusal{status: status, flag: flag, code: flow.TooManyHeaders, details: details, at: at,
			why: fmt.Sprintf("the request has %d headers, and max_headers_count is %d", count, limit)}
	}
	kb := w.hcm.at.Get("max_request_headers_kb")
	largest := uint64(standardHeadersKB)
	if kb.Exists() {
		largest = kb.Uint()
	}
	if size > largest<<10 {
		return &refusal{status: 431, flag: flag, code: flow.TooManyHeaders, details: strings.Replace(details, "too_many_headers", "headers_too_large", 1), at: kb,
			why: fmt.Sprintf("the headers have %d bytes, and max_request_headers_kb is %d", size, largest)}
	}
	return nil
}

// hostRefused is a request without a host: ConnectionManagerImpl::ActiveStream::decodeHeaders. HTTP/1.0 may have one by default.
func (w *walk) hostRefused() *refusal {
	if _, ok := w.req.header.Get(":authority"); ok {
		return nil
	}
	if host := w.hcm.at.Get("http_protocol_options", "default_host_for_http_10").Text(); host != "" && w.req.Protocol == http10 {
		w.req.header.Set(":authority", host)
		return nil
	}
	return &refusal{status: 400, details: "missing_host_header", why: "the request has no host"}
}

func hasPort(authority string) bool {
	_, port := splitPort(authority)
	return digits(port)
}

// isAuthority says whether every character may stand in an authority: RFC 3986, section 3.2, and %. (HeaderUtility::authorityIsValid)
func isAuthority(text string) bool {
	for i := 0; i < len(text); i++ {
		c := text[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && strings.IndexByte("-._~%!$&'()*+,;=:@[]", c) < 0 {
			return false
		}
	}
	return true
}
