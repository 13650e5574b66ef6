package passage

import (
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
	if name != "REQ" && name != "REQ_WITHOUT_QUERY" {
		return false
	}
	argument, _, _ = strings.Cut(argument, ")")
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
	case "DOWNSTREAM_LOCAL_ADDRESS":
		value, have = w.Conn.Local.String(), true
	case "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT":
		value, have = w.Conn.Local.Addr().String(), true
	case "DOWNSTREAM_LOCAL_PORT":
		value, have = strconv.Itoa(int(w.Conn.Local.Port())), true
	default:
		return "", false, false
	}
	if n, err := strconv.Atoi(strings.TrimPrefix(length, ":")); err == nil && n >= 0 && n < len(value) {
		value = value[:n]
	}
	return value, have, true
}
