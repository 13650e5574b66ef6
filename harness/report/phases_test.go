package report

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/observe/instrument"
	"github.com/flowproof/lab/harness/observe/trace"
)

func every(*trace.Event) bool { return true }

// TestPhases tells phases in their order, with the values that were read and the time that each
// took.
func TestPhases(t *testing.T) {
	start := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	at := func(µs int) time.Time { return start.Add(time.Duration(µs) * time.Microsecond) }
	service, pod := netip.MustParseAddrPort("10.96.0.9:8080"), netip.MustParseAddrPort("10.0.0.2:8080")
	r := &trace.Recording{Events: []trace.Event{
		{Time: at(0), Kind: trace.SetOption, Pod: "a.b", Process: "curl", Change: "TCP_NODELAY"},
		{Time: at(10), Kind: trace.Connect, Pod: "a.b", Process: "curl", Address: service, Result: inProgress},
		{Time: at(110), Kind: trace.Accept, Pod: "a.b", Process: "envoy", Thread: "wrk:worker_0",
			Local: netip.MustParseAddrPort("127.0.0.1:15001"), Remote: netip.MustParseAddrPort("10.0.0.1:4242")},
		{Time: at(120), Kind: trace.OriginalDst, Pod: "a.b", Process: "envoy", Address: service},
		{Time: at(310), Kind: trace.Value, Pod: "a.b", Process: "envoy", Name: "filter.chain"},
		{Time: at(410), Kind: trace.Value, Pod: "a.b", Process: "envoy", Name: "cluster", Text: "outbound|8080||x"},
		{Time: at(510), Kind: trace.Connect, Pod: "a.b", Process: "envoy", Address: pod, Result: -111},
		{Time: at(1510), Kind: trace.Read, Pod: "a.b", Process: "curl", HTTP: &trace.HTTP{Line: "HTTP/1.1 503 x"}},
		{Time: at(9000), Kind: trace.Close, Pod: "a.b", Process: "curl"},
	}}
	var b strings.Builder
	if err := Phases(&b, PhasesOf(r, every), len(r.Events), 80); err != nil {
		t.Fatal(err)
	}
	const want = `      ms         took
    0.00  a      0.10  █         dial: curl dials 10.96.0.9:8080
    0.10  a      0.20  ██        redirect: accepted on port 15001 from
                                 10.0.0.1:4242 by wrk:worker_0, was dialled as
                                 10.96.0.9:8080
    0.30  a      0.10  █         filter chain: one without a name
    0.40  a      0.10  █         route: cluster outbound|8080||x
    0.50  a      1.00  ████████  connect: dials 10.0.0.2:8080, which fails with
                                 error 111
    1.50  a      0.00            answered: curl has HTTP/1.1 503 x
6 phases of 9 events (--events=all has each)
`
	if b.String() != want {
		t.Errorf("%s", b.String())
	}
	b.Reset()
	if err := Phases(&b, nil, 0, 80); err != nil || !strings.Contains(b.String(), "eBPF did not watch") {
		t.Errorf("%q, %v", b.String(), err)
	}
}

// TestLogged fills in the values of a statement from the line that it wrote, and from no other: not
// where two threads have it at once, where lines of two texts are as near, or where the format is
// another's.
func TestLogged(t *testing.T) {
	log := strings.Join([]string{
		"2026-11-30T12:00:00.000004Z\tdebug\tenvoy router source/common/router/router.cc:600\t" +
			"[Tags: \"ConnectionId\":\"7\"] cluster 'a' match for URL '/x'\tthread=21",
		"2026-11-30T12:00:00.002003Z\tdebug\tenvoy pool source/common/conn_pool/pool.cc:9\tready=1\tthread=21",
		"2026-11-30T12:00:00.003003Z\tdebug\tenvoy pool source/common/conn_pool/pool.cc:8\tready=1\tthread=21",
		"2026-11-30T12:00:00.003004Z\tdebug\tenvoy pool source/common/conn_pool/pool.cc:8\tready=2\tthread=22",
		"2026-11-30T12:00:00.004003Z\tdebug\tenvoy pool source/common/conn_pool/pool.cc:7\tanother one\tthread=22",
		"",
	}, "\n")
	at := func(µs int) time.Time {
		return time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC).Add(time.Duration(µs) * time.Microsecond)
	}
	statement := func(µs int, tid uint32, where, text string) trace.Event {
		return trace.Event{Time: at(µs), Kind: trace.Statement, Pod: "a.b", TID: tid, Where: where + " f", Text: text}
	}
	r := &observe.Recording{Client: observe.Pod{Name: "a.b", Parts: map[string][]byte{instrument.LogText: []byte(log)}},
		Trace: &trace.Recording{Events: []trace.Event{
			statement(0, 1, "router.cc:600", "{}cluster '{}' match for URL '{}'"),
			statement(1000, 1, "router.cc:1", "{}no value"),
			statement(2000, 1, "pool.cc:9", "ready={}"), statement(2001, 2, "pool.cc:9", "ready={}"),
			statement(3000, 1, "pool.cc:8", "ready={}"),
			statement(4000, 1, "pool.cc:7", "ready={}"),
		}}}
	filled, mine, unknown := Logged(r, every)
	want := []string{"cluster 'a' match for URL '/x'", "no value", "ready=…", "ready=…", "ready=…", "ready=…"}
	for i := range filled.Events {
		if got := filled.Events[i].Text; got != want[i] || !mine(&filled.Events[i]) {
			t.Errorf("event %d: %q, want %q", i, got, want[i])
		}
	}
	if unknown != 4 {
		t.Errorf("%d statements are not known, want 4", unknown)
	}
	if r.Trace.Events[0].Text == filled.Events[0].Text {
		t.Error("the recording itself was changed")
	}
}
