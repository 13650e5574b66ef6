package trace

import (
	"strings"
	"testing"
	"time"
)

func TestTimeline(t *testing.T) {
	at := func(µs int, e Event) Event {
		e.Time, e.Pod, e.Process, e.PID, e.FD = time.UnixMicro(int64(µs)), "server.mark", "envoy", 9, -1
		return e
	}
	header := Event{Kind: Statement, TID: 10, Thread: "wrk:worker_0", Where: "codec_impl.cc:533 completeCurrentHeader", Text: "{}completed header"}
	r := &Recording{Events: []Event{
		at(0, Event{Kind: Statement, TID: 10, Thread: "envoy", Where: "worker_impl.cc:172 threadRoutine", Text: "worker entering dispatch loop"}),
		at(1, Event{Kind: Statement, TID: 9, Thread: "envoy", Where: "server.cc:1098 run", Text: "starting main dispatch loop"}),
		at(5, header), at(6, header), at(7, header),
		at(8, Event{Kind: Statement, TID: 10, Thread: "wrk:worker_0", Where: "dispatcher_impl.cc:259 deferredDelete", Text: "item added to deferred deletion list (size={})"}),
		at(9, Event{Kind: Value, TID: 10, Thread: "wrk:worker_0", Name: "cluster", Text: "inbound|8080||"}),
	}}
	var out strings.Builder
	if err := r.Timeline(&out, func(e *Event) bool { return !e.Housekeeping() }); err != nil {
		t.Fatal(err)
	}
	want := `        0 µs  server         envoy wrk:worker_0: worker_impl.cc:172 threadRoutine "worker entering dispatch loop"
        1 µs  server         envoy: server.cc:1098 run "starting main dispatch loop"
        5 µs  server         envoy wrk:worker_0: codec_impl.cc:533 completeCurrentHeader "{}completed header" (3 times)
        9 µs  server         envoy wrk:worker_0: cluster = "inbound|8080||"
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}
