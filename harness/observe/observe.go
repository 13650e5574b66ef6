// Package observe turns what the instruments of one run recorded into observations. A Recording
// holds the raw evidence; because everything that is seen is read from it, a bundle that keeps
// the Recording can be observed again, and comes to the same observations, on another machine
// and without a cluster.
package observe

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/flowproof/lab/harness/flow"
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
	// Others are more pods that the request could have reached: they were watched because it was
	// not known before which one it would.
	Others []Pod  `json:"others,omitempty"`
	Curl   []byte `json:"-"` // standard error of curl; nil: it was not kept
	// Trace is what eBPF recorded, nil where it did not watch. It holds no secret: what the probes
	// copy of the traffic is redacted when it is understood, and only that is kept.
	Trace *trace.Recording `json:"-"`
	// the socket tables showed that no connection of the way was pooled before the request
	Cold bool `json:"cold,omitempty"`
	Warm bool `json:"warm,omitempty"` // they showed that every worker had one pooled
	// Translated says that the client's address and port were replaced on the way, so that the
	// server's side cannot show them.
	Translated bool `json:"translated,omitempty"`
	// form of the access log that the mesh declares: JSON or TEXT; "": it declares none
	AccessLog string `json:"accessLog,omitempty"`
}

// A Pod is one end of the request with what was recorded there.
type Pod struct {
	Name    string `json:"name"` // "pod.namespace"
	IP      string `json:"ip"`
	Workers int    `json:"workers,omitempty"` // worker threads of its sidecar; 0: unknown
	// Quiet says that the log level was not raised: the log holds the access log, and no debug line
	// was to be expected in it.
	Quiet bool `json:"quiet,omitempty"`
	// LogProblem says why the log is not whole although it reads so: lines were dropped, or
	// Envoy was restarted.
	LogProblem string `json:"logProblem,omitempty"`
	// AccessLogProblem says why the request's line may be missing in the access log.
	AccessLogProblem string `json:"accessLogProblem,omitempty"`

	// Problems say of other instruments why they may not have seen everything here.
	Problems map[flow.Instrument]string `json:"problems,omitempty"`

	// Parts is the raw evidence by the names that the instruments give it; see
	// instrument.Instrument. What is nil was not recorded, and its instrument did not run; what is
	// empty was, and showed nothing.
	Parts map[string][]byte `json:"-"`
}

// Part is a part of what was recorded; nil: it was not.
func (p *Pod) Part(name string) []byte { return p.Parts[name] }

// Keep sets a part of what was recorded; nil takes it away. Copies of the pod keep what they had.
func (p *Pod) Keep(name string, text []byte) {
	parts := maps.Clone(p.Parts)
	if parts == nil {
		parts = map[string][]byte{}
	}
	if parts[name] = text; text == nil {
		delete(parts, name)
	}
	p.Parts = parts
}

// Pods are the pods of the recording: the client, the server, and the others.
func (r *Recording) Pods() []*Pod {
	pods := []*Pod{&r.Client, &r.Server}
	for i := range r.Others {
		pods = append(pods, &r.Others[i])
	}
	return pods
}

// Pod is the pod of the recording that has a name.
func (r *Recording) Pod(name string) (Pod, bool) {
	for _, pod := range r.Pods() {
		if name != "" && pod.Name == name {
			return *pod, true
		}
	}
	return Pod{}, false
}

// Redact takes the secrets out of everything that was recorded. Observations come from what is
// left, so that a bundle's are the same.
func (r *Recording) Redact() {
	hide := func(text []byte) []byte {
		if text == nil {
			return nil
		}
		return []byte(redact.Text(string(text)))
	}
	for _, pod := range r.Pods() {
		parts := map[string][]byte{} // another recording may share the old one
		for name, text := range pod.Parts {
			parts[name] = hide(text)
		}
		pod.Parts = parts
	}
	r.Curl = hide(r.Curl)
}

// Observe reads the recording, without its secrets, with each instrument that ran. The error names
// what could not be read, and comes with what the other instruments saw.
func (r Recording) Observe() ([]flow.Observation, []flow.Watch, error) {
	r.Others = slices.Clone(r.Others)
	r.Redact()
	return r.ObserveRedacted()
}

// ObserveRedacted is Observe of a recording that Redact was called of: taking the secrets out of
// the logs of a busy pod takes longer than reading them.
func (r Recording) ObserveRedacted() ([]flow.Observation, []flow.Watch, error) {
	e := r.evidence()
	var seen []flow.Observation
	var watches []flow.Watch
	var problems []error
	for _, i := range Instruments() {
		observations, watched, err := i.Observe(e)
		seen, watches, problems = append(seen, observations...), append(watches, watched...), append(problems, err)
	}
	return seen, watches, errors.Join(problems...)
}
