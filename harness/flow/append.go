package flow

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// AppendJSON appends the Decision's JSON form, on one line and without its end. It writes what
// encoding/json writes with SetEscapeHTML(false), several times faster: a batch has many thousands
// of decisions, and most of its time would go there.
func (d *Decision) AppendJSON(b []byte) []byte {
	b = appendString(append(b, `{"schema":`...), d.Schema)
	b = appendOptional(b, `,"id":`, d.ID)
	b = appendOptional(b, `,"error":`, d.Error)
	b = appendOptional(b, `,"proxy":`, d.Proxy)
	b = appendString(append(b, `,"outcome":`...), string(d.Outcome))
	b = appendString(append(b, `,"failure":`...), string(d.Failure))
	b = appendString(append(b, `,"certainty":`...), string(d.Certainty))
	b = appendList(b, `,"depends":`, d.Depends)
	b = appendList(b, `,"possible":`, d.Possible)
	if d.Others {
		b = append(b, `,"others":true`...)
	}
	b = appendOptional(b, `,"flag":`, d.Flag)
	if d.Status != 0 {
		b = strconv.AppendInt(append(b, `,"status":`...), int64(d.Status), 10)
	}
	b = appendOptional(b, `,"location":`, d.Location)
	b = appendOptional(b, `,"listener":`, d.Listener)
	b = appendOptional(b, `,"filterChain":`, d.FilterChain)
	b = strconv.AppendInt(append(b, `,"filterChainIndex":`...), int64(d.FilterChainIndex), 10)
	b = appendOptional(b, `,"routeConfig":`, d.RouteConfig)
	b = appendOptional(b, `,"virtualHost":`, d.VirtualHost)
	b = appendOptional(b, `,"route":`, d.Route)
	b = strconv.AppendInt(append(b, `,"routeIndex":`...), int64(d.RouteIndex), 10)
	b = appendOptional(b, `,"cluster":`, d.Cluster)
	b = appendList(b, `,"clusters":`, d.Clusters)
	if d.Rewrite != nil {
		b = appendAny(append(b, `,"rewrite":`...), d.Rewrite)
	}
	b = appendList(b, `,"mirrors":`, d.Mirrors)
	b = appendOptional(b, `,"upstreamProtocol":`, d.UpstreamProtocol)
	b = appendEach(b, `,"endpoints":`, d.Endpoints, (*Host).appendJSON)
	if d.UpstreamTLS != nil {
		b = appendAny(append(b, `,"upstreamTLS":`...), d.UpstreamTLS)
	}
	if len(d.Hops) == 0 {
		return append(appendAny(append(b, `,"hops":`...), d.Hops), '}')
	}
	return append(appendEach(b, `,"hops":`, d.Hops, (*Hop).appendJSON), '}')
}

func (h *Hop) appendJSON(b []byte) []byte {
	b = appendString(append(b, `{"kind":`...), string(h.Kind))
	b = appendOptional(b, `,"side":`, string(h.Side))
	b = appendOptional(b, `,"proxy":`, h.Proxy)
	if h.Inside != 0 {
		b = strconv.AppendInt(append(b, `,"inside":`...), int64(h.Inside), 10)
	}
	b = appendString(append(b, `,"decision":`...), h.Decision)
	b = appendOptional(b, `,"certainty":`, string(h.Certainty))
	b = appendList(b, `,"open":`, h.Open)
	b = appendOptional(b, `,"reason":`, string(h.Reason))
	b = appendList(b, `,"assumptions":`, h.Assumptions)
	b = appendOptional(b, `,"source":`, h.Source)
	b = appendOptional(b, `,"field":`, h.Field)
	b = appendOptional(b, `,"object":`, h.Object)
	b = appendOptional(b, `,"timeout":`, h.Timeout)
	b = appendOptional(b, `,"why":`, h.Why)
	b = appendEach(b, `,"rejected":`, h.Rejected, (*Alternative).appendJSON)
	b = appendList(b, `,"choices":`, h.Choices)
	b = appendEach(b, `,"expect":`, h.Expect, (*Fact).appendJSON)
	return append(appendList(b, `,"conditions":`, h.Conditions), '}')
}

func (a *Alternative) appendJSON(b []byte) []byte {
	b = appendString(append(b, `{"name":`...), a.Name)
	b = appendOptional(b, `,"source":`, a.Source)
	b = appendOptional(b, `,"object":`, a.Object)
	b = appendOptional(b, `,"reason":`, string(a.Reason))
	return append(appendString(append(b, `,"why":`...), a.Why), '}')
}

func (f *Fact) appendJSON(b []byte) []byte {
	b = appendString(append(b, `{"name":`...), f.Name)
	b = appendOptional(b, `,"value":`, f.Value)
	b = appendOptional(b, `,"join":`, f.Join)
	if f.Absent {
		b = append(b, `,"absent":true`...)
	}
	if f.May {
		b = append(b, `,"may":true`...)
	}
	return append(b, '}')
}

func (h *Host) appendJSON(b []byte) []byte {
	b = appendString(append(b, `{"address":`...), h.Address)
	b = strconv.AppendUint(append(b, `,"weight":`...), uint64(h.Weight), 10)
	b = strconv.AppendUint(append(b, `,"priority":`...), uint64(h.Priority), 10)
	b = strconv.AppendBool(append(b, `,"healthy":`...), h.Healthy)
	return append(b, '}')
}

// appendEach appends a field that is an array, or nothing where it is empty.
func appendEach[T any](b []byte, field string, all []T, one func(*T, []byte) []byte) []byte {
	if len(all) == 0 {
		return b
	}
	b = append(append(b, field...), '[')
	for i := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = one(&all[i], b)
	}
	return append(b, ']')
}

// appendList is appendEach for what is rare enough to leave it to encoding/json.
func appendList[T any](b []byte, field string, all []T) []byte {
	if len(all) == 0 {
		return b
	}
	return appendAny(append(b, field...), all)
}

func appendAny(b []byte, v any) []byte {
	w := appender{b}
	encoder := json.NewEncoder(&w)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(v) != nil {
		return append(b, "null"...) // unreachable: the values of this package always encode
	}
	return w.b[:len(w.b)-1] // without the end of the line
}

type appender struct{ b []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}

func appendOptional(b []byte, field, value string) []byte {
	if value == "" {
		return b
	}
	return appendString(append(b, field...), value)
}

// appendString quotes a string as encoding/json does: what JSON has to escape, U+2028 and U+2029,
// and bytes that are no UTF-8 as U+FFFD.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			switch {
			case r == utf8.RuneError && size == 1:
				b = append(append(b, s[start:i]...), `\ufffd`...)
				start = i + size
			case r == '\u2028', r == '\u2029':
				b = append(append(b, s[start:i]...), '\\', 'u', '2', '0', '2', hex[r&0xf])
				start = i + size
			}
			i += size
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, `\b`...)
		case '\f':
			b = append(b, `\f`...)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}
