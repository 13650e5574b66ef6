package spans

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"
)

// A traceEvent is one event of Chrome's Trace Event Format, which Perfetto and chrome://tracing
// open: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU.
type traceEvent struct {
	Name     string            `json:"name"`
	Category string            `json:"cat,omitempty"`
	Phase    string            `json:"ph"` // X: complete, M: metadata, s and f: a flow begins and ends
	Time     float64           `json:"ts"` // µs
	Took     *float64          `json:"dur,omitempty"`
	Process  int               `json:"pid"`
	Thread   int               `json:"tid"`
	ID       int               `json:"id,omitempty"`
	Bind     string            `json:"bp,omitempty"`
	Args     map[string]string `json:"args,omitempty"`
}

// Perfetto writes the trace in the Trace Event Format: a process for each pod, a thread for
// each lane of spans, a complete event for each span, and a flow from the sidecar that dials to
// the one that accepts.
func (t Trace) Perfetto(w io.Writer) error {
	p := perfetto{events: []traceEvent{},
		processes: map[string]int{}, lanes: map[string]int{}, free: map[string][]time.Time{}}
	for _, s := range t.Spans {
		if p.start.IsZero() || s.Begin.Before(p.start) {
			p.start = s.Begin
		}
	}
	order := slices.Clone(t.Spans)
	slices.SortStableFunc(order, func(a, b Span) int { return cmp.Or(a.Begin.Compare(b.Begin), b.End.Compare(a.End)) })
	places := map[string]traceEvent{}
	for _, s := range order {
		places[s.ID] = p.span(s)
	}
	p.flows(t, places)
	encoder := json.NewEncoder(w)
	err := encoder.Encode(struct {
		Unit   string            `json:"displayTimeUnit"`
		Events []traceEvent      `json:"traceEvents"`
		Other  map[string]string `json:"otherData"`
	}{"ms", p.events, map[string]string{"traceId": t.ID, "begin": p.start.UTC().Format(time.RFC3339Nano)}})
	if err != nil {
		return fmt.Errorf("write trace events: %w", err)
	}
	return nil
}

// perfetto lays one trace out.
type perfetto struct {
	start     time.Time
	events    []traceEvent
	processes map[string]int
	lanes     map[string]int         // thread ids by process and lane
	free      map[string][]time.Time // when the lanes of a name are free again
}

func (p *perfetto) since(t time.Time) float64 { return float64(t.Sub(p.start).Nanoseconds()) / 1000 }

// span places a span on the first lane of its kind that is free: on one thread complete events may
// nest, and must not overlap.
func (p *perfetto) span(s Span) traceEvent {
	pid, known := p.processes[s.Service]
	if !known {
		pid = len(p.processes) + 1
		p.processes[s.Service] = pid
		p.events = append(
			p.events,
			traceEvent{Name: "process_name", Phase: "M", Process: pid, Args: map[string]string{"name": s.Service}},
		)
	}
	kind := fmt.Sprintf("%d %s", pid, s.Lane)
	n := slices.IndexFunc(p.free[kind], func(end time.Time) bool { return !end.After(s.Begin) })
	if n < 0 {
		n = len(p.free[kind])
		p.free[kind] = append(p.free[kind], time.Time{})
	}
	p.free[kind][n] = s.End.Add(1) // one of no length takes its place too
	lane := fmt.Sprintf("%s %d", kind, n)
	tid, known := p.lanes[lane]
	if !known {
		tid = len(p.lanes) + 1
		p.lanes[lane] = tid
		name := s.Lane
		if n > 0 {
			name = fmt.Sprintf("%s (%d)", s.Lane, n+1)
		}
		p.events = append(
			p.events,
			traceEvent{
				Name:    "thread_name",
				Phase:   "M",
				Process: pid,
				Thread:  tid,
				Args:    map[string]string{"name": name},
			},
		)
	}
	args := map[string]string{}
	for _, a := range s.Attributes {
		args[a.Key] = a.Value
	}
	if s.Failed != "" {
		args["error"] = s.Failed
	}
	took := p.since(s.End) - p.since(s.Begin)
	e := traceEvent{
		Name:     s.Name,
		Category: s.Lane,
		Phase:    "X",
		Time:     p.since(s.Begin),
		Took:     &took,
		Process:  pid,
		Thread:   tid,
		Args:     args,
	}
	p.events = append(p.events, e)
	return e
}

// flows joins each sidecar's hop connect with the sidecar that comes next.
func (p *perfetto) flows(t Trace, places map[string]traceEvent) {
	var dialled *traceEvent
	id := 0
	for _, s := range t.Spans {
		at := places[s.ID]
		switch s.Lane {
		case "connect":
			dialled = &at
		case "sidecar":
			if dialled == nil {
				continue
			}
			id++
			// A flow begins and ends at times that lie in the slices that it joins.
			begin := traceEvent{Name: "connection", Category: "flow", Phase: "s", ID: id,
				Time: dialled.Time, Process: dialled.Process, Thread: dialled.Thread}
			end := traceEvent{Name: begin.Name, Category: begin.Category, Phase: "f", Bind: "e", ID: id,
				Time: max(at.Time, dialled.Time), Process: at.Process, Thread: at.Thread}
			p.events = append(p.events, begin, end)
			dialled = nil
		}
	}
}
