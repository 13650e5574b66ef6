// Package spans makes spans of a run: one for the request, one for each sidecar that it passed, and
// in them one for each hop and each call of an HTTP filter, with the times at which they were seen.
// They are written in the forms that viewers of traces read: OTLP/JSON, and Chrome's Trace Event
// Format. It decides nothing.
package spans

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/harness/page"
	"github.com/flowproof/lab/harness/verify"
)

// A Trace is the spans of one request. The first is the request itself.
type Trace struct {
	ID     string // 32 hexadecimal digits
	Parent string // 16 hexadecimal digits: the span that the request itself was sent in; "": none
	Spans  []Span
}

// A Span is one part of a request's way.
type Span struct {
	ID      string // 16 hexadecimal digits
	Parent  string // ID of another span; "": the trace's
	Service string // whose it is: the pod with its namespace
	Name    string
	Lane    string // what it stands beside where spans are drawn on lanes
	Kind    Kind
	Begin   time.Time
	End     time.Time
	// Untimed says that no instrument gave the time: it is that of the hop before.
	Untimed    bool
	Failed     string // why it is an error; "": it is none
	Attributes []Attribute
}

// An Attribute says one thing about a span.
type Attribute struct{ Key, Value string }

// A Kind is OpenTelemetry's kind of a span (SpanKind of opentelemetry/proto/trace/v1/trace.proto).
type Kind int

// The kinds that a run has.
const (
	Internal Kind = 1
	Server   Kind = 2
	Client   Kind = 3
)

// Of makes the spans of a run. recording may be nil: then there are none of filters.
func Of(run flow.Run, verdict flow.RunVerdict, recording *observe.Recording) Trace {
	b := builder{run: run, verdict: verdict, sidecars: map[string]string{}}
	var events *trace.Recording
	if recording != nil {
		events = recording.Trace
	}
	b.trace.ID, b.trace.Parent = parentOf(run.Call, events)
	parent := b.root()
	for begin, end := range run.Path.Stretches() {
		parent = b.sidecar(begin, end, parent)
	}
	if events != nil {
		b.filters(events)
	}
	b.close()
	return b.trace
}

// A builder makes the spans of one run.
type builder struct {
	run      flow.Run
	verdict  flow.RunVerdict
	trace    Trace
	sidecars map[string]string // ids by side and proxy
	last     time.Time
}

// add keeps a span under an id of its own.
func (b *builder) add(s Span) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %s %s", b.trace.ID, len(b.trace.Spans), s.Service, s.Name))
	s.ID = hex.EncodeToString(sum[:8])
	b.trace.Spans = append(b.trace.Spans, s)
	return s.ID
}

// root is the request as its client sees it.
func (b *builder) root() string {
	call, answer := b.run.Call, verify.Answered(b.run)
	service := call.From
	if call.Namespace != "" {
		service += "." + call.Namespace
	}
	method := cmp.Or(call.Method, "GET")
	s := Span{
		Service: service,
		Name:    method + " " + call.URL,
		Lane:    "request",
		Kind:    Client,
		Begin:   b.run.Sent,
		End:     b.run.Answered,
		Attributes: []Attribute{
			{"http.request.method", method},
			{"url.full", call.URL},
			{"flowproof.result", string(b.verdict.Result)},
			{"flowproof.summary", verify.Summary(b.verdict)},
			{"flowproof.answer", verify.AnswerText(answer)},
		},
	}
	if call.RequestID != "" {
		s.Attributes = append(s.Attributes, Attribute{"http.request.header.x-request-id", call.RequestID})
	}
	if answer.Status > 0 {
		s.Attributes = append(s.Attributes, Attribute{"http.response.status_code", fmt.Sprint(answer.Status)})
	}
	if answer.Failed() {
		s.Failed = verify.AnswerText(answer)
	}
	b.last = s.Begin
	return b.add(s)
}

// sidecar makes the span of one proxy, and those of its hops.
func (b *builder) sidecar(begin, end int, parent string) string {
	first := b.run.Path.Hops[begin]
	name, kind := "proxy", Internal
	if first.Side != "" {
		name = string(first.Side) + "'s sidecar"
	}
	if first.Side == flow.Server {
		kind = Server
	}
	id := b.add(Span{Parent: parent, Service: first.Proxy, Name: name, Lane: "sidecar", Kind: kind, Untimed: true})
	b.sidecars[string(first.Side)+" "+first.Proxy] = id
	for i := begin; i < end; i++ {
		b.hop(i, id)
	}
	return id
}

// hop makes the span of one hop, by the times of what its verdict rests on.
func (b *builder) hop(i int, parent string) {
	h := b.run.Path.Hops[i]
	s := Span{Parent: parent, Service: h.Proxy, Name: string(h.Kind), Lane: string(h.Kind), Kind: Internal,
		Attributes: []Attribute{
			{"flowproof.decision", h.Decision},
			{"flowproof.why", h.Why},
			{"flowproof.field", h.Source},
		}}
	v := slices.IndexFunc(b.verdict.Hops, func(v flow.HopVerdict) bool { return v.Hop == i })
	if v >= 0 {
		hop := b.verdict.Hops[v]
		s.Attributes = append(
			s.Attributes,
			Attribute{"flowproof.verdict", string(hop.State)},
			Attribute{"flowproof.reason", hop.Reason},
			Attribute{"flowproof.seen_by", strings.Join(witnesses(hop), ", ")},
		)
		if hop.State == flow.Refuted {
			s.Failed = hop.Reason
		}
		s.Begin, s.End = b.times(hop)
	}
	if s.Begin.IsZero() {
		s.Begin, s.End, s.Untimed = b.last, b.last, true
	}
	b.last = s.End
	s.Attributes = slices.DeleteFunc(s.Attributes, func(a Attribute) bool { return a.Value == "" })
	b.add(s)
}

// times are when a hop was first and last seen: by eBPF, whose times are exact to the microsecond,
// or else by Envoy's debug log.
func (b *builder) times(v flow.HopVerdict) (begin, end time.Time) {
	for _, instrument := range []flow.Instrument{flow.Trace, flow.EnvoyLog} {
		for _, e := range v.Evidence {
			if e.Instrument != instrument || e.Observation < 0 || e.Observation >= len(b.run.Observations) {
				continue
			}
			at := b.run.Observations[e.Observation].Time
			if at.IsZero() {
				continue
			}
			if begin.IsZero() || at.Before(begin) {
				begin = at
			}
			if at.After(end) {
				end = at
			}
		}
		if !begin.IsZero() {
			return begin, end
		}
	}
	return begin, end
}

func witnesses(v flow.HopVerdict) []string {
	var all []string
	for _, e := range v.Evidence {
		if name := string(e.Instrument); !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// filters makes the spans of the calls of HTTP filters.
func (b *builder) filters(r *trace.Recording) {
	steps, _ := r.FilterSteps(trace.Selection{RequestID: b.run.Call.RequestID})
	for _, step := range page.NameSteps(b.run.Path, steps) {
		s := Span{
			Parent:     b.sidecars[string(step.Side)+" "+step.Pod],
			Service:    step.Pod,
			Name:       step.Name + ": " + step.Call,
			Lane:       "filters",
			Kind:       Internal,
			Begin:      step.Begin,
			End:        step.End,
			Attributes: []Attribute{{"flowproof.filter", step.Name}, {"flowproof.given", step.Call}},
		}
		if remark := step.Remark(); remark != "" {
			s.Attributes = append(s.Attributes, Attribute{"flowproof.remark", remark})
		}
		b.add(s)
	}
}

// close gives every span that holds others the time of all of them, and the request the time of
// everything.
func (b *builder) close() {
	spans := b.trace.Spans
	at := map[string]int{}
	for i, s := range spans {
		at[s.ID] = i
	}
	for i := len(spans) - 1; i > 0; i-- {
		p, ok := at[spans[i].Parent]
		if !ok || spans[i].Begin.IsZero() {
			continue
		}
		parent := &spans[p]
		if parent.Begin.IsZero() || spans[i].Begin.Before(parent.Begin) {
			parent.Begin = spans[i].Begin
		}
		if spans[i].End.After(parent.End) {
			parent.End = spans[i].End
		}
	}
	for i := range spans { // what was never seen is where the request is
		if spans[i].Begin.IsZero() {
			spans[i].Begin, spans[i].End = spans[0].Begin, spans[0].Begin
		}
		if spans[i].End.Before(spans[i].Begin) {
			spans[i].End = spans[i].Begin
		}
	}
}
