package trace

import (
	"slices"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/flow"
)

// A FilterStep is what one call of an HTTP filter took, by the statement that Envoy's filter
// manager makes after each (source/common/http/filter_manager.cc). The statement's format is known
// and its values are not, so a step has its place in the order of the calls and no name;
// flow.HTTPFilters of the configuration in their order give the names.
type FilterStep struct {
	Side flow.Side `json:"side"`
	Pod  string    `json:"pod"`
	// Call is what the filter was given: decode headers, encode data and the like.
	Call string `json:"call"`
	// Place is the filter's place among those that were given the same, from 0. Envoy encodes in
	// the opposite order.
	Place int `json:"place"`
	// Upstream says that it is a filter of the upstream request.
	Upstream bool `json:"upstream,omitempty"`
	// Within says that the time is a part of another step's: a filter of the upstream request runs
	// while the router does, and an answer is encoded while the filter runs that gives it.
	Within bool `json:"within,omitempty"`
	// Begin is when the step before ended, End when the filter returned. Between them also stands
	// what Envoy did before the call.
	Begin time.Time `json:"begin"`
	End   time.Time `json:"end"`
	// Held is how long the request waited after the filter, until the chain went on; 0: it
	// did not stop there.
	Held time.Duration `json:"held,omitempty"`
	// Stopped says that no later filter was given the request: the filter answered
	// it, or it waits still.
	Stopped bool `json:"stopped,omitempty"`
}

// Took is the time of the step.
func (s FilterStep) Took() time.Duration { return s.End.Sub(s.Begin) }

// Words of the filter manager's statements.
const (
	wordCalled   = " called: filter="
	wordContinue = "continuing filter chain: filter="
	wordLocal    = "iteration aborted due to local reply"
	callDecode   = "decode headers"
	decodePrefix = "decode "
	encodePrefix = "encode "
	// the most that a probe on a statement takes, as bpf/envoy/README.md measured it
	statementSpan = 3 * time.Microsecond
)

// FilterSteps are the calls of HTTP filters for the request, the client's sidecar first. statements
// says how many log statements were traced meanwhile: each cost the request some of its time,
// StatementCost at most.
func (r *Recording) FilterSteps(sel Selection) (steps []FilterStep, statements int) {
	j := newJournal(r.Events)
	o := &observer{recording: r, journal: j, chain: j.follow(r, sel)}
	for _, end := range []struct {
		side     flow.Side
		down, up *socket
	}{{flow.Client, o.chain.downstream, o.chain.upstream}, {flow.Server, o.chain.serverDown, o.chain.serverUp}} {
		if end.down == nil {
			continue
		}
		served := o.servedOf(end.side, end.down, end.up)
		for _, e := range served {
			if e.Kind == Statement {
				statements++
			}
		}
		steps = append(steps, stepsOf(end.side, served)...)
	}
	return steps, statements
}

// StatementCost is the most that n traced statements take of a request's time, as
// bpf/envoy/README.md measured it.
func StatementCost(n int) time.Duration { return time.Duration(n) * statementSpan }

// servedOf is what Envoy did for the request on both of its connections, in order of time: from
// where its headers are complete.
func (o *observer) servedOf(side flow.Side, down, up *socket) []*Event {
	stream := o.stream(side, down)
	if len(stream) == 0 || up == nil {
		return stream
	}
	begin, thread := stream[0].Time, stream[0].TID
	next := slices.IndexFunc(down.statements, func(e *Event) bool {
		return e.Text == headersComplete && e.Time.After(begin)
	})
	all := slices.Clone(stream)
	for _, e := range up.statements {
		if e.TID == thread && e.Time.After(begin) && (next < 0 || e.Time.Before(down.statements[next].Time)) &&
			!slices.Contains(all, e) {
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b *Event) int { return a.Time.Compare(b.Time) })
	return all
}

// callOf is what a filter was given, of the statement after its call; "" of another statement.
func callOf(e *Event) string {
	text := strings.TrimPrefix(e.Text, "{}")
	call, _, ok := strings.Cut(text, wordCalled)
	if e.Kind != Statement || !ok || !strings.HasPrefix(call, decodePrefix) && !strings.HasPrefix(call, encodePrefix) {
		return ""
	}
	return call
}

// stepsOf reads the calls of one sidecar in their order.
func stepsOf(side flow.Side, served []*Event) []FilterStep {
	w := &stepper{side: side, router: routerCall(served), places: map[string]int{}}
	for i, e := range served {
		switch call := callOf(e); {
		case i == 0:
			w.begin, w.last = e.Time, e.Time
		case e.Text == headersRouted:
			w.routed, w.inner = true, e.Time
		case e.Kind == Statement && strings.Contains(e.Text, wordContinue):
			w.goesOn(e)
		case e.Kind == Statement && strings.Contains(e.Text, wordLocal):
			w.answers()
		case call != "":
			w.called(call, e, served[i-1].Time)
		}
	}
	return w.steps
}

// routerCall is the statement after the router's own call: the last of its kind before anything is
// encoded. What is called after the router's own statement and before that are the filters of the
// upstream request. nil where the router was not reached.
func routerCall(served []*Event) (router *Event) {
	routed := false
	for _, e := range served {
		switch call := callOf(e); {
		case e.Text == headersRouted:
			routed = true
		case strings.HasPrefix(call, encodePrefix):
			return router
		case call == callDecode && routed:
			router = e
		}
	}
	return router
}

type stepper struct {
	side   flow.Side
	router *Event
	answer bool // the next filter that is told of gave the answer
	places map[string]int
	steps  []FilterStep
	begin  time.Time // of the request
	last   time.Time // when the last step of the chain ended, or it went on
	inner  time.Time // the same of the upstream request's
	routed bool
}

// called adds a step. The first that encodes begins where the response is taken up:
// at the event before.
func (w *stepper) called(call string, e *Event, before time.Time) {
	encodes := strings.HasPrefix(call, encodePrefix)
	s := FilterStep{Side: w.side, Pod: e.Pod, Call: call, Begin: w.last, End: e.Time}
	s.Upstream = !encodes && w.routed && call == callDecode && e != w.router
	s.Within = s.Upstream
	key := call
	if s.Upstream {
		s.Begin, key = w.inner, "upstream "+call
	}
	s.Place = w.places[key]
	w.places[key]++
	if n := len(w.steps); encodes && s.Place == 0 {
		s.Begin = before
		if n > 0 && !w.routed && strings.HasPrefix(w.steps[n-1].Call, decodePrefix) {
			w.steps[n-1].Stopped = true
		}
	}
	if w.answer && !encodes {
		s.Begin, s.Stopped, w.answer = w.decoded(), true, false
	}
	if s.Upstream {
		w.inner = e.Time
	} else {
		w.last = e.Time
	}
	w.steps = append(w.steps, s)
}

// goesOn notes that the chain goes on after a filter that had stopped it: the last that was called,
// or the last of the upstream request's once the router has been called.
func (w *stepper) goesOn(e *Event) {
	for i := len(w.steps) - 1; i >= 0; i-- {
		if w.steps[i].Upstream == w.routed {
			w.steps[i].Held = e.Time.Sub(w.steps[i].End)
			break
		}
	}
	if w.routed {
		w.inner = e.Time
	} else {
		w.last = e.Time
	}
}

// answers notes that the filter which is told of next gave an answer while it ran: what was encoded
// so far is that answer, and the filter before did not stop.
func (w *stepper) answers() {
	w.answer = true
	for i := len(w.steps) - 1; i >= 0; i-- {
		if !strings.HasPrefix(w.steps[i].Call, encodePrefix) {
			w.steps[i].Stopped = false
			return
		}
		w.steps[i].Within = true
	}
}

// decoded is when the last filter of the chain that decoded was done, or when the
// request was complete.
func (w *stepper) decoded() time.Time {
	for i := len(w.steps) - 1; i >= 0; i-- {
		if s := w.steps[i]; !s.Within && strings.HasPrefix(s.Call, decodePrefix) {
			return s.End.Add(s.Held)
		}
	}
	return w.begin
}
