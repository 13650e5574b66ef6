package passage

import (
	"net/netip"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/expr"
	"github.com/flowproof/lab/harness/infer/match"
)

// Condition evaluates an expression for the connection, or for the request where overHTTP
// says that there is one.
func (w *Walk) Condition(program expr.Program, overHTTP bool) match.Truth {
	result, _ := expr.Holds(program, w.attributes(overHTTP))
	return result
}

// ConditionOfMatcher is Condition for a matcher. Where there is no result without the response, a
// matcher waits for it: what is expr.TheResponse then. (CelInputMatcher::match)
func (w *Walk) ConditionOfMatcher(program expr.Program, overHTTP bool) (result match.Truth, what string) {
	of := w.attributes(overHTTP)
	if result, what = expr.Holds(program, of); what != expr.NoBoolean {
		return result, what
	}
	of.Unknown("response")
	return expr.Holds(program, of)
}

// attributes are what an expression may ask for, before there is a response.
// (docs/root/intro/arch_overview/advanced/attributes)
func (w *Walk) attributes(overHTTP bool) *expr.Attributes {
	of := &expr.Attributes{}
	request := map[string]any{}
	if overHTTP {
		request = w.requestAttributes()
		of.Unknown("request", "time", "duration", "size", "total_size")
		if request["id"] == PlaceholderID {
			of.Unknown("request", "id")
		}
	}
	source := map[string]any{}
	from := w.DownstreamRemote()
	if from.IsValid() {
		source["address"], source["port"] = from.String(), int64(from.Port())
	} else {
		of.Unknown("source", "address", "port")
	}
	ends := map[string]any{"mtls": w.Mutual(), "requested_server_name": w.Conn.ServerName}
	of.Unknown("connection", "id")
	if w.Conn.Terminated {
		of.Unknown("connection", "tls_version", "subject_local_certificate", "dns_san_local_certificate",
			"uri_san_local_certificate")
	}
	if w.Mutual() {
		of.Unknown("connection", "subject_peer_certificate", "dns_san_peer_certificate",
			"sha256_peer_certificate_digest")
		if w.Opts.Peer == "" {
			of.Unknown("connection", "uri_san_peer_certificate")
		} else {
			ends["uri_san_peer_certificate"] = w.Opts.Peer
		}
	}
	of.Unknown("filter_state")
	if open, all := w.Meta.OpenNamespaces(); overHTTP && !all {
		of.Unknown("metadata", "typed_filter_metadata")
		of.UnknownBelow("metadata", "filter_metadata", open)
	} else {
		of.Unknown("metadata")
	}
	xds := map[string]any{}
	of.Unknown("xds", "node", "cluster_metadata", "listener_metadata", "listener_direction", "filter_chain_name",
		"route_metadata", "upstream_host_metadata", "upstream_host_locality_metadata", "virtual_host_name",
		"virtual_host_metadata")
	if overHTTP && w.Route != nil && w.Proxy.Cluster(w.Out.Cluster) != nil {
		xds["route_name"], xds["cluster_name"] = w.Route.Name, w.Out.Cluster
	} else {
		of.Unknown("xds", "route_name", "cluster_name")
	}
	of.Known = map[string]any{
		"request": request, "source": source, "connection": ends,
		"destination": map[string]any{"address": w.Conn.Local.String(), "port": int64(w.Conn.Local.Port())},
		"response":    noResponse, "upstream": map[string]any{}, "metadata": expr.Metadata(w.Meta.Namespaces()),
		"filter_state": map[string]any{}, "xds": xds,
	}
	return of
}

// noResponse are the attributes of a response that there is not yet. (ResponseWrapper of
// source/extensions/filters/common/expr/context.cc)
var noResponse = map[string]any{
	"size": int64(0), "total_size": int64(0), "flags": int64(0), "headers": map[string]any{},
	"trailers": map[string]any{},
}

// requestAttributes are those of request. Headers are found by name in any case.
func (w *Walk) requestAttributes() map[string]any {
	h := w.Req.Header
	path, _ := h.Get(":path")
	all := map[string]any{
		"headers": expr.Headers(h.All()), "path": path, "url_path": match.PathOnly(path),
		"query": strings.TrimPrefix(match.QueryOf(path), "?"), "protocol": httpVersions[w.Req.Protocol],
	}
	for attribute, name := range map[string]string{"host": ":authority", "scheme": ":scheme", "method": ":method",
		"referer": "referer", "useragent": "user-agent", "id": "x-request-id"} {
		if value, ok := h.Get(name); ok {
			all[attribute] = value
		}
	}
	return all
}

// Mutual says whether the client showed a certificate in a handshake with this proxy.
func (w *Walk) Mutual() bool { return w.Conn.Terminated && w.Req.TLS == flow.MTLS }

// DownstreamRemote is the client as Envoy's stream information has it: the connection's source, or
// once a connection manager has looked at the request whom x-forwarded-for names.
func (w *Walk) DownstreamRemote() netip.AddrPort {
	if w.Client.IsValid() && w.Client != w.Conn.Remote.Addr() {
		return netip.AddrPortFrom(w.Client, 0)
	}
	return w.Conn.Remote
}
