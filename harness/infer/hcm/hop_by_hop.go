package hcm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/passage"
)

// This file holds what the HTTP/1 codec does to the headers of one connection, before anything else
// reads the request.

// Bounds of Utility::sanitizeConnectionHeader.
const (
	maxNominated = 10  // headers that connection names
	maxTE        = 256 // bytes of te
)

// hopByHop takes out what connection says of this connection alone, and an upgrade that the codec
// does not follow. It refuses a connection header that names what no hop may take out.
func hopByHop(w *passage.Walk) *passage.Refusal {
	if w.Req.IsHTTP2() || w.Req.Protocol == passage.HTTP10 {
		return nil
	}
	ignoreUpgrade(w)
	connection, given := w.Req.Header.Get("connection")
	if given && !dropNominated(w.Req.Header, connection) {
		return &passage.Refusal{Status: 400, Flag: "DPE", Details: "http1.connection_header_rejected",
			Why: fmt.Sprintf("connection %q names a header that no connection may take out, or too many", connection)}
	}
	return nil
}

// ignoreUpgrade takes out an upgrade to HTTP/2 in clear text, which Envoy does not speak so, and
// those that ignore_http_11_upgrade names. (ConnectionImpl::onHeadersCompleteImpl)
func ignoreUpgrade(w *passage.Walk) {
	if !upgrades(w) {
		return
	}
	h := w.Req.Header
	upgrade, _ := h.Get("upgrade")
	if strings.EqualFold(upgrade, "h2c") {
		h.Remove("upgrade", "http2-settings")
		dropTokens(h, "connection", "upgrade", "http2-settings")
		return
	}
	ignored := w.HCM.At.Get("http_protocol_options", "ignore_http_11_upgrade")
	if ignored.Len() == 0 {
		return
	}
	var kept []string
	for token := range strings.SplitSeq(upgrade, ",") {
		token = strings.TrimSpace(token)
		if !match.Some(ignored, func(m configdump.Value) match.Truth { return match.String(m, token) }).Yes() {
			kept = append(kept, token)
		}
	}
	if len(kept) == 0 {
		h.Remove("upgrade")
		dropTokens(h, "connection", "upgrade")
		return
	}
	h.Set("upgrade", strings.Join(kept, ","))
}

// dropNominated takes out the headers that connection names, and says whether it may. Of te,
// trailers stay. (Utility::sanitizeConnectionHeader)
func dropNominated(h *match.Headers, connection string) bool {
	var drop []string
	tokens := strings.FieldsFunc(connection, func(r rune) bool { return r == ',' })
	if len(tokens) >= maxNominated {
		return false
	}
	for _, token := range tokens {
		token = match.Lower(strings.TrimSpace(token))
		te, _ := h.Get("te")
		switch {
		case slices.Contains([]string{"close", "http2-settings", "keep-alive", "upgrade"}, token):
		case slices.Contains([]string{"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"}, token),
			strings.HasPrefix(token, ":"), token == "te" && len(te) >= maxTE:
			return false
		case token == "te" && hasToken(te, "trailers"):
			h.Set("te", "trailers")
		default:
			drop = append(drop, token)
		}
	}
	if len(drop) > 0 {
		dropTokens(h, "connection", drop...)
		h.Remove(drop...)
	}
	return true
}

// dropTokens takes tokens out of a list in a header, and the header where none is left.
func dropTokens(h *match.Headers, name string, drop ...string) {
	list, given := h.Get(name)
	if !given {
		return
	}
	var kept []string
	for token := range strings.SplitSeq(list, ",") {
		if token = strings.TrimSpace(token); !slices.ContainsFunc(drop, func(d string) bool {
			return strings.EqualFold(d, token)
		}) {
			kept = append(kept, token)
		}
	}
	if len(kept) == 0 {
		h.Remove(name)
		return
	}
	h.Set(name, strings.Join(kept, ","))
}
