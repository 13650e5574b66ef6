package infer

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
)

// A refusal is an answer of the connection manager itself, before any route or filter is asked.
type refusal struct {
	status   int
	code     flow.Reason
	flag     string
	details  string
	location string
	why      string
	at       configdump.Value
}

// refuse ends the way of a request that the connection manager does not take, and says whether it did.
func (w *walk) refuse(r *refusal) bool {
	if r == nil {
		return false
	}
	hop := flow.Hop{Decision: fmt.Sprintf("refused with %d", r.status), Reason: flow.Reason(cmp.Or(r.code, flow.Malformed)), Why: r.why, Expect: statusFact(w.localStatus(r.status))}
	if r.status == 0 {
		hop.Decision, hop.Expect = "refused by a reset of the stream", nil
	}
	hop.Expect = append(hop.Expect, fact(flow.FactDetails, r.details))
	w.add(flow.HTTPFilters, first2(r.at, w.hcm.at.Value), hop)
	if r.status/100 == 3 {
		if match.IsGRPC(w.req.header) {
			r.location = ""
		}
		w.answer(r.status, r.location)
		return true
	}
	w.fail(flow.ProtocolError, r.flag)
	w.out.Status = w.localStatus(r.status)
	if r.flag == "DPE" {
		w.out.Status = w.codecStatus(r.status)
	}
	return true
}

// targetRefused looks at the request target as the codecs and ConnectionManagerImpl::ActiveStream::decodeHeaders do. An
// absolute URL, which HTTP/1 proxies are sent, is taken apart.
func (w *walk) targetRefused() *refusal {
	path, ok := w.req.header.Get(":path")
	if !ok || strings.HasPrefix(path, "/") || w.req.Method == "CONNECT" {
		return nil
	}
	if u, err := url.Parse(path); err == nil && !w.req.isHTTP2() && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" {
		w.req.header.Set(":authority", u.Host)
		w.req.header.Set(":path", u.RequestURI())
		w.req.header.Set(":scheme", u.Scheme)
		return nil
	}
	switch {
	case w.req.isHTTP2(), path == "*" && w.req.Method == "OPTIONS":
		if old := w.versionRefused(); old != nil { // the codec has no objection, and the manager asks for the version first
			return old
		}
		return &refusal{status: 404, details: "absolute_path_rejected", why: "the request target " + path + " is no path that begins with /"}
	case path == "*":
		return &refusal{status: 400, flag: "DPE", details: "http1.invalid_url", why: "the request target * is for OPTIONS only"}
	}
	return &refusal{status: 400, flag: "DPE", details: "http1.codec_error", why: "the request target " + path + " is neither a path nor a URL"}
}

// versionRefused says whether the client speaks a version of HTTP that is too old.
func (w *walk) versionRefused() *refusal {
	options := w.hcm.at.Get("http_protocol_options")
	if w.req.Protocol != http10 || options.Get("accept_http_10").Bool() {
		return nil
	}
	return &refusal{status: 426, flag: "DPE", details: "low_version", at: options, why: "the client speaks HTTP/1.0 and http_protocol_options.accept_http_10 is not set"}
}

// pathRefused looks at the path as ConnectionManagerUtility::maybeNormalizePath does. A fragment is refused since
// Envoy 1.19, unless the runtime says that it is to be cut off (http_reject_path_with_fragment).
func (w *walk) pathRefused() *refusal {
	path, _ := w.req.header.Get(":path")
	if i := strings.IndexByte(path, '#'); i >= 0 && isFalse(w.e.runtime("envoy.reloadable_features.http_reject_path_with_fragment")) { // as Istio has it
		path = path[:i]
		w.req.header.Set(":path", path)
	}
	if strings.Contains(path, "#") {
		return &refusal{status: 400, details: "path_normalization_failed", why: "the path has a fragment (#)"}
	}
	if !hasEscapedSlash(match.PathOnly(path)) {
		return nil
	}
	action := w.hcm.at.Get("path_with_escaped_slashes_action")
	switch action.Text() {
	case "REJECT_REQUEST", "2":
		return &refusal{status: 400, details: "path_normalization_failed", at: action, why: "the path has an escaped slash and path_with_escaped_slashes_action rejects it"}
	case "UNESCAPE_AND_REDIRECT", "3":
		return &refusal{status: 307, details: "path_normalization_failed", at: action, location: normalisePath(w.hcm.at, path),
			why: "the path has an escaped slash and path_with_escaped_slashes_action redirects to the unescaped path"}
	}
	return nil
}

func hasEscapedSlash(path string) bool {
	lower := strings.ToLower(path)
	return strings.Contains(lower, "%2f") || strings.Contains(lower, "%5c")
}

// upgradeType is the protocol that the request asks to upgrade to, or CONNECT, or "". With HTTP/2 an upgrade is a CONNECT with
// :protocol. (ConnectionManagerImpl::ActiveStream::createFilterChain)
func (w *walk) upgradeType() string {
	if !w.req.isHTTP2() && w.upgrades() { // also of a CONNECT: ConnectionManagerImpl::ActiveStream asks for this header first
		upgrade, _ := w.req.header.Get("upgrade")
		return upgrade
	}
	if w.req.Method == "CONNECT" {
		if protocol, ok := w.req.header.Get(":protocol"); ok {
			return protocol
		}
		return "CONNECT"
	}
	return ""
}

// upgradeRefused says whether the request asks for another protocol that neither the connection manager nor the route
// allows: 403. A route's upgrade_configs count before the connection manager's.
func (w *walk) upgradeRefused() *refusal {
	upgrade := w.upgradeType()
	if upgrade == "" {
		return nil
	}
	configs := []configdump.Value{w.hcm.at.Get("upgrade_configs")}
	if w.route != nil {
		configs = append([]configdump.Value{w.route.action.Get("upgrade_configs")}, configs...)
	}
	for _, list := range configs {
		for _, c := range list.Elements() {
			if !strings.EqualFold(c.Get("upgrade_type").Text(), upgrade) {
				continue
			}
			if isFalse(c.Get("enabled")) {
				return upgradeRefusal(upgrade, c)
			}
			return nil
		}
	}
	return upgradeRefusal(upgrade, configdump.Value{})
}

func upgradeRefusal(upgrade string, at configdump.Value) *refusal {
	return &refusal{status: 403, code: flow.UpgradeRefused, details: "upgrade_failed", at: at,
		why: "the request asks to upgrade to " + upgrade + ", which no upgrade_configs allows"}
}

// detectionRefused is a request whose client an original_ip_detection extension does not find, where it is told to refuse then.
func (w *walk) detectionRefused() *refusal { return w.undetected }

// underscoresRefused does what headers_with_underscores_action says of headers with an underscore in their name: the codec
// drops them, or refuses the request, which HTTP/2 ends with a reset of the stream.
func (w *walk) underscoresRefused() *refusal {
	action := w.hcm.at.Get("common_http_protocol_options", "headers_with_underscores_action")
	mode := action.Text()
	if mode == "" || mode == "ALLOW" || mode == "0" {
		return nil
	}
	for _, name := range w.req.header.Names() {
		if !strings.Contains(name, "_") {
			continue
		}
		if mode == "DROP_HEADER" || mode == "2" {
			w.req.header.Remove(name)
			continue
		}
		r := &refusal{status: 400, flag: "DPE", details: "http1.unexpected_underscore", at: action,
			why: "header " + name + " has an underscore in its name and headers_with_underscores_action rejects it"}
		if w.req.isHTTP2() {
			r.status, r.flag, r.details = 0, "DR", "http2.unexpected_underscore"
		}
		return r
	}
	return nil
}

func hasToken(list, token string) bool {
	for t := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.TrimSpace(t), token) {
			return true
		}
	}
	return false
}
