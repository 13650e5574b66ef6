package passage

import (
	"cmp"
	"net/netip"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/expr"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/internal/lazyregexp"
)

// httpVersions are Envoy's names of the versions of HTTP: Utility::getProtocolString.
var httpVersions = map[string]string{
	HTTP10: "HTTP/1.0", HTTP11: "HTTP/1.1", HTTP2: "HTTP/2", GRPC: "HTTP/2", HTTP3: "HTTP/3",
}

// A command is one of a format string: %NAME(argument):length%. (The expression in
// SubstitutionFormatParser::parse)
type command struct {
	name, argument string
	length         int // of the text that is taken of the value, in bytes; -1: all of it
}

var commandForm = lazyregexp.New(`^([A-Z0-9_]+)(?:\((.*?)\))?(?::([0-9]+))?%`)

// cutCommand cuts a command behind the percent sign that begins it.
func cutCommand(text string) (c command, after string, ok bool) {
	m := commandForm.FindStringSubmatch(text)
	if m == nil {
		return command{}, "", false
	}
	c = command{m[1], m[2], -1}
	if n, err := strconv.Atoi(m[3]); err == nil {
		c.length = n
	}
	return c, text[len(m[0]):], true
}

// Formatted fills a substitution format string for the request, with what is known before the
// request goes upstream. What is not there becomes missing. known is false where the text has a
// command whose value is not known, or a filter may have changed it: filled is then what it is if
// none has. (docs/root/configuration/observability/access_log/usage)
func (w *Walk) Formatted(text, missing string) (filled string, known bool) {
	var b strings.Builder
	known = true
	for {
		before, rest, ok := strings.Cut(text, "%")
		b.WriteString(before)
		if !ok {
			return b.String(), known
		}
		if after, escaped := strings.CutPrefix(rest, "%"); escaped {
			b.WriteByte('%')
			text = after
			continue
		}
		c, after, ok := cutCommand(rest)
		value, have, there := w.command(c)
		if !ok || !there {
			return "", false
		}
		known = known && !w.opened(c)
		if !have {
			value = missing
		}
		b.WriteString(value)
		text = after
	}
}

// opened says whether a filter may have changed what a command reads.
func (w *Walk) opened(c command) bool {
	switch c.name {
	case "REQ", "REQUEST_HEADER":
		return openOf(w.Req.Header, c.argument)
	case "RESP", "RESPONSE_HEADER":
		return w.Answering != nil && openOf(w.Answering, c.argument)
	case "REQUESTED_SERVER_NAME":
		return c.argument != "" && openOf(w.Req.Header, hostAsked)
	case "PATH":
		_, open := w.Req.Header.Open(":path")
		_, original := w.Req.Header.Open("x-envoy-original-path")
		return open || original
	case "QUERY_PARAM", "QUERY_PARAMS":
		_, open := w.Req.Header.Open(":path")
		return open
	case "DYNAMIC_METADATA":
		return w.metadataOpen(c.argument)
	case "METADATA":
		of, key, _ := strings.Cut(c.argument, ":")
		return of == "DYNAMIC" && w.metadataOpen(key)
	case "FILTER_STATE":
		key, _, _ := strings.Cut(c.argument, ":")
		_, open := w.State.Open(key)
		return open
	case "CEL", "TYPED_CEL":
		return w.Req.Header.AnyOpen()
	case "COALESCE":
		for _, c := range alternatives(c.argument) {
			if w.opened(c) {
				return true
			}
			if _, have, known := w.command(c); !known || have {
				return false
			}
		}
	}
	return false
}

// openOf says whether a filter may have changed the first of several headers that is there.
func openOf(h *match.Headers, names string) bool {
	for _, name := range strings.Split(names, "?") {
		if _, open := h.Open(name); open {
			return true
		}
		if _, have := h.Get(name); have {
			return false
		}
	}
	return false
}

// firstOf is the first of several headers that is there.
func firstOf(h *match.Headers, names string) (value string, have bool) {
	for _, name := range strings.Split(names, "?") {
		if value, have = h.Get(name); have {
			break
		}
	}
	return value, have
}

func (w *Walk) metadataOpen(argument string) bool {
	namespace, _, _ := strings.Cut(argument, ":")
	_, open := w.Meta.Open(namespace)
	return open
}

// command evaluates one command of a format string.
func (w *Walk) command(c command) (value string, have, known bool) {
	known = true
	switch c.name {
	case "REQ", "REQUEST_HEADER":
		value, have = firstOf(w.Req.Header, c.argument)
	case "RESP", "RESPONSE_HEADER":
		if w.Answering != nil {
			value, have = firstOf(w.Answering, c.argument)
		}
	case "REQUESTED_SERVER_NAME":
		value, have, known = w.serverName(c.argument)
	case "PATH":
		value, have, known = w.pathCommand(c.argument)
	case "QUERY_PARAM":
		path, _ := w.Req.Header.Get(":path")
		value, have = match.DecodedParams(path)[c.argument]
	case "QUERY_PARAMS":
		path, _ := w.Req.Header.Get(":path")
		value, have = strings.CutPrefix(match.QueryOf(path), "?")
		known = c.argument == "ORIG"
	case "DYNAMIC_METADATA":
		value, have, known = w.dynamicMetadata(c.argument)
	case "METADATA":
		value, have, known = w.metadataCommand(c.argument)
	case "CLUSTER_METADATA":
		value, have, known = w.metadataCommand("CLUSTER:" + c.argument)
	case "FILTER_STATE":
		value, have, known = w.stateCommand(c.argument)
	case "CEL", "TYPED_CEL":
		value, have, known = expr.Text(w.Proxy.Programs.OfText(c.argument), w.attributes(w.HCM != nil))
	case "COALESCE":
		value, have, known = w.coalesce(c.argument)
	case "TRAILER", "RESPONSE_TRAILER", "UPSTREAM_METADATA": // there is none yet
	default:
		if value, have, known = w.routeCommand(c.name); known {
			known = c.argument == ""
		} else {
			value, have, known = w.endCommand(c.name, c.argument)
		}
	}
	if !known {
		return "", false, false
	}
	if c.length >= 0 && c.length < len(value) {
		value = value[:c.length]
	}
	return value, have, true
}

// routeCommand evaluates a command that asks for the route, or for an upstream that is not there
// yet.
func (w *Walk) routeCommand(name string) (value string, have, known bool) {
	switch name {
	case "PROTOCOL":
		return httpVersions[w.Req.Protocol], w.Req.IsHTTP(), true
	case "ROUTE_NAME":
		if w.Route != nil {
			return w.Route.Name, w.Route.Name != "", true
		}
	case "UPSTREAM_CLUSTER", "UPSTREAM_CLUSTER_RAW":
		c := w.Proxy.Cluster(w.Out.Cluster)
		if c == nil {
			return "", false, w.answersItself()
		}
		value = w.Out.Cluster
		if name == "UPSTREAM_CLUSTER" {
			value = cmp.Or(c.At.Get("alt_stat_name").Text(), value)
		}
		return value, true, true
	case "RESPONSE_CODE":
		return "0", true, w.HCM != nil
	case "RESPONSE_FLAGS", "RESPONSE_FLAGS_LONG":
		return "-", true, w.HCM != nil
	case "UPSTREAM_HOST", "UPSTREAM_LOCAL_ADDRESS", "UPSTREAM_REMOTE_ADDRESS", "UPSTREAM_PROTOCOL",
		"UPSTREAM_TRANSPORT_FAILURE_REASON", "UPSTREAM_TLS_VERSION", "UPSTREAM_HOST_NAME", "UPSTREAM_REMOTE_PORT",
		"UPSTREAM_LOCAL_PORT", "UPSTREAM_SERVER_NAME", "UPSTREAM_TLS_CIPHER", "UPSTREAM_PEER_SUBJECT",
		"UPSTREAM_HOSTS_ATTEMPTED", "GRPC_STATUS", "GRPC_STATUS_NUMBER", "LOCAL_REPLY_BODY",
		"CONNECTION_TERMINATION_DETAILS", "DOWNSTREAM_TRANSPORT_FAILURE_REASON":
		return "", false, w.HCM != nil
	case "RESPONSE_CODE_DETAILS":
		if w.Answering != nil {
			return "direct_response", true, true
		}
		return "", false, w.HCM != nil
	case "UPSTREAM_REQUEST_ATTEMPT_COUNT":
		if w.Answering == nil && w.Deciding == flow.Route {
			return "1", true, true
		}
		return "0", true, w.Answering != nil || w.Deciding == flow.HTTPFilters
	case "VIRTUAL_CLUSTER_NAME": // the router finds it
		return "", false, w.Answering != nil || w.Deciding == flow.HTTPFilters
	case "ACCESS_LOG_TYPE":
		return "NotSet", true, w.HCM != nil
	}
	return "", false, false
}

// answersItself says whether the request has no cluster, as its route forwards nothing or it has
// none.
func (w *Walk) answersItself() bool {
	return w.HCM != nil && (w.Route == nil || !w.Route.At.Has("route"))
}

// hostHeaders are where REQUESTED_SERVER_NAME finds a host, by the second part of its argument.
var hostHeaders = map[string]string{"": hostAsked, "ORIG_OR_HOST": hostAsked, "ORIG": "x-envoy-original-host",
	"HOST": ":authority"}

const hostAsked = "x-envoy-original-host?:authority"

// serverName evaluates REQUESTED_SERVER_NAME: of the TLS connection, or of which host (that of
// before a rewrite, or the present one) where the first part of the argument asks for both.
func (w *Walk) serverName(argument string) (value string, have, known bool) {
	first, which, _ := strings.Cut(argument, ":")
	header, ok := hostHeaders[which]
	sni := w.Conn.ServerName
	host, _ := firstOf(w.Req.Header, header)
	switch {
	case first == "" || first == "SNI_ONLY":
		value = sni
	case first == "SNI_FIRST":
		value = cmp.Or(sni, host)
	case first == "HOST_FIRST":
		value = cmp.Or(host, sni)
	default:
		ok = false
	}
	return value, value != "", ok
}

// endCommand evaluates a command that asks for an end of the downstream connection, or for its TLS.
// An address without its port may be asked for as a network, by the length of its prefix.
func (w *Walk) endCommand(name, argument string) (value string, have, known bool) {
	of := func(end netip.AddrPort) (string, bool, bool) {
		bits, err := strconv.ParseUint(argument, 10, 31)
		switch {
		case !end.IsValid() || strings.HasSuffix(name, "_ID"):
			return "", false, false
		case strings.HasSuffix(name, "_WITHOUT_PORT") && argument != "":
			network, _ := end.Addr().Prefix(min(int(bits), end.Addr().BitLen()))
			return network.String(), true, err == nil
		case strings.HasSuffix(name, "_WITHOUT_PORT"):
			return end.Addr().String(), true, true
		case strings.HasSuffix(name, "_PORT"):
			return strconv.Itoa(int(end.Port())), true, true
		}
		return end.String(), true, true
	}
	switch {
	case argument != "" && !strings.HasSuffix(name, "_WITHOUT_PORT"):
	case strings.HasPrefix(name, "DOWNSTREAM_LOCAL_ADDRESS"), name == "DOWNSTREAM_LOCAL_PORT":
		return of(w.Conn.Local)
	case strings.HasPrefix(name, "DOWNSTREAM_REMOTE_ADDRESS"), name == "DOWNSTREAM_REMOTE_PORT":
		return of(w.DownstreamRemote())
	case strings.HasPrefix(name, "DOWNSTREAM_DIRECT_REMOTE_ADDRESS"), name == "DOWNSTREAM_DIRECT_REMOTE_PORT":
		return of(w.Conn.Direct)
	case strings.HasPrefix(name, "DOWNSTREAM_TLS_"), strings.HasPrefix(name, "DOWNSTREAM_LOCAL_"):
		return "", false, !w.Conn.Terminated
	case name == "DOWNSTREAM_PEER_URI_SAN":
		return w.Opts.Peer, w.Mutual(), !w.Mutual() || w.Opts.Peer != ""
	case strings.HasPrefix(name, "DOWNSTREAM_PEER_"):
		return "", false, !w.Mutual()
	}
	return "", false, false
}

// pathCommand evaluates PATH: with the query (WQ) or without (NQ), of the request as it is
// or as it came (ORIG).
func (w *Walk) pathCommand(argument string) (value string, have, known bool) {
	query, of, _ := strings.Cut(argument, ":")
	original, rewritten := w.Req.Header.Get("x-envoy-original-path")
	value, have = w.Req.Header.Get(":path")
	switch {
	case of == "ORIG", (of == "" || of == "ORIG_OR_PATH") && rewritten:
		value, have = original, rewritten
	case of != "" && of != "PATH" && of != "ORIG_OR_PATH":
		return "", false, false
	}
	switch query {
	case "NQ":
		value = match.PathOnly(value)
	case "", "WQ":
	default:
		return "", false, false
	}
	return value, have, true
}
