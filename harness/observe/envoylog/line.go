// Package envoylog reads the debug log of a sidecar and tells what it proves about one request. It
// knows four forms of the same log: what pilot-agent of current Istio makes Envoy print, what older
// Istio did, Istio's JSON form, and plain Envoy. It knows the messages of Envoy 1.22 to 1.40. It
// reads no configuration.
package envoylog

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// A Line is one statement of Envoy's log. A statement that prints headers goes over several lines
// of text; they are its Block.
type Line struct {
	Number     int       // of its first line of text, counted from 1
	Text       string    // its first line of text as it was printed
	Time       time.Time // zero when the line has none
	Level      string    // trace, debug, info, warning, error, critical
	Logger     string    // Envoy's logger: http, router, pool, …; empty for pilot-agent's own lines
	Source     string    // file:line of the statement, where the format has it
	Connection string    // Envoy's connection id
	Stream     string    // Envoy's stream id
	Thread     string    // id of the thread, where the format has it
	Message    string    // without ids
	Block      []string  // the lines of text that follow the first
	Kind       Kind      // what kind of line it is
	Truncated  bool      // it was longer than what is kept of a line
	format     format
}

// Kind says who printed a line.
type Kind int

// The kinds of lines in the log of a sidecar's container.
const (
	Unknown   Kind = iota // of no form that is known here
	Statement             // of Envoy
	Agent                 // of pilot-agent itself
	AccessLog             // an access log entry
)

// A format is the form of a statement. What it has decides where a statement ends.
type format struct {
	blocks bool // lines of text that follow the first may belong to it
	thread bool // the thread may stand at its very end, and ends it
	always bool // the thread stands there in every statement: an empty line ends none
}

// The forms. A new one is a value here, and a function that parseLine calls.
var (
	// <time>\t<level>\tenvoy <logger> <file:line>\t<message>\tthread=N
	formatPilot = format{blocks: true, thread: true, always: true}
	// <time>\t<level>\tenvoy <logger>\t<message>
	formatOld = format{blocks: true, thread: true}
	// [<time>][<thread>][<level>][<logger>] [<file:line>] <message>
	formatPlain = format{blocks: true}
	// {"level":…,"time":…,"scope":"envoy <logger>","msg":…,"caller":…,"thread":…}
	formatJSON = format{}
)

// levels are the names that Envoy and pilot-agent give to levels.
var levels = map[string]bool{"trace": true, "debug": true, "info": true, "warning": true, "warn": true, "error": true,
	"critical": true, "fatal": true, "off": true}

// parseLine reads the first line of text of a statement. ok is false when the text does not begin
// one, so that it is part of a block or of no known form.
func parseLine(text string) (line Line, ok bool) {
	switch {
	case strings.HasPrefix(text, "[20"):
		return parsePlain(text)
	case strings.HasPrefix(text, "{"):
		return parseJSON(text)
	case len(text) > 20 && text[0] >= '0' && text[0] <= '9':
		return parseTabbed(text)
	}
	return Line{}, false
}

// parseTabbed reads the forms that pilot-agent configures, and pilot-agent's own lines.
func parseTabbed(text string) (Line, bool) {
	stamp, rest, ok := strings.Cut(text, "\t")
	if !ok {
		return Line{}, false
	}
	when, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		return Line{}, false
	}
	level, rest, ok := strings.Cut(rest, "\t")
	if !ok || !levels[level] {
		return Line{}, false
	}
	line := Line{Time: when, Level: level}
	scope, message, ok := strings.Cut(rest, "\t")
	logger, isEnvoy := strings.CutPrefix(scope, "envoy ")
	if !ok || !isEnvoy {
		line.Kind, line.Message = Agent, rest
		return line, true
	}
	line.Kind, line.format = Statement, formatOld
	line.Logger, line.Source, ok = strings.Cut(logger, " ")
	if ok {
		line.format = formatPilot
	}
	line.setMessage(message)
	return line, true
}

// parsePlain reads Envoy's default form, and an access log entry, which begins with
// a bracket as well.
func parsePlain(text string) (Line, bool) {
	stamp, rest, ok := strings.Cut(text[1:], "]")
	if !ok {
		return Line{}, false
	}
	if _, err := time.Parse(time.RFC3339Nano, stamp); err == nil && strings.HasPrefix(rest, " ") {
		return Line{Kind: AccessLog, Message: strings.TrimSpace(rest)}, true
	}
	when, err := time.Parse("2006-01-02 15:04:05.999999999", stamp)
	if err != nil {
		return Line{}, false
	}
	line := Line{Time: when, Kind: Statement, format: formatPlain}
	for _, field := range []*string{&line.Thread, &line.Level, &line.Logger} {
		if !strings.HasPrefix(rest, "[") {
			return Line{}, false
		}
		if *field, rest, ok = strings.Cut(rest[1:], "]"); !ok {
			return Line{}, false
		}
	}
	rest = strings.TrimPrefix(rest, " ")
	if source, after, ok := strings.Cut(rest, "] "); ok && isSource(strings.TrimPrefix(source, "[")) {
		line.Source, rest = source[1:], after
	}
	line.setMessage(rest)
	return line, levels[line.Level]
}

// isSource tells "source/common/http/conn_manager_impl.cc:299" from an id such as "C12".
func isSource(s string) bool {
	file, number, ok := strings.Cut(s, ":")
	if !ok || strings.ContainsAny(file, " \"") || !strings.Contains(file, ".") {
		return false
	}
	_, err := strconv.Atoi(number)
	return err == nil
}

// parseJSON reads Istio's JSON form and an access log in JSON.
func parseJSON(text string) (Line, bool) {
	var entry struct {
		Level, Time, Scope, Msg, Caller string
		Thread                          json.RawMessage
		ResponseCode                    json.RawMessage `json:"response_code"`
	}
	if err := json.Unmarshal([]byte(text), &entry); err != nil {
		return Line{}, false
	}
	if len(entry.ResponseCode) > 0 && entry.Msg == "" {
		return Line{Kind: AccessLog, Message: text}, true
	}
	when, err := time.Parse(time.RFC3339Nano, entry.Time)
	if err != nil || !levels[entry.Level] {
		return Line{}, false
	}
	logger, isEnvoy := strings.CutPrefix(entry.Scope, "envoy ")
	line := Line{Time: when, Level: entry.Level, Source: entry.Caller, format: formatJSON, Kind: Agent,
		Message: entry.Msg}
	if isEnvoy {
		line.Kind, line.Logger, line.Thread = Statement, logger, strings.Trim(string(entry.Thread), `"`)
		lines := strings.Split(strings.TrimRight(entry.Msg, "\n"), "\n")
		line.setMessage(lines[0])
		line.Block = lines[1:]
	}
	return line, true
}

// setMessage takes the thread off the end and the ids off the beginning of a message.
func (l *Line) setMessage(message string) {
	if l.format.thread {
		if text, thread, ok := cutThread(message); ok {
			message, l.Thread = text, thread
		}
	}
	if rest, ok := strings.CutPrefix(message, "[Tags: "); ok {
		tags, after, ok := strings.Cut(rest, "] ")
		if !ok {
			tags, ok = strings.CutSuffix(rest, "]")
		}
		if ok {
			l.Connection, l.Stream = tag(tags, "ConnectionId"), tag(tags, "StreamId")
			message = after
		}
	} else {
		message = l.cutOldIDs(message)
	}
	l.Message = message
}

// cutOldIDs takes "[C12][S34] " off the beginning, which is how Envoy printed ids
// before it had tags.
func (l *Line) cutOldIDs(message string) string {
	if id, rest, ok := bracketed(message, 'C'); ok {
		l.Connection, message = id, rest
		if id, rest, ok := bracketed(message, 'S'); ok {
			l.Stream, message = id, rest
		}
		message = strings.TrimPrefix(message, " ")
	}
	return message
}

func bracketed(s string, letter byte) (id, rest string, ok bool) {
	if len(s) < 4 || s[0] != '[' || s[1] != letter {
		return "", s, false
	}
	id, rest, ok = strings.Cut(s[2:], "]")
	if !ok || id == "" || strings.Trim(id, "0123456789") != "" {
		return "", s, false
	}
	return id, rest, true
}

// tag returns the value of one of Envoy's tags: "ConnectionId":"18","StreamId":"12".
func tag(tags, name string) string {
	_, rest, ok := strings.Cut(tags, `"`+name+`":"`)
	if !ok {
		return ""
	}
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// cutThread takes "\tthread=N" off the end of a line.
func cutThread(text string) (rest, thread string, ok bool) {
	i := strings.LastIndex(text, "\tthread=")
	if i < 0 {
		return text, "", false
	}
	thread = text[i+len("\tthread="):]
	if thread == "" || strings.Trim(thread, "0123456789") != "" {
		return text, "", false
	}
	return text[:i], thread, true
}

// Header returns the value of a header in the line's block, and whether it is there. Of a header
// that is there several times it is the first.
func (l Line) Header(name string) (string, bool) {
	for _, text := range l.Block {
		if n, v, ok := parseHeader(text); ok && n == name {
			return v, true
		}
	}
	return "", false
}

// Headers returns the names of all headers in the line's block.
func (l Line) Headers() map[string]string {
	headers := map[string]string{}
	for _, text := range l.Block {
		if n, v, ok := parseHeader(text); ok {
			if _, twice := headers[n]; !twice {
				headers[n] = v
			}
		}
	}
	return headers
}

// parseHeader reads "'name', 'value'", the way Envoy prints a header.
func parseHeader(text string) (name, value string, ok bool) {
	text = strings.TrimSpace(text)
	if len(text) < 6 || text[0] != '\'' || text[len(text)-1] != '\'' {
		return "", "", false
	}
	name, value, ok = strings.Cut(text[1:len(text)-1], "', '")
	return name, value, ok
}
