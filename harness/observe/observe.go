// Package observe turns what the instruments of one run recorded into observations. A Recording holds the raw evidence;
// because everything that is seen is read from it, a bundle that keeps the Recording can be observed again, and comes to
// the same observations, on another machine and without a cluster.
package observe

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/curl"
	"github.com/flowproof/lab/harness/observe/envoylog"
	"github.com/flowproof/lab/harness/observe/sockets"
	"github.com/flowproof/lab/harness/observe/stats"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/internal/redact"
)

// A Recording is what the log, the socket tables and the client printed around one request.
type Recording struct {
	RequestID string    `json:"requestId"`           // x-request-id that the request was sent with
	Authority string    `json:"authority,omitempty"` // finds the request where its id was replaced
	Path      string    `json:"path,omitempty"`
	Port      uint16    `json:"port"` // that the server's app listens on
	Sent      time.Time `json:"sent,omitzero"`
	Answered  time.Time `json:"answered,omitzero"`
	Client    Pod       `json:"client"`
	Server    Pod       `json:"server"`
	Curl      []byte    `json:"-"` // standard error of curl; nil: it was not kept
	// Trace is what eBPF recorded, nil where it did not watch. It holds no secret: what the probes copy of the traffic is redacted
	// when it is understood, and only that is kept.
	Trace *trace.Recording `json:"-"`
	Cold  bool             `json:"cold,omitempty"` // the socket tables showed that no connection of the way was pooled before the request
	Warm  bool             `json:"warm,omitempty"` // they showed that every worker had one pooled
	// Translated says that the client's address and port were replaced on the way, so that the server's side cannot show them.
	Translated bool   `json:"translated,omitempty"`
	AccessLog  string `json:"accessLog,omitempty"` // form of the access log that the mesh declares: JSON or TEXT; "": it declares none
}

// A Pod is one end of the request with what was recorded there. What is nil was not recorded, and its instrument did not
// run; what is empty was, and showed nothing.
type Pod struct {
	Name    string `json:"name"` // "pod.namespace"
	IP      string `json:"ip"`
	Workers int    `json:"workers,omitempty"` // worker threads of its sidecar; 0: unknown
	// Quiet says that nobody raised the log level: the log holds the access log, and no debug line was to be expected in it.
	Quiet bool `json:"quiet,omitempty"`
	// LogProblem says why the log is not whole although it reads so: lines were dropped, or Envoy was restarted.
	LogProblem string `json:"logProblem,omitempty"`
	// AccessLogProblem says why the request's line may be missing in the access log.
	AccessLogProblem string `json:"accessLogProblem,omitempty"`

	Log         []byte `json:"-"`
	Before      []byte `json:"-"` // socket table before the request
	After       []byte `json:"-"` // socket table after it
	StatsBefore []byte `json:"-"` // the sidecar's /stats before the request
	StatsAfter  []byte `json:"-"` // the same after it

	NetfilterBefore Netfilter `json:"-"` // before the request
	NetfilterAfter  Netfilter `json:"-"` // after it
}

// texts returns everything that was recorded of the pod as text.
func (p *Pod) texts() []*[]byte {
	return []*[]byte{&p.Log, &p.Before, &p.After, &p.StatsBefore, &p.StatsAfter,
		&p.NetfilterBefore.Rules, &p.NetfilterBefore.Conntrack, &p.NetfilterAfter.Rules, &p.NetfilterAfter.Conntrack}
}

// Redact takes the secrets out of everything that was recorded. Observations come from what is left, so that a bundle's
// are the same.
func (r *Recording) Redact() {
	for _, text := range append(append(r.Client.texts(), r.Server.texts()...), &r.Curl) {
		if *text != nil {
			*text = []byte(redact.Text(string(*text)))
		}
	}
}

// Observe reads the recording with each instrument that ran. The error names what could not be read, and comes with
// what the other instruments saw.
func (r Recording) Observe() ([]flow.Observation, []flow.Watch, error) {
	r.Redact()
	var seen []flow.Observation
	var watches []flow.Watch
	var problems []error
	if r.Curl != nil {
		result, err := curl.Parse(r.Curl)
		problems = append(problems, err)
		observations, watch := curl.Observe(result, r.Client.Name, r.Answered)
		seen, watches = append(seen, observations...), append(watches, watch)
	}
	for _, side := range []flow.Side{flow.Client, flow.Server} {
		for _, read := range []func(flow.Side) ([]flow.Observation, []flow.Watch, error){r.log, r.stats, r.accessLog, r.netfilter} {
			observations, watch, err := read(side)
			problems = append(problems, err)
			seen, watches = append(seen, observations...), append(watches, watch...)
		}
	}
	observations, tables, err := r.sockets()
	events, probes := r.trace()
	return slices.Concat(seen, observations, events), slices.Concat(watches, tables, probes), errors.Join(append(problems, err)...)
}

func (r Recording) pod(side flow.Side) Pod {
	if side == flow.Client {
		return r.Client
	}
	return r.Server
}

// log observes one sidecar's log.
func (r Recording) log(side flow.Side) ([]flow.Observation, []flow.Watch, error) {
	pod := r.pod(side)
	if pod.Log == nil || pod.Quiet {
		return nil, nil, nil
	}
	lines, err := envoylog.ReadAll(bytes.NewReader(pod.Log))
	if err != nil {
		err = fmt.Errorf("read log of %s: %w", pod.Name, err)
	}
	seen, watch := envoylog.Observe(lines, envoylog.Selection{RequestID: r.RequestID, Authority: r.Authority, Path: r.Path,
		Pod: pod.Name, Side: side, Peer: r.peer(side), Workers: pod.Workers, Since: r.Sent, Until: r.Answered,
		Cold: r.Cold && side == flow.Server, Warm: r.Warm && side == flow.Server, AccessLog: r.AccessLog != ""}) // what must be absent is written down for the server's side alone
	if pod.LogProblem != "" {
		watch.Complete, watch.Problem = false, pod.LogProblem
	}
	return seen, []flow.Watch{watch}, err
}

// peer is the client's own end of its connection, at the sidecar that takes it: its own, or the server's where the client
// has none.
func (r Recording) peer(side flow.Side) string {
	if r.Curl == nil || r.Translated || side == flow.Server && r.Client.Log != nil {
		return ""
	}
	if told, err := curl.Parse(r.Curl); err == nil && told.Local.IsValid() {
		return told.Local.String()
	}
	return ""
}

// stats observes one sidecar's counters. Without those before the request nothing can be told.
func (r Recording) stats(side flow.Side) ([]flow.Observation, []flow.Watch, error) {
	pod := r.pod(side)
	if pod.StatsBefore == nil || pod.StatsAfter == nil {
		return nil, nil, nil
	}
	before, err := stats.Parse(bytes.NewReader(pod.StatsBefore))
	after, errAfter := stats.Parse(bytes.NewReader(pod.StatsAfter))
	seen, watch := stats.Observe(before, after, stats.Selection{Pod: pod.Name, Side: side, Time: r.Answered})
	if err = errors.Join(err, errAfter); err != nil {
		return nil, []flow.Watch{{Instrument: flow.Stats, Pod: pod.Name, Side: side, Problem: err.Error()}}, fmt.Errorf("%s: %w", pod.Name, err)
	}
	return seen, []flow.Watch{watch}, nil
}

// sockets observes the socket tables of both pods together, because the two ends of a connection are in different ones.
func (r Recording) sockets() ([]flow.Observation, []flow.Watch, error) {
	if r.Client.After == nil && r.Server.After == nil {
		return nil, nil, nil
	}
	var problems []error
	read := func(what string, text []byte) []sockets.Row {
		if text == nil {
			return nil
		}
		rows, err := sockets.Parse(bytes.NewReader(text))
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", what, err))
			return nil
		}
		return rows
	}
	address := func(pod Pod) sockets.Pod {
		ip, err := netip.ParseAddr(pod.IP)
		if err != nil && pod.Name != "" {
			problems = append(problems, fmt.Errorf("read address of %s: %w", pod.Name, err))
		}
		return sockets.Pod{Name: pod.Name, IP: ip.Unmap()}
	}
	tables := sockets.Tables{Time: r.Answered,
		ClientBefore: read("client before", r.Client.Before), ClientAfter: read("client after", r.Client.After),
		ServerBefore: read("server before", r.Server.Before), ServerAfter: read("server after", r.Server.After)}
	seen, watches := sockets.Observe(tables, sockets.Selection{Client: address(r.Client), Server: address(r.Server), Port: r.Port, Peer: r.peer(flow.Client)})
	watches = slices.DeleteFunc(watches, func(w flow.Watch) bool { return r.pod(w.Side).After == nil })
	return seen, watches, errors.Join(problems...)
}
