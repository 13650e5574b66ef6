package hcm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/internal/redact"
)

// This file holds requests that the codec does not take, or that the connection manager refuses
// before anything else.

// methods are those that Envoy's HTTP/1 codec takes where allow_custom_methods is not set.
// (isMethodValid in balsa_parser.cc)
var methods = strings.Fields(`ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK MERGE MKACTIVITY
MKCALENDAR MKCOL MOVE MSEARCH NOTIFY OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT REBIND REPORT SEARCH SOURCE
SUBSCRIBE TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE`)

// Bounds of the codecs where the configuration says none: max_headers_count and
// max_request_headers_kb.
const (
	standardHeaders   = 100
	standardHeadersKB = 60
)

// codecRefused says what of the request's first line and headers the codec does not take.
func codecRefused(w *passage.Walk) *passage.Refusal {
	if bad := invalidBytes(w); bad != nil {
		return bad
	}
	if w.Req.IsHTTP2() {
		return tooMany(w, "http2.too_many_headers", 0, "DR")
	}
	options := w.HCM.At.Get("http_protocol_options")
	bad := func(details, format string, args ...any) *passage.Refusal {
		return &passage.Refusal{Status: 400, Flag: "DPE", Details: details, Why: fmt.Sprintf(format, args...)}
	}
	switch host, _ := w.Req.Header.Get(":authority"); {
	case !slices.Contains(methods, w.Req.Method) && !options.Get("allow_custom_methods").Bool():
		return bad("http1.codec_error",
			"method %q is none that the HTTP/1 codec takes, and allow_custom_methods is not set", w.Req.Method)
	case w.Req.Method == "CONNECT" && !hasPort(host):
		return bad("http1.invalid_url", "the target %q of CONNECT has no port", host)
	case !isAuthority(redact.Shown(host)):
		return bad("http.invalid_authority", "the host %q has a character that no authority may have", host)
	}
	if many := tooMany(w, "http1.too_many_headers", 431, "DPE"); many != nil {
		return many
	}
	return hopByHop(w)
}

// invalidBytes refuses what no codec takes: a control character, another than a token's in a name,
// and in HTTP/1 a byte beyond ASCII in the target. What a kept request hides is taken for one that
// Envoy took. (BalsaParser, HeaderUtility::headerValueIsValid)
func invalidBytes(w *passage.Walk) *passage.Refusal {
	first, where, details := "", "", ""
	for name, value := range w.Req.Header.All() {
		if first != "" && name > first { // of several the same is told each time
			continue
		}
		if why, as := invalidHeader(name, value, w.Req.IsHTTP2()); why != "" {
			first, where, details = name, why, as
		}
	}
	switch {
	case where == "":
		return nil
	case w.Req.IsHTTP2():
		return &passage.Refusal{Flag: "DPE", Details: "http2.invalid.header.field", Why: where}
	}
	return &passage.Refusal{Status: 400, Flag: "DPE", Details: details, Why: where}
}

// invalidHeader says why no codec takes a header, and the details of Envoy's answer to HTTP/1.
func invalidHeader(name, value string, http2 bool) (why, details string) {
	switch {
	case control(name) || control(value):
		return "header " + name + " has a control character", "http1.invalid_characters"
	case name == ":path" && !http2 && !match.IsASCII(redact.Shown(value)):
		return "the target has a byte beyond ASCII", "http1.codec_error"
	case !strings.HasPrefix(name, ":") && !isToken(name):
		return "the name of header " + name + " is no token", "http1.codec_error"
	case name == "te" && http2 && value != "trailers" && value != "":
		return "HTTP/2 allows trailers alone in te", ""
	}
	return "", ""
}

// control says whether a text has a control character other than a tab.
func control(text string) bool {
	for i := 0; i < len(text); i++ {
		if c := text[i]; c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}

// isToken says whether a text is a token of RFC 9110, section 5.6.2.
func isToken(text string) bool {
	for i := 0; i < len(text); i++ {
		if c := text[i]; !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return text != ""
}

// tooMany refuses a request with more headers than max_headers_count, or larger ones than
// max_request_headers_kb.
func tooMany(w *passage.Walk, details string, status int, flag string) *passage.Refusal {
	limit, at := uint64(standardHeaders), w.HCM.At.Get("common_http_protocol_options", "max_headers_count")
	if at.Exists() {
		limit = at.Uint()
	}
	count, size := uint64(0), uint64(0)
	for name, value := range w.Req.Header.All() {
		if strings.HasPrefix(name, ":") && !w.Req.IsHTTP2() && name != ":authority" {
			continue // in the first line
		}
		count, size = count+1, size+uint64(len(name)+len(value))
	}
	if count > limit {
		return &passage.Refusal{Status: status, Flag: flag, Code: flow.TooManyHeaders, Details: details, At: at,
			Why: fmt.Sprintf("the request has %d headers, and max_headers_count is %d", count, limit)}
	}
	kb := w.HCM.At.Get("max_request_headers_kb")
	largest := uint64(standardHeadersKB)
	if kb.Exists() {
		largest = kb.Uint()
	}
	if size > largest<<10 {
		details = "http1.headers_too_large"
		if w.Req.IsHTTP2() {
			details = "http2.header_list_size_too_large"
		}
		return &passage.Refusal{Status: status, Flag: flag, Code: flow.TooManyHeaders, Details: details, At: kb,
			Why: fmt.Sprintf("the headers have %d bytes, and max_request_headers_kb is %d", size, largest)}
	}
	return nil
}

// hostRefused is a request without a host: ConnectionManagerImpl::ActiveStream::decodeHeaders.
// HTTP/1.0 may have one by default.
func hostRefused(w *passage.Walk) *passage.Refusal {
	if _, ok := w.Req.Header.Get(":authority"); ok {
		return nil
	}
	if host := w.HCM.At.Get("http_protocol_options", "default_host_for_http_10").Text(); host != "" &&
		w.Req.Protocol == passage.HTTP10 {
		w.Req.Header.Set(":authority", host)
		return nil
	}
	return &passage.Refusal{Status: 400, Details: "missing_host_header", Why: "the request has no host"}
}

func hasPort(authority string) bool {
	_, port := match.SplitPort(authority)
	return match.Digits(port)
}

// isAuthority says whether every character may stand in an authority: RFC 3986, section 3.2, and %.
// (HeaderUtility::authorityIsValid)
func isAuthority(text string) bool {
	for i := 0; i < len(text); i++ {
		if !unreserved(text[i]) && strings.IndexByte("%!$&'()*+,;=:@[]", text[i]) < 0 {
			return false
		}
	}
	return true
}
