package infer

import (
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/infer/match"
)

// formatted fills a substitution format string for the request: %REQ(x-a?:authority):10%, %REQUESTED_SERVER_NAME% and a few
// more that are known before the request goes upstream. What is not there becomes missing. known is false where the text has a
// command whose value is not known. (docs/root/configuration/observability/access_log/usage)
func (w *walk) formatted(text, missing string) (filled string, known bool) {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "%")
		b.WriteString(before)
		if !ok {
			return b.String(), true
		}
		if after, escaped := strings.CutPrefix(rest, "%"); escaped {
			b.WriteByte('%')
			text = after
			continue
		}
		command, after, ok := cutCommand(rest)
		value, have, known := w.command(command)
		if !ok || !known {
			return "", false
		}
		if !have {
			value = missing
		}
		b.WriteString(value)
		text = after
	}
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
func (w *walk) command(text string) (value string, have, known bool) {
	name, argument, _ := strings.Cut(text, "(")
	argument, length, _ := strings.Cut(argument, ")")
	switch name {
	case "REQ", "REQ_WITHOUT_QUERY":
		for _, header := range strings.Split(argument, "?") {
			if value, have = w.req.header.Get(header); have {
				break
			}
		}
		if name == "REQ_WITHOUT_QUERY" {
			value = match.PathOnly(value)
		}
	case "REQUESTED_SERVER_NAME":
		value, have = w.conn.serverName, w.conn.serverName != ""
	case "PROTOCOL":
		value, have = map[string]string{http10: "HTTP/1.0", http11: "HTTP/1.1", http2: "HTTP/2", grpc: "HTTP/2"}[w.req.Protocol], w.req.isHTTP()
	case "DOWNSTREAM_LOCAL_ADDRESS":
		value, have = w.conn.local.String(), true
	case "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT":
		value, have = w.conn.local.Addr().String(), true
	case "DOWNSTREAM_LOCAL_PORT":
		value, have = strconv.Itoa(int(w.conn.local.Port())), true
	default:
		return "", false, false
	}
	if n, err := strconv.Atoi(strings.TrimPrefix(length, ":")); err == nil && n >= 0 && n < len(value) {
		value = value[:n]
	}
	return value, have, true
}
