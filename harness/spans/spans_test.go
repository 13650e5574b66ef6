package spans

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/bundle"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/verify"
)

// recorded is the run that is kept with the bundles' tests.
func recorded(t testing.TB) (flow.Run, flow.RunVerdict, *observe.Recording) {
	t.Helper()
	return recordedAs(t, "inbound")
}

func recordedAs(t testing.TB, name string) (flow.Run, flow.RunVerdict, *observe.Recording) {
	t.Helper()
	c, err := bundle.Read(t.Context(), "../bundle/testdata/"+name)
	if err != nil {
		t.Fatal(err)
	}
	run, _, err := bundle.Judge(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return run, verify.Judge(run), c.Recording
}

// TestSpans holds the shape of a run's spans: one request, two sidecars, a span for each
// hop and each call of a filter, each within the one that holds it, and in the order in
// which things happened.
func TestSpans(t *testing.T) {
	run, verdict, recording := recorded(t)
	trace := Of(run, verdict, recording)
	byID := map[string]Span{}
	names := map[string]int{}
	for _, s := range trace.Spans {
		if byID[s.ID].ID != "" || len(s.ID) != 16 {
			t.Errorf("the id %q of %s is another's, or none", s.ID, s.Name)
		}
		byID[s.ID] = s
		names[s.Lane]++
		if s.Begin.IsZero() || s.End.Before(s.Begin) {
			t.Errorf("%s is from %s to %s", s.Name, s.Begin, s.End)
		}
	}
	if names["sidecar"] != 2 || names["filters"] < 10 || len(trace.Spans) != 1+2+len(run.Path.Hops)+names["filters"] {
		t.Errorf("%d spans: %v", len(trace.Spans), names)
	}
	timed := 0
	for _, s := range trace.Spans[1:] {
		p, ok := byID[s.Parent]
		if !ok || s.Begin.Before(p.Begin) || s.End.After(p.End) {
			t.Errorf("%s of %s does not lie in %s", s.Name, s.Service, p.Name)
		}
		if !s.Untimed {
			timed++
		}
	}
	if timed < 20 {
		t.Errorf("only %d spans have a time of their own", timed)
	}
	order := []string{"redirect", "listener-filters", "route"}
	for _, pod := range []string{"netshoot.mark", "fortio-server.mark"} {
		last := Span{}
		for _, s := range trace.Spans {
			if s.Service == pod && slices.Contains(order, s.Lane) {
				if s.Begin.Before(last.Begin) {
					t.Errorf("in %s %s begins before %s", pod, s.Name, last.Name)
				}
				last = s
			}
		}
	}
}

// TestParent nests a run in the trace that its request was sent in.
func TestParent(t *testing.T) {
	run, verdict, recording := recorded(t)
	const ours = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for _, tc := range []struct{ header, id, parent string }{
		{ours, "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"},
		{"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later", "4bf92f3577b34da6a3ce929d0e0e4736",
			"00f067aa0ba902b7"},
		{"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", "", ""},
		{"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "", ""},
		{"00-00000000000000000000000000000000-00f067aa0ba902b7-01", "", ""},
		{"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", "", ""},
		{"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "", ""},
		{"", "", ""}, {"---", "", ""},
	} {
		run.Call.Headers = flow.Headers{"TraceParent": {tc.header}}
		trace := Of(run, verdict, recording)
		if tc.id != "" && (trace.ID != tc.id || trace.Parent != tc.parent) ||
			tc.id == "" && (trace.Parent != "" || len(trace.ID) != 32) {
			t.Errorf("%s: trace %s in span %s", tc.header, trace.ID, trace.Parent)
		}
	}
	run.Call.Headers = flow.Headers{"traceparent": {ours}}
	var out bytes.Buffer
	if err := Of(run, verdict, recording).OTLP(&out); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), `"parentSpanId": "00f067aa0ba902b7"`); n != 1 {
		t.Errorf("%d spans stand in the request's own span, not one", n)
	}
}

// TestPerfettoRules holds what the Trace Event Format asks of a file, and that slices of a
// thread do not overlap.
func TestPerfettoRules(t *testing.T) {
	for _, name := range []string{"inbound", "outbound", "open"} {
		t.Run(name, func(t *testing.T) {
			run, verdict, recording := recordedAs(t, name)
			var out, again bytes.Buffer
			if err := Of(run, verdict, recording).Perfetto(&out); err != nil {
				t.Fatal(err)
			}
			if err := Of(run, verdict, recording).Perfetto(&again); err != nil || out.String() != again.String() {
				t.Error("the same run gives another file")
			}
			holdKeys(t, out.Bytes())
			var file struct {
				Events []traceEvent `json:"traceEvents"`
			}
			if err := json.Unmarshal(out.Bytes(), &file); err != nil {
				t.Fatal(err)
			}
			holdRules(t, file.Events)
		})
	}
}

// keysOf are the keys that an event of a phase must have, with the JSON type of each, and those
// that it may have besides, which begin with a question mark.
var keysOf = map[string]map[string]string{
	"M": {"name": "string", "ph": "string", "ts": "number", "pid": "number", "tid": "number", "args": "object"},
	"X": {"name": "string", "cat": "string", "ph": "string", "ts": "number", "dur": "number", "pid": "number",
		"tid": "number", "?args": "object"},
	"s": {"name": "string", "cat": "string", "ph": "string", "ts": "number", "pid": "number", "tid": "number",
		"id": "number"},
	"f": {"name": "string", "cat": "string", "ph": "string", "ts": "number", "pid": "number", "tid": "number",
		"id": "number", "bp": "string"},
}

// holdKeys holds a file against the JSON Object Format of the Trace Event Format, key by key.
func holdKeys(t *testing.T, text []byte) {
	t.Helper()
	var file map[string]any
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	events, isList := file["traceEvents"].([]any)
	if !isList {
		t.Fatalf("traceEvents is a %T, and has to be a list", file["traceEvents"])
	}
	if unit := file["displayTimeUnit"]; unit != "ms" && unit != "ns" {
		t.Errorf("displayTimeUnit is %v", unit)
	}
	if _, isObject := file["otherData"].(map[string]any); !isObject {
		t.Errorf("otherData is a %T", file["otherData"])
	}
	for _, e := range events {
		event, _ := e.(map[string]any)
		phase, _ := event["ph"].(string)
		want, known := keysOf[phase]
		if !known {
			t.Errorf("an event of phase %q", phase)
			continue
		}
		for key, kind := range want {
			name := strings.TrimPrefix(key, "?")
			if value, is := event[name]; (is || name == key) && jsonType(value) != kind {
				t.Errorf("phase %s: %s is a %s, not a %s: %v", phase, name, jsonType(value), kind, event)
			}
		}
		for key, value := range event {
			if want[key] == "" && want["?"+key] == "" {
				t.Errorf("phase %s has no %s: %v", phase, key, event)
			}
			whole, isNumber := value.(float64)
			if (key == "pid" || key == "tid" || key == "id") && (!isNumber || whole != math.Trunc(whole)) {
				t.Errorf("%s is no whole number: %v", key, event)
			}
		}
	}
}

func jsonType(value any) string {
	switch value.(type) {
	case string:
		return "string"
	case float64:
		return "number"
	case map[string]any:
		return "object"
	}
	return fmt.Sprintf("%T", value)
}

// holdRules goes through the events of a file in the order in which a viewer does.
func holdRules(t *testing.T, events []traceEvent) {
	t.Helper()
	named := map[[2]int]bool{}
	free := map[[2]int]float64{}
	flows := map[int][]traceEvent{}
	slices.SortStableFunc(events, func(a, b traceEvent) int { // as a viewer does; metadata first
		if (a.Phase == "M") != (b.Phase == "M") {
			return map[bool]int{true: -1, false: 1}[a.Phase == "M"]
		}
		return int(1000 * (a.Time - b.Time))
	})
	for _, e := range events {
		at := [2]int{e.Process, e.Thread}
		switch e.Phase {
		case "M":
			if e.Args["name"] == "" || e.Name != "process_name" && e.Name != "thread_name" {
				t.Errorf("metadata %+v", e)
			}
			named[at] = true
		case "X":
			if e.Time < 0 || e.Took == nil || *e.Took < 0 || !named[at] || !named[[2]int{e.Process, 0}] ||
				e.Name == "" {
				t.Errorf("slice %+v", e)
			}
			if e.Time < free[at] {
				t.Errorf("%s overlaps another on its thread", e.Name)
			}
			free[at] = e.Time + *e.Took
		case "s", "f":
			flows[e.ID] = append(flows[e.ID], e)
			inside := slices.ContainsFunc(events, func(x traceEvent) bool {
				return x.Phase == "X" && x.Process == e.Process && x.Thread == e.Thread && x.Time <= e.Time &&
					e.Time <= x.Time+*x.Took
			})
			if !inside {
				t.Errorf("a flow's end lies in no slice: %+v", e)
			}
		default:
			t.Errorf("an event of phase %q", e.Phase)
		}
	}
	if len(flows) != 1 {
		t.Errorf("%d flows, not one between the sidecars", len(flows))
	}
	for id, ends := range flows {
		if len(ends) != 2 || ends[0].Phase != "s" || ends[1].Phase != "f" || ends[0].Name != ends[1].Name ||
			ends[0].Category != ends[1].Category {
			t.Errorf("flow %d: %+v", id, ends)
		}
	}
}

// TestEmpty: a run of which nothing is known is a trace all the same.
func TestEmpty(t *testing.T) {
	for _, write := range []func(Trace, *bytes.Buffer) error{
		func(t Trace, b *bytes.Buffer) error {
			return t.OTLP(b)
		}, func(t Trace, b *bytes.Buffer) error { return t.Perfetto(b) },
	} {
		var out bytes.Buffer
		if err := write(Of(flow.Run{}, flow.RunVerdict{}, nil), &out); err != nil || !json.Valid(out.Bytes()) {
			t.Errorf("%v: %s", err, out.String())
		}
		if strings.Contains(out.String(), "traceEvents") {
			holdKeys(t, out.Bytes())
		}
	}
}

// FuzzParseTraceparent holds that what is taken is of the form that W3C Trace Context asks for.
func FuzzParseTraceparent(f *testing.F) {
	f.Add("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	f.Fuzz(func(t *testing.T, value string) {
		id, span, ok := ParseTraceparent(value)
		if ok && (len(id) != 32 || len(span) != 16 || !strings.Contains(value, "-"+id+"-"+span+"-")) {
			t.Errorf("%q: %q %q", value, id, span)
		}
	})
}
