package trace

import (
	"os"
	"testing"
	"time"

	"github.com/flowproof/lab/harness/flow"
)

// recordedRun is the trace of a kept run of the scenario inbound, of Envoy 1.40.0,
// with the request's id.
func recordedRun(t *testing.T) (*Recording, Selection) {
	t.Helper()
	file, err := os.Open("../../bundle/testdata/inbound/trace.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := ReadRecording(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.Events {
		if h := r.Events[i].HTTP; r.Events[i].Process == "curl" && h.Request() && h.RequestID != "" {
			// kubelet's probes have ids too
			return r, Selection{RequestID: h.RequestID}
		}
	}
	t.Fatal("no request in the recording")
	return nil, Selection{}
}

func TestFilterSteps(t *testing.T) {
	r, sel := recordedRun(t)
	steps, statements := r.FilterSteps(sel)
	type count struct{ decode, upstream, encode int }
	want := map[flow.Side]count{flow.Client: {4, 1, 3}, flow.Server: {4, 1, 3}}
	got := map[flow.Side]count{}
	for _, s := range steps {
		c := got[s.Side]
		switch {
		case s.Upstream:
			c.upstream++
		case s.Call == callDecode:
			c.decode++
		case s.Call == "encode headers":
			c.encode++
		default:
			t.Errorf("unexpected call %q", s.Call)
		}
		got[s.Side] = c
		if s.Took() < 0 || s.Held < 0 || s.Stopped {
			t.Errorf("step %+v", s)
		}
	}
	for side, w := range want {
		if got[side] != w {
			t.Errorf("%s: calls %+v, want %+v", side, got[side], w)
		}
	}
	if statements == 0 {
		t.Error("no statement was counted")
	}
}

// The filters of a sidecar cannot have taken longer than the sidecar had the request: from where it
// read it to where it wrote the response. The times of both are the kernel's, and not of
// statements.
func TestFilterStepsFitIntoTheRequest(t *testing.T) {
	r, sel := recordedRun(t)
	c := newJournal(r.Events).follow(r, sel)
	steps, _ := r.FilterSteps(sel)
	for side, down := range map[flow.Side]*socket{flow.Client: c.downstream, flow.Server: c.serverDown} {
		var sum time.Duration
		var first, last time.Time
		for _, s := range steps {
			if s.Side != side {
				continue
			}
			if first.IsZero() {
				first = s.Begin
			}
			last = s.End
			if !s.Within {
				sum += s.Took()
			}
		}
		var read, wrote time.Time
		for i := range r.Events {
			e := &r.Events[i]
			if e.Socket != down.first().Socket || e.Result <= 0 {
				continue
			}
			if e.Kind == Read && !e.Time.After(first) {
				read = e.Time
			}
			if e.Kind == Write && e.Time.After(last) && wrote.IsZero() {
				wrote = e.Time
			}
		}
		if read.IsZero() || wrote.IsZero() {
			t.Fatalf("%s: the kernel saw no read (%v) or no write (%v) around the filters", side, read, wrote)
		}
		if had := wrote.Sub(read); sum <= 0 || sum > had {
			t.Errorf("%s: the filters took %v of the %v that the sidecar had the request", side, sum, had)
		}
	}
}

// A filter that stops the chain holds the request until it goes on, and one after which nothing is
// called has answered it.
func TestFilterStepsStopAndAnswer(t *testing.T) {
	at := func(µs int, text string) *Event {
		return &Event{Kind: Statement, Time: time.UnixMicro(int64(µs)), Text: text}
	}
	held := stepsOf(flow.Server, []*Event{at(0, headersComplete), at(10, headersCalled), at(15, headersCalled),
		at(115, "{}continuing filter chain: filter={}"), at(120, headersRouted), at(125, headersCalled),
		at(130, headersCalled)})
	if len(held) != 4 || held[1].Held != 100*time.Microsecond || held[0].Held != 0 || !held[2].Upstream ||
		held[3].Upstream {
		t.Errorf("held: %+v", held)
	}
	if held[3].Took() != 15*time.Microsecond {
		t.Errorf("the router took %v: what the request waited before is not its time", held[3].Took())
	}
	answered := stepsOf(flow.Server, []*Event{at(0, headersComplete), at(10, headersCalled),
		at(20, "{}encode headers called: filter={} status={}"), at(25, "{}encode data called: filter={} status={}"),
		at(28, "{}decodeHeaders filter iteration aborted due to local reply: filter={}"), at(30, headersCalled)})
	if len(answered) != 4 || answered[0].Stopped || !answered[1].Within || !answered[2].Within ||
		!answered[3].Stopped ||
		answered[3].Took() != 20*time.Microsecond {
		t.Errorf("answered: %+v", answered)
	}
	later := stepsOf(flow.Server, []*Event{at(0, headersComplete), at(10, headersCalled),
		at(90, "some other statement"), at(100, "{}encode headers called: filter={} status={}")})
	if len(later) != 2 || !later[0].Stopped || later[1].Within || later[1].Took() != 10*time.Microsecond {
		t.Errorf("answered later: %+v", later)
	}
	if none := stepsOf(flow.Server, nil); none != nil {
		t.Errorf("of nothing: %+v", none)
	}
}
