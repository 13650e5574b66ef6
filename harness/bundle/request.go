package bundle

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/accesslog"
	"github.com/flowproof/lab/harness/observe/curl"
	"github.com/flowproof/lab/harness/observe/instrument"
	"github.com/flowproof/lab/internal/redact"
)

// ownHeaders are what curl sends by itself, or from options that name no header. Runs from before
// inference was told of them do not say which.
var ownHeaders = []string{"host", "user-agent", "accept", "accept-encoding", "content-length", "content-type",
	"content-range", "expect",
	"connection", "upgrade", "http2-settings", "te", "transfer-encoding", "x-request-id",
	"authorization", "cookie", "referer", "range",
	"if-modified-since", "proxy-authorization", "proxy-connection", "sec-websocket-key", "sec-websocket-version"}

// requestProblems holds the call against what the client itself said that it sent, and against what
// each sidecar wrote of it into its access log.
func (c Contents) requestProblems(run flow.Run) []string {
	if c.Recording == nil {
		return nil
	}
	target, err := run.Call.Parsed()
	if err != nil {
		return []string{fmt.Sprintf("bundle: %s: the URL of the call: %v", runFile, err)}
	}
	p := &requestCheck{call: run.Call, untold: run.Untold, target: target}
	if c.Recording.Curl != nil {
		p.curl(c.Recording.Curl)
	}
	p.accessLog(c.Recording.Client.Name, c.Recording.Client.Part(instrument.LogText))
	if c.Recording.Client.Part(instrument.LogText) == nil { // else the client's sidecar may have rewritten the request
		p.accessLog(c.Recording.Server.Name, c.Recording.Server.Part(instrument.LogText))
	}
	return p.problems
}

type requestCheck struct {
	call     flow.Call
	untold   []string // that the run says of it
	target   *url.URL
	problems []string
}

// same holds one thing that the call says against what was seen of it.
func (p *requestCheck) same(where, what, called, seen string) {
	if !sameText(called, seen) {
		p.problems = append(p.problems,
			fmt.Sprintf("bundle: the request that was judged has the %s %q, and %s shows %q", what,
				called, where, seen))
	}
}

func (p *requestCheck) curl(text []byte) {
	told, err := curl.Parse(text)
	if err != nil || !told.Request.Sent() {
		return // without a connection curl sends nothing; that its account is unreadable has been said
	}
	sent := told.Request
	p.same(curlFile, "method", first(p.call.Method, "GET"), sent.Method)
	p.same(curlFile, "path", redact.Text(p.call.Target()), sent.Target)
	p.same(curlFile, "authority", p.authority(), sent.Headers["host"])
	p.same(curlFile, "x-request-id", p.requestID(), sent.Headers["x-request-id"])
	if p.call.Own != nil {
		if len(p.untold) == 0 { // else the verdict says it
			for _, problem := range curl.Untold(p.call, sent) {
				p.problems = append(p.problems, "bundle: "+curlFile+": "+problem)
			}
		}
		return
	}
	for _, name := range slices.Sorted(maps.Keys(p.call.Headers)) {
		if name = strings.ToLower(name); name != "x-request-id" {
			p.same(curlFile, "header "+name, curl.Joined(name, p.call.Headers[name]), sent.Headers[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(sent.Headers)) {
		if _, called := p.call.Headers[name]; !called && !slices.Contains(ownHeaders, name) {
			p.same(curlFile, "header "+name, "", sent.Headers[name])
		}
	}
}

// authority is the Host header that the call is sent with. curl leaves the default
// port of the scheme out.
func (p *requestCheck) authority() string {
	if host := p.call.Headers.Get("host"); host != "" {
		return host
	}
	host := p.target.Host
	for scheme, port := range map[string]string{"http": ":80", "https": ":443"} {
		if p.target.Scheme == scheme {
			host = strings.TrimSuffix(host, port)
		}
	}
	return host
}

func (p *requestCheck) requestID() string {
	if id := p.call.Headers.Get("x-request-id"); id != "" {
		return id
	}
	return p.call.RequestID
}

// accessLog looks for the request's line by its id, and compares what Envoy wrote of the
// request as it came.
func (p *requestCheck) accessLog(pod string, log []byte) {
	lines := accesslog.Of(log, p.call.RequestID)
	if len(lines) == 0 {
		return
	}
	for _, member := range []struct{ name, what, called string }{
		{"method", "method", first(p.call.Method, "GET")}, {"path", "path", redact.Text(p.call.Target())},
		{"authority", "authority", p.authority()},
	} {
		if seen, known := lines[0].Get(member.name); known && seen != "" {
			p.same("the access log of "+pod, member.what, member.called, seen)
		}
	}
}

// sameText compares two texts of which a part may have been taken out as a secret, in either: that
// part is then as good as any.
func sameText(a, b string) bool {
	if a == b {
		return true
	}
	return redact.Fits(a, b) || redact.Fits(b, a)
}
