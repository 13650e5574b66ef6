package logformat

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// Names of a Line's values: Istio's, where its own JSON format has the value, else in its manner.
const (
	StartTime    = "start_time"
	Method       = "method"
	Path         = "path"          // as the request has it when it is over
	OriginalPath = "original_path" // x-envoy-original-path where there is one: that of before a rewrite
	Authority    = "authority"
	Protocol     = "protocol"
	Code         = "response_code"
	Flags        = "response_flags"
	Details      = "response_code_details"
	Termination  = "connection_termination_details"
	UpstreamWhy  = "upstream_transport_failure_reason"
	Duration     = "duration"
	RequestID    = "request_id"
	Cluster      = "upstream_cluster"
	Host         = "upstream_host"
	DownLocal    = "downstream_local_address"
	DownRemote   = "downstream_remote_address"
	DownDirect   = "downstream_direct_remote_address"
	DirectLocal  = "downstream_direct_local_address"
	ServerName   = "requested_server_name"
	Route        = "route_name"
	VirtualHost  = "virtual_host_name"
	Listener     = "listener_name"
	Chain        = "filter_chain_name"
	DownTLS      = "downstream_tls_version"
	DownPeer     = "downstream_peer_uri_san"
)

// A Line is one line of an access log.
type Line struct {
	Number int    // in the log, from 1
	Text   string // as it was printed, without what kubectl or the runtime put before it
	Prefix string // what they put there
	Format string // name of the format that it was read by
	values map[string]string
	open   map[string]bool
}

// Get returns a value. It is empty where Envoy had none; known is false where the format has no
// such value.
func (l Line) Get(name string) (value string, known bool) {
	value, known = l.values[name]
	return value, known
}

// Value is Get without saying whether the format has it.
func (l Line) Value(name string) string { return l.values[name] }

// Sure is Value without what the line's text leaves open, which is empty.
func (l Line) Sure(name string) string {
	if l.open[name] {
		return ""
	}
	return l.values[name]
}

// Unsure names the values that the line's text leaves open, in order.
func (l Line) Unsure() []string { return slices.Sorted(maps.Keys(l.open)) }

// RequestPath is the request's path with its query. original says that it is the one of before a
// rewrite, where there was one.
func (l Line) RequestPath() (path string, original bool) {
	if path, ok := l.values[OriginalPath]; ok {
		return path, true
	}
	return l.values[Path], false
}

// FlagList are the response flags by their short names.
func (l Line) FlagList() []string {
	flags := flow.SplitFlags(l.values[Flags])
	for i, f := range flags {
		for _, row := range flow.Flags {
			if row.Long == f {
				flags[i] = row.Flag
			}
		}
	}
	return flags
}

// HTTP says whether the line is of a request and not of a connection alone.
func (l Line) HTTP() bool {
	if p := l.values[Protocol]; p != "" {
		return strings.HasPrefix(p, "HTTP/")
	}
	code := l.values[Code]
	return l.values[Method] != "" || code != "" && code != "0"
}

// IsFailed says whether the request or connection ended otherwise than with an answer below 400 and
// without a flag that tells of a failure.
func (l Line) IsFailed() bool {
	code := l.values[Code]
	if l.HTTP() && (len(code) != 3 || code >= "400") {
		return true
	}
	return slices.ContainsFunc(l.FlagList(), func(f string) bool { return f != "DI" && f != "RFCF" })
}

func (l *Line) set(name, value string) {
	if value == "-" || value == `"-"` {
		value = ""
	}
	l.values[name] = value
}

func (l *Line) unsure(name string) {
	if l.open == nil {
		l.open = map[string]bool{}
	}
	l.open[name] = true
}

// ParseLog returns the lines of an access log among those of a container's log. The formats are
// tried in order, and after them those that are known. others is the number of lines that are
// something else.
func ParseLog(text []byte, formats []*Format) (lines []Line, others int) {
	formats = append(slices.Clone(formats), known()...)
	number := 0
	for row := range bytes.Lines(text) {
		number++
		row = bytes.TrimRight(row, "\r\n")
		if len(bytes.TrimSpace(row)) == 0 {
			continue
		}
		line, ok := parseRow(string(row), formats)
		if !ok {
			others++
			continue
		}
		line.Number = number
		lines = append(lines, line)
	}
	return lines, others
}

// parseRow reads one row as it is, or without what was put before it.
func parseRow(row string, formats []*Format) (Line, bool) {
	prefix, rest := cutPrefix(row)
	rows := []string{rest}
	if prefix != "" {
		rows = append(rows, row) // what looks like a prefix may be of the format
	}
	rows = append(rows, within(rest)...)
	for i, r := range rows {
		for _, f := range formats {
			if line, ok := f.Parse(r); ok && line.plausible() {
				if i == 0 {
					line.Prefix = prefix
				}
				return line, true
			}
		}
	}
	return Line{}, false
}
