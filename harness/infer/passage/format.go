package passage

import (
	"cmp"
	"net/netip"
	"strconv"
	"strings"

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
		for _, header := range strings.Split(c.argument, "?") {
			if _, open := w.Req.Header.Open(header); open {
				return true
			}
			if _, have := w.Req.Header.Get(header); have {
				return false
			}
		}
	case "PATH":
		_, open := w.Req.Header.Open(":path")
		_, original := w.Req.Header.Open("x-envoy-original-path")
		return open || original
	case "QUERY_PARAM":
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
		for _, header := range strings.Split(c.argument, "?") {
			if value, have = w.Req.Header.Get(header); have {
				break
			}
		}
	case "PATH":
		value, have, known = w.pathCommand(c.argument)
	case "QUERY_PARAM":
		path, _ := w.Req.Header.Get(":path")
		value, have = match.DecodedParams(path)[c.argument]
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
	case "RESP", "RESPONSE_HEADER", "TRAILER", "RESPONSE_TRAILER", "UPSTREAM_METADATA": // there is none yet
	default:
		if value, have, known = w.routeCommand(c.name); !known {
			value, have, known = w.endCommand(c.name)
		}
		known = known && c.argument == ""
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
	case "REQUESTED_SERVER_NAME":
		return w.Conn.ServerName, w.Conn.ServerName != "", true
	case "PROTOCOL":
		return httpVersions[w.Req.Protocol], w.Req.IsHTTP(), true
	case "ROUTE_NAME":
		if w.Route != nil {
			return w.Route.Name, w.Route.Name != "", true
		}
	case "UPSTREAM_CLUSTER", "UPSTREAM_CLUSTER_RAW":
		c := w.Proxy.Cluster(w.Out.Cluster)
		if c == nil {
			return "", false, false
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
		"UPSTREAM_TRANSPORT_FAILURE_REASON", "UPSTREAM_TLS_VERSION", "RESPONSE_CODE_DETAILS",
		"GRPC_STATUS", "GRPC_STATUS_NUMBER", "LOCAL_REPLY_BODY":
		return "", false, w.HCM != nil
	}
	return "", false, false
}

// endCommand evaluates a command that asks for an end of the downstream connection, or for its TLS.
func (w *Walk) endCommand(name string) (value string, have, known bool) {
	of := func(end netip.AddrPort) (string, bool, bool) {
		switch {
		case !end.IsValid() || strings.HasSuffix(name, "_ID"):
			return "", false, false
		case strings.HasSuffix(name, "_WITHOUT_PORT"):
			return end.Addr().String(), true, true
		case strings.HasSuffix(name, "_PORT"):
			return strconv.Itoa(int(end.Port())), true, true
		}
		return end.String(), true, true
	}
	switch {
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
