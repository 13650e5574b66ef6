package hcm

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
)

// refuse ends the way of a request that the connection manager does not take, and
// says whether it did.
func refuse(w *passage.Walk, r *passage.Refusal) bool {
	if r == nil {
		return false
	}
	hop := flow.Hop{
		Decision: fmt.Sprintf("refused with %d", r.Status), Reason: flow.Reason(cmp.Or(r.Code, flow.Malformed)),
		Why: r.Why, Expect: passage.StatusFact(w.LocalStatus(r.Status, r.Flag)),
	}
	if r.Status == 0 {
		hop.Decision, hop.Expect = "refused by a reset of the stream", nil
	}
	hop.Expect = append(hop.Expect, passage.Fact(flow.FactDetails, r.Details))
	w.Add(flow.HTTPFilters, either(r.At, w.HCM.At.Value), hop)
	if r.Status/100 == 3 {
		if match.IsGRPC(w.Req.Header) {
			r.Location = ""
		}
		w.Answer(r.Status, r.Location)
		return true
	}
	w.Fail(flow.ProtocolError, r.Flag)
	w.Out.Status = w.LocalStatus(r.Status, r.Flag)
	if r.Flag == "DPE" {
		w.Out.Status = w.CodecStatus(r.Status, r.Flag)
	}
	return true
}

// targetRefused looks at the request target as the codecs and
// ConnectionManagerImpl::ActiveStream::decodeHeaders do. An absolute URL, which HTTP/1 proxies are
// sent, is taken apart.
func targetRefused(w *passage.Walk) *passage.Refusal {
	path, ok := w.Req.Header.Get(":path")
	if !ok || strings.HasPrefix(path, "/") || w.Req.Method == "CONNECT" {
		return nil
	}
	options := w.HCM.At.Get("http_protocol_options")
	u, err := url.Parse(path)
	absolute := err == nil && !w.Req.IsHTTP2() && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
	forbidden := absolute && proxy.IsFalse(options.Get("allow_absolute_url"))
	if absolute && !forbidden {
		w.Req.Header.Set(":authority", u.Host)
		w.Req.Header.Set(":path", u.RequestURI())
		w.Req.Header.Set(":scheme", u.Scheme)
		return nil
	}
	switch {
	case w.Req.IsHTTP2(), forbidden, path == "*" && w.Req.Method == "OPTIONS":
		if old := versionRefused(w); old != nil {
			// the codec has no objection, and the manager asks for the version first
			return old
		}
		return &passage.Refusal{Status: 404, Details: "absolute_path_rejected",
			Why: "the request target " + path + " is no path that begins with /"}
	case path == "*":
		return &passage.Refusal{Status: 400, Flag: "DPE", Details: "http1.invalid_url",
			Why: "the request target * is for OPTIONS only"}
	}
	return &passage.Refusal{Status: 400, Flag: "DPE", Details: "http1.codec_error",
		Why: "the request target " + path + " is neither a path nor a URL"}
}

// versionRefused says whether the client speaks a version of HTTP that is too old.
func versionRefused(w *passage.Walk) *passage.Refusal {
	options := w.HCM.At.Get("http_protocol_options")
	if w.Req.Protocol != passage.HTTP10 || options.Get("accept_http_10").Bool() {
		return nil
	}
	return &passage.Refusal{Status: 426, Flag: "DPE", Details: "low_version", At: options,
		Why: "the client speaks HTTP/1.0 and http_protocol_options.accept_http_10 is not set"}
}

// pathRefused looks at the path as ConnectionManagerUtility::maybeNormalizePath does. A fragment is
// refused since Envoy 1.19, unless the runtime says that it is to be cut off
// (http_reject_path_with_fragment).
func pathRefused(w *passage.Walk) *passage.Refusal {
	path, _ := w.Req.Header.Get(":path")
	if i := strings.IndexByte(path, '#'); i >= 0 &&
		proxy.IsFalse(w.Proxy.Runtime("envoy.reloadable_features.http_reject_path_with_fragment")) {
		// as Istio has it
		path = path[:i]
		w.Req.Header.Set(":path", path)
	}
	if strings.Contains(path, "#") {
		return &passage.Refusal{Status: 400, Details: "path_normalization_failed", Why: "the path has a fragment (#)"}
	}
	only := match.PathOnly(path)
	if strings.Contains(only, "%00") {
		if on, at := normalizes(w); on {
			return &passage.Refusal{Status: 400, Details: "path_normalization_failed", At: at,
				Why: "the path has an escaped NUL, which normalize_path does not take"}
		}
	}
	if !hasEscapedSlash(only) {
		return nil
	}
	switch action, at := escapedSlashes(w); action {
	case rejectSlashes:
		return &passage.Refusal{Status: 400, Details: "path_normalization_failed", At: at,
			Why: "the path has an escaped slash and path_with_escaped_slashes_action rejects it"}
	case unescapeRedirect:
		return &passage.Refusal{Status: 307, Details: "path_normalization_failed", At: at,
			Location: normalisePath(w, path),
			Why: "the path has an escaped slash and path_with_escaped_slashes_action redirects to the unescaped " +
				"path"}
	}
	return nil
}

func hasEscapedSlash(path string) bool {
	lower := strings.ToLower(path)
	return strings.Contains(lower, "%2f") || strings.Contains(lower, "%5c")
}

// upgradeType is the protocol that the request asks to upgrade to, or CONNECT, or "". With HTTP/2
// an upgrade is a CONNECT with :protocol. (ConnectionManagerImpl::ActiveStream::createFilterChain)
func upgradeType(w *passage.Walk) string {
	if !w.Req.IsHTTP2() && upgrades(w) {
		// also of a CONNECT: ConnectionManagerImpl::ActiveStream asks for this header first
		upgrade, _ := w.Req.Header.Get("upgrade")
		return upgrade
	}
	if w.Req.Method == "CONNECT" {
		if protocol, ok := w.Req.Header.Get(":protocol"); ok {
			return protocol
		}
		return "CONNECT"
	}
	return ""
}

// upgradeRefused says whether the request asks for another protocol that neither the
// connection manager nor the route allows: 403. A route's upgrade_configs count before the
// connection manager's.
func upgradeRefused(w *passage.Walk) *passage.Refusal {
	upgrade := upgradeType(w)
	if upgrade == "" {
		return nil
	}
	configs := []configdump.Value{w.HCM.At.Get("upgrade_configs")}
	if w.Route != nil {
		configs = append([]configdump.Value{w.Route.Action.Get("upgrade_configs")}, configs...)
	}
	for _, list := range configs {
		for _, c := range list.Elements() {
			if !strings.EqualFold(c.Get("upgrade_type").Text(), upgrade) {
				continue
			}
			if proxy.IsFalse(c.Get("enabled")) {
				return upgradeRefusal(upgrade, c)
			}
			return nil
		}
	}
	return upgradeRefusal(upgrade, configdump.Value{})
}

func upgradeRefusal(upgrade string, at configdump.Value) *passage.Refusal {
	return &passage.Refusal{Status: 403, Code: flow.UpgradeRefused, Details: "upgrade_failed", At: at,
		Why: "the request asks to upgrade to " + upgrade + ", which no upgrade_configs allows"}
}

// underscoresRefused does what headers_with_underscores_action says of headers with an
// underscore in their name: the codec drops them, or refuses the request, which HTTP/2 ends
// with a reset of the stream.
func underscoresRefused(w *passage.Walk) *passage.Refusal {
	action := w.HCM.At.Get("common_http_protocol_options", "headers_with_underscores_action")
	mode := action.Text()
	if mode == "" || mode == "ALLOW" || mode == "0" {
		return nil
	}
	for _, name := range w.Req.Header.Names() {
		if !strings.Contains(name, "_") {
			continue
		}
		if mode == "DROP_HEADER" || mode == "2" {
			w.Req.Header.Remove(name)
			continue
		}
		r := &passage.Refusal{Status: 400, Flag: "DPE", Details: "http1.unexpected_underscore", At: action,
			Why: "header " + name + " has an underscore in its name and headers_with_underscores_action rejects it"}
		if w.Req.IsHTTP2() {
			r.Status, r.Flag, r.Details = 0, "DR", "http2.unexpected_underscore"
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
