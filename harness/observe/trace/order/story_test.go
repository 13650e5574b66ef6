package order

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/flowproof/lab/harness/observe/trace"
)

func TestTimeline(t *testing.T) {
	at := func(µs int, e trace.Event) trace.Event {
		e.Time, e.Pod, e.Process, e.PID, e.FD = time.UnixMicro(int64(µs)), "server.mark", "envoy", 9, -1
		return e
	}
	header := trace.Event{Kind: trace.Statement, TID: 10, Thread: "wrk:worker_0",
		Where: "codec_impl.cc:533 completeCurrentHeader", Text: "{}completed header"}
	r := &trace.Recording{Events: []trace.Event{
		at(0, trace.Event{Kind: trace.Statement, TID: 10, Thread: "envoy", Where: "worker_impl.cc:172 threadRoutine",
			Text: "worker entering dispatch loop"}),
		at(1, trace.Event{Kind: trace.Statement, TID: 9, Thread: "envoy", Where: "server.cc:1098 run",
			Text: "starting main dispatch loop"}),
		at(5, header), at(6, header), at(7, header),
		at(8, trace.Event{Kind: trace.Statement, TID: 10, Thread: "wrk:worker_0",
			Where: "dispatcher_impl.cc:259 deferredDelete", Text: "item added to deferred deletion list (size={})"}),
		at(9, trace.Event{Kind: trace.Value, TID: 10, Thread: "wrk:worker_0", Name: "cluster", Text: "inbound|8080||"}),
	}}
	var out strings.Builder
	if err := Timeline(&out, r, func(e *trace.Event) bool { return !e.Housekeeping() }, 0); err != nil {
		t.Fatal(err)
	}
	want := `        0 µs  server  envoy wrk:worker_0: worker_impl.cc:172 threadRoutine "worker entering dispatch loop"
        1 µs  server  envoy: server.cc:1098 run "starting main dispatch loop"
        5 µs  server  envoy wrk:worker_0: codec_impl.cc:533 completeCurrentHeader "{}completed header" (3 times)
        9 µs  server  envoy wrk:worker_0: cluster = "inbound|8080||"
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// requestID is the id of the request in the recording, which was made on a lab.
const requestID = "11111111-2222-4333-8444-555555555555"

func recording(t testing.TB) *trace.Recording {
	t.Helper()
	file, err := os.Open("../testdata/cold.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := trace.ReadRecording(file)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func FuzzTimeline(f *testing.F) {
	f.Add([]byte(`{"schema":"flowproof.dev/trace/v2","pods":[{"name":"a","side":"client"}]}` + "\n" +
		`{"kind":"accept","pod":"a","process":"envoy","pid":1,"tid":1,"socket":2}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := trace.ReadRecording(bytes.NewReader(text))
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := Timeline(&out, r, nil, 0); err != nil {
			t.Fatal(err)
		}
		if len(r.Events) > 0 && out.Len() == 0 {
			t.Error("nothing is told of events")
		}
	})
}
