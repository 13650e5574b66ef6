// Package curl reads what curl printed about one request: what the client itself was told. It
// sees the address that the name resolved to, both ends of the client's own connection, and the
// status that came back.
package curl

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/redact"
)

// Args are the options to call curl with, before the request's own, so that Parse finds everything:
// -v for the conversation and -w for the numbers, both on standard error (curl 7.63 or later).
// Standard output is the body alone.
func Args() []string { return []string{"-sS", "-v", "-w", format} }

// mark begins the line that -w writes.
const mark = "flowproof-curl: "

const format = "%{stderr}" + mark + "status=%{http_code} version=%{http_version} local=%{local_ip}|%{local_port} " +
	"remote=%{remote_ip}|%{remote_port} namelookup=%{time_namelookup} connect=%{time_connect} " +
	"starttransfer=%{time_starttransfer} total=%{time_total} size=%{size_download}\n"

// A Result is what curl told. What it did not tell is zero.
type Result struct {
	Status  int            // 0: no response came
	Version string         // HTTP version of the response: 1.1, 2
	Local   netip.AddrPort // the client's own end of the connection
	Remote  netip.AddrPort // where the client dialled, before REDIRECT
	Timing  Timing
	Size    int64             // bytes of the body of the answer; -1: not told
	Headers map[string]string // of the response, names in lower case, without secrets
	Failure string            // curl's own error, such as "(56) Recv failure: Connection reset by peer"
	Request Request           // the first that curl sent; of a redirect that it followed too
	Whole   bool              // the line that -w writes at the end is there
	lines   map[string]string // the line of text that each fact was read from
}

// Timing says when each stage of the request was reached, counted from its start.
type Timing struct {
	NameLookup, Connect, StartTransfer, Total time.Duration
}

// Parse reads what curl wrote when it was called with Args, with -v alone, or with -v and -w
// '%{json}' (then the text is standard error followed by standard output). It fails when the text
// holds nothing of curl at all.
func Parse(stderr []byte) (Result, error) {
	r := Result{Size: -1, Headers: map[string]string{}, lines: map[string]string{}}
	scanner := bufio.NewScanner(bytes.NewReader(stderr))
	scanner.Buffer(nil, 1<<20)
	known := false
	for scanner.Scan() {
		text := strings.TrimRight(scanner.Text(), "\r")
		switch {
		case strings.HasPrefix(text, mark):
			r.numbers(strings.TrimPrefix(text, mark), text)
		case strings.HasPrefix(text, "{") && strings.Contains(text, `"http_code":`):
			r.json(text)
		case strings.HasPrefix(text, "< "):
			r.response(text[2:], text)
		case strings.HasPrefix(text, "* "):
			r.connection(text[2:], text)
		case strings.HasPrefix(text, "curl: ("):
			r.Failure = redact.Printable(redact.Text(strings.TrimPrefix(text, "curl: ")))
			r.note("failure", text)
		case strings.HasPrefix(text, "> "):
			r.Request.read(text[2:])
		default:
			continue
		}
		known = true
	}
	if err := scanner.Err(); err != nil {
		return r, fmt.Errorf("read output of curl: %w", err)
	}
	if !known {
		return r, fmt.Errorf("read output of curl: no line of it among %d bytes (call curl with -v)", len(stderr))
	}
	return r, nil
}

// connection reads "Connected to fortio-server (10.96.215.136) port 8080" and, of curl 8.16 and
// later, "Established connection to fortio-server (10.96.215.136 port 8080) from 10.0.0.1 port 5".
func (r *Result) connection(text, line string) {
	rest, ok := strings.CutPrefix(text, "Established connection to ")
	if !ok {
		if rest, ok = strings.CutPrefix(text, "Connected to "); !ok {
			return
		}
	}
	fields := strings.FieldsFunc(rest, func(c rune) bool { return strings.ContainsRune(" ()", c) })
	for i := range fields {
		end, ok := endOf(fields[i:])
		switch {
		case !ok:
		case i > 0 && fields[i-1] == "from":
			r.Local = end
			r.note("local", line)
		default:
			r.Remote = end
			r.note("remote", line)
		}
	}
}

// endOf reads "<ip> port <port>".
func endOf(fields []string) (netip.AddrPort, bool) {
	if len(fields) < 3 || fields[1] != "port" {
		return netip.AddrPort{}, false
	}
	return end(fields[0], fields[2])
}

func end(host, port string) (netip.AddrPort, bool) {
	addr, err := netip.ParseAddr(host)
	n, errPort := strconv.ParseUint(port, 10, 16)
	if err != nil || errPort != nil || n == 0 {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), true
}

// response reads the status line and the headers. An interim response gives way to
// the one that follows.
func (r *Result) response(text, line string) {
	if rest, ok := strings.CutPrefix(text, "HTTP/"); ok {
		fields := strings.Fields(rest)
		if len(fields) < 2 {
			return
		}
		if status, err := strconv.Atoi(fields[1]); err == nil && status >= 100 && status <= 999 {
			r.Version, r.Status = fields[0], status
			r.note("status", line)
		}
		return
	}
	if name, value, ok := strings.Cut(text, ":"); ok && len(r.Headers) < 1000 {
		name = strings.ToLower(name)
		r.Headers[name] = redact.Header(name, strings.TrimSpace(value))
	}
}

// numbers reads what -w wrote.
func (r *Result) numbers(text, line string) {
	r.Whole = true
	for _, field := range strings.Fields(text) {
		name, value, _ := strings.Cut(field, "=")
		host, port, _ := strings.Cut(value, "|")
		switch name {
		case "status":
			if status, err := strconv.Atoi(value); err == nil && status > 0 && status <= 999 {
				r.Status = status
				r.note("status", line)
			}
		case "version":
			if value != "0" {
				r.Version = value
			}
		case "local":
			if e, ok := end(host, port); ok {
				r.Local = e
				r.note("local", line)
			}
		case "remote":
			if e, ok := end(host, port); ok {
				r.Remote = e
				r.note("remote", line)
			}
		case "namelookup":
			r.Timing.NameLookup = seconds(value)
		case "connect":
			r.Timing.Connect = seconds(value)
		case "starttransfer":
			r.Timing.StartTransfer = seconds(value)
		case "total":
			r.Timing.Total = seconds(value)
			r.note("numbers", line)
		case "size":
			if size, err := strconv.ParseInt(value, 10, 64); err == nil && size >= 0 {
				r.Size = size
			}
		}
	}
}

// json reads what -w '%{json}' wrote.
func (r *Result) json(text string) {
	var told struct {
		Status     int         `json:"http_code"`
		Version    string      `json:"http_version"`
		LocalIP    string      `json:"local_ip"`
		LocalPort  json.Number `json:"local_port"`
		RemoteIP   string      `json:"remote_ip"`
		RemotePort json.Number `json:"remote_port"`
		Lookup     json.Number `json:"time_namelookup"`
		Connect    json.Number `json:"time_connect"`
		Start      json.Number `json:"time_starttransfer"`
		Total      json.Number `json:"time_total"`
		Size       json.Number `json:"size_download"`
	}
	if err := json.Unmarshal([]byte(text), &told); err != nil {
		return // cut off: the watch is not complete
	}
	r.numbers(fmt.Sprintf("status=%d version=%s local=%s|%s remote=%s|%s namelookup=%s connect=%s starttransfer=%s "+
		"total=%s size=%s",
		told.Status, told.Version, told.LocalIP, told.LocalPort, told.RemoteIP, told.RemotePort,
		told.Lookup, told.Connect, told.Start, told.Total, told.Size), text)
}

func seconds(text string) time.Duration {
	s, err := strconv.ParseFloat(text, 64)
	if err != nil || s < 0 || s > 1e6 {
		return 0
	}
	return time.Duration(s * float64(time.Second)).Round(time.Microsecond)
}

// note keeps the line that something was read from; the first one is the one that says it in words.
func (r *Result) note(what, line string) {
	if _, ok := r.lines[what]; !ok {
		const most = 4 << 10
		line = redact.Printable(redact.Text(line))
		r.lines[what] = line[:min(len(line), most)]
	}
}

// Observe tells what the client was told: pod is "pod.namespace" of the client, and at is when
// the answer was there.
func Observe(r Result, pod string, at time.Time) ([]flow.Observation, flow.Watch) {
	var seen []flow.Observation
	see := func(what string, kind flow.HopKind, name, value string) {
		seen = append(seen, flow.Observation{Time: at, Instrument: flow.Curl, Where: flow.Where{Pod: pod},
			Side: flow.Client, Kind: kind, Facts: []flow.Seen{{Name: name, Value: value}}, Raw: r.lines[what]})
	}
	w := flow.Watch{Instrument: flow.Curl, Pod: pod, Side: flow.Client, Sees: Instrument{}.Sees()}
	if r.Remote.IsValid() {
		see("remote", flow.Resolve, flow.FactResolved, r.Remote.Addr().String())
		see("remote", flow.Redirect, flow.FactOriginalDst, r.Remote.String())
	}
	if r.Local.IsValid() {
		see("local", flow.Redirect, flow.FactPeer, r.Local.String())
	} else {
		w.Sees = slices.DeleteFunc(w.Sees, func(c flow.Capability) bool { return c.Fact == flow.FactPeer })
	}
	if r.Status > 0 {
		see("status", flow.App, flow.FactStatus, strconv.Itoa(r.Status))
	}
	if r.Timing.Total > 0 {
		see("numbers", flow.App, flow.FactElapsed, r.Timing.Total.String())
	}
	if r.Size >= 0 {
		see("numbers", flow.App, flow.FactBytes, strconv.FormatInt(r.Size, 10))
	}
	if r.Failure != "" {
		see("failure", flow.App, flow.FactFailure, r.Failure)
	}
	w.Complete = r.Whole || r.Status > 0 || r.Failure != ""
	if !w.Complete {
		w.Problem = "curl was cut off: there is neither a response nor an error of curl's"
	}
	return seen, w
}
