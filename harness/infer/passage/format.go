package passage

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/infer/match"
)

// httpVersions are Envoy's names of the versions of HTTP: Utility::getProtocolString.
var httpVersions = map[string]string{
	HTTP10: "HTTP/1.0", HTTP11: "HTTP/1.1", HTTP2: "HTTP/2", GRPC: "HTTP/2", HTTP3: "HTTP/3",
}

// Formatted fills a substitution format string for the request: %REQ(x-a?:authority):10%,
// %REQUESTED_SERVER_NAME% and a few more that are known before the request goes upstream. What is
// not there becomes missing. known is false where the text has a command whose value is not known,
// or a filter may have changed it: filled is then what it is if none has.
// (docs/root/configuration/observability/access_log/usage)
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
		command, after, ok := cutCommand(rest)
		value, have, there := w.command(command)
		if !ok || !there {
			return "", false
		}
		known = known && !w.opened(command)
		if !have {
			value = missing
		}
		b.WriteString(value)
		text = after
	}
}

// opened says whether a filter may have changed a header that a command reads.
func (w *Walk) opened(command string) bool {
	name, argument, _ := strings.Cut(command, "(")
	argument, _, _ = strings.Cut(argument, ")")
	switch name {
	case "REQ", "REQ_WITHOUT_QUERY":
	case "PATH":
		_, open := w.Req.Header.Open(":path")
		_, original := w.Req.Header.Open("x-envoy-original-path")
		return open || original
	case "QUERY_PARAM":
		_, open := w.Req.Header.Open(":path")
		return open
	case "DYNAMIC_METADATA":
		namespace, _, _ := strings.Cut(argument, ":")
		_, open := w.Meta.Open(namespace)
		return open
	default:
		return false
	}
	for _, header := range strings.Split(argument, "?") {
		if _, open := w.Req.Header.Open(header); open {
			return true
		}
		if _, have := w.Req.Header.Get(header); have {
			return false
		}
	}
	return false
}

// cutCommand cuts a command at the percent sign that ends it, which may also stand in its argument.
func cutCommand(text string) (command, after string, ok bool) {
	from := 0
	if open := strings.IndexByte(text, '('); open >= 0 && open < strings.IndexByte(text+"%", '%') {
		closing := strings.IndexByte(text, ')')
		if closing < 0 {
			return "", "", false
		}
		from = closing
	}
	end := strings.IndexByte(text[from:], '%')
	if end < 0 {
		return "", "", false
	}
	return text[:from+end], text[from+end+1:], true
}

// command evaluates one command of a format string.
func (w *Walk) command(text string) (value string, have, known bool) {
	known = true
	name, argument, _ := strings.Cut(text, "(")
	argument, length, _ := strings.Cut(argument, ")")
	switch name {
	case "REQ", "REQ_WITHOUT_QUERY":
		for _, header := range strings.Split(argument, "?") {
			if value, have = w.Req.Header.Get(header); have {
				break
			}
		}
		if name == "REQ_WITHOUT_QUERY" {
			value = match.PathOnly(value)
		}
	case "REQUESTED_SERVER_NAME":
		value, have = w.Conn.ServerName, w.Conn.ServerName != ""
	case "PROTOCOL":
		value, have = httpVersions[w.Req.Protocol], w.Req.IsHTTP()
	case "PATH":
		value, have, known = w.pathCommand(argument)
	case "QUERY_PARAM":
		path, _ := w.Req.Header.Get(":path")
		value, have = match.QueryParams(path)[argument]
	case "DYNAMIC_METADATA":
		value, have, known = w.metadataCommand(argument)
	default:
		value, have, known = w.endCommand(name)
		known = known && argument == ""
	}
	if !known {
		return "", false, false
	}
	if n, err := strconv.Atoi(strings.TrimPrefix(length, ":")); err == nil && n >= 0 && n < len(value) {
		value = value[:n]
	}
	return value, have, true
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

// metadataCommand evaluates DYNAMIC_METADATA where it leads to a text or to nothing. Without a key
// it is all of a namespace, as JSON.
func (w *Walk) metadataCommand(argument string) (value string, have, known bool) {
	namespace, rest, keyed := strings.Cut(argument, ":")
	if !keyed {
		return "", false, !w.Meta.Has(namespace)
	}
	var at any = w.Meta.Namespace(namespace)
	for _, key := range strings.Split(rest, ":") {
		of, _ := at.(map[string]any)
		if at = of[key]; at == nil {
			return "", false, true
		}
	}
	value, have = at.(string)
	return value, have, have
}
