// Package logformat reads lines of Envoy's access log by the format that made them: Istio's default
// text, Envoy's own default, JSON, or a format that stands in a config dump. A format string is
// turned into a reader of its lines. What a line's text leaves open, because a value may hold the
// signs that separate values, is said to be unsure.
//
// Source: Envoy's documentation, configuration/observability/access_log/usage.
package logformat

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// maxFormat bounds a format string, and maxLine a line of it.
const (
	maxFormat = 4 << 10
	maxLine   = 64 << 10
)

// A Format reads the lines that one format string makes.
type Format struct {
	Name         string // where it is from: "Istio's text format", or a JSON pointer
	fields       []field
	lazy, greedy *regexp.Regexp
	members      map[string]*Format // of a JSON format: the format of each member, by its path with dots
}

// A field is one command operator of a format string.
type field struct {
	name string // as Names says it
	most int    // characters that are kept of the value; 0: all
}

// command is one command operator: %NAME%, %NAME(ARGUMENTS)%, %NAME(ARGUMENTS):LENGTH%.
var command = regexp.MustCompile(`%([A-Z0-9_]+)(?:\(([^%]*?)\))?(?::(\d+))?%`)

// startTime is %START_TIME(…)%, whose argument has percent signs of its own.
var startTime = regexp.MustCompile(`%([A-Z_]*_TIME|START_TIME[A-Z_]*)\((?:[^)]*)\)(?::(\d+))?%`)

// Compile reads a format string of text.
func Compile(name, text string) (*Format, error) {
	if len(text) > maxFormat {
		return nil, fmt.Errorf("read format: it has %d bytes, more than %d", len(text), maxFormat)
	}
	f := &Format{Name: name}
	lazy, greedy := strings.Builder{}, strings.Builder{}
	lazy.WriteString(`^`)
	greedy.WriteString(`^`)
	literal := func(s string) {
		s = regexp.QuoteMeta(strings.ReplaceAll(s, "%%", "%"))
		lazy.WriteString(s)
		greedy.WriteString(s)
	}
	text = strings.TrimRight(startTime.ReplaceAllString(text, "%$1%"), "\r\n")
	end := 0
	for _, m := range command.FindAllStringSubmatchIndex(text, -1) {
		literal(text[end:m[0]])
		op, args, most := text[m[2]:m[3]], "", 0
		if m[4] >= 0 {
			args = text[m[4]:m[5]]
		}
		if m[6] >= 0 {
			most, _ = strconv.Atoi(text[m[6]:m[7]])
		}
		f.fields = append(f.fields, field{nameOf(op, args), most})
		value := valueOf(op, args)
		lazy.WriteString("(" + value + "?)")
		greedy.WriteString("(" + value + ")")
		end = m[1]
	}
	literal(text[end:])
	if len(f.fields) == 0 {
		return nil, fmt.Errorf("read format %q: it has no command operator", name)
	}
	var err error
	if f.lazy, err = regexp.Compile(`(?s)` + lazy.String() + `$`); err == nil {
		f.greedy, err = regexp.Compile(`(?s)` + greedy.String() + `$`)
	}
	if err != nil {
		return nil, fmt.Errorf("read format %q: %w", name, err)
	}
	return f, nil
}

// must is Compile for the formats that are part of the program.
func must(name, text string) *Format {
	f, err := Compile(name, text)
	if err != nil {
		panic(err)
	}
	return f
}

// valueOf is the expression of what a command operator can write, with a repetition at its end.
// Numbers and flags have no blanks, and a value without a blank before a number is told apart from
// the number by that.
func valueOf(op, args string) string {
	switch op {
	case "RESPONSE_CODE",
		"BYTES_RECEIVED",
		"BYTES_SENT",
		"DURATION",
		"CONNECTION_ID",
		"UPSTREAM_REQUEST_ATTEMPT_COUNT",
		"RESPONSE_DURATION":
		return `[0-9-]+`
	case "RESPONSE_FLAGS":
		return `[A-Z,-]+`
	case "RESPONSE_FLAGS_LONG":
		return `[A-Za-z,-]+`
	case "PROTOCOL":
		return `[A-Za-z0-9./-]+`
	case "UPSTREAM_HOST",
		"UPSTREAM_LOCAL_ADDRESS",
		"UPSTREAM_REMOTE_ADDRESS",
		"DOWNSTREAM_LOCAL_ADDRESS",
		"DOWNSTREAM_REMOTE_ADDRESS",
		"DOWNSTREAM_DIRECT_REMOTE_ADDRESS",
		"UPSTREAM_CLUSTER",
		"UPSTREAM_CLUSTER_RAW",
		"REQUESTED_SERVER_NAME",
		"RESPONSE_CODE_DETAILS",
		"CONNECTION_TERMINATION_DETAILS": // Envoy writes underscores for their blanks
		return `\S+`
	case "REQ":
		if name := nameOf(op, args); name == Method || name == Path ||
			name == OriginalPath { // neither can have a blank
			return `\S+`
		}
	}
	return `.*`
}

// headers are the names that request headers have in a Line where they are not header:NAME.
var headers = map[string]string{
	":METHOD":               "method",
	":PATH":                 "path",
	":AUTHORITY":            "authority",
	"X-REQUEST-ID":          RequestID,
	"X-FORWARDED-FOR":       "x_forwarded_for",
	"USER-AGENT":            "user_agent",
	"X-ENVOY-ORIGINAL-PATH": "path",
	"HOST":                  "authority",
}

// nameOf is the name of a command operator's value: Istio's where its own JSON format has one, and
// otherwise in its manner.
func nameOf(op, args string) string {
	switch op {
	case "REQ":
		first, second, _ := strings.Cut(args, "?")
		if strings.EqualFold(first, "X-ENVOY-ORIGINAL-PATH") && strings.EqualFold(second, ":PATH") {
			return OriginalPath
		}
		if name, ok := headers[strings.ToUpper(first)]; ok {
			return name
		}
		return "header:" + strings.ToLower(first)
	case "RESP":
		if strings.EqualFold(args, "X-ENVOY-UPSTREAM-SERVICE-TIME") {
			return "upstream_service_time"
		}
		return "response_header:" + strings.ToLower(args)
	case "UPSTREAM_CLUSTER_RAW":
		return Cluster
	case "RESPONSE_FLAGS_LONG":
		return Flags
	case "CEL":
		if args == "xds.virtual_host_name" {
			return VirtualHost
		}
		return "cel:" + args
	}
	name := strings.ToLower(op)
	if args != "" && op != "START_TIME" {
		name += ":" + args
	}
	return name
}

// Parse reads a line without its end; ok is false where the line is not of this format.
func (f *Format) Parse(row string) (line Line, ok bool) {
	if f.members != nil {
		return f.parseJSON(row)
	}
	if len(row) > maxLine {
		return Line{}, false
	}
	found := f.lazy.FindStringSubmatch(row)
	if found == nil {
		return Line{}, false
	}
	other := f.greedy.FindStringSubmatch(row)
	line = Line{Text: row, Format: f.Name, values: make(map[string]string, len(f.fields))}
	for i, field := range f.fields {
		value := found[i+1]
		if other != nil && other[i+1] != value || field.most > 0 && len(value) >= field.most {
			line.unsure(field.name)
		}
		line.set(field.name, value)
	}
	return line, true
}

// plausible says whether a line has what every line of an access log has: a status or flags that
// read as such.
func (l Line) plausible() bool {
	code, hasCode := l.Get(Code)
	_, hasFlags := l.Get(Flags)
	if n, err := strconv.Atoi(code); code != "" && (err != nil || n < 0 || n > 999) {
		return false
	}
	return hasCode || hasFlags
}
