package trace

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowproof/lab/bpf/envoy"
	"github.com/flowproof/lab/bpf/probe"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/golden"
)

// requestID is the id of the request in the recordings, which were made on a lab.
const requestID = "11111111-2222-4333-8444-555555555555"

func recording(t testing.TB, name string) *Recording {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", name+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := ReadRecording(file)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// lines writes observations as a person reads them.
func lines(seen []flow.Observation, watches []flow.Watch) string {
	var b strings.Builder
	for _, o := range seen {
		fmt.Fprintf(&b, "%s %s:", o.Side, o.Kind)
		for _, f := range o.Facts {
			fmt.Fprintf(&b, " %s=%s", f.Name, f.Value)
		}
		fmt.Fprintf(&b, "\n\t%s\n", o.Raw)
	}
	for _, w := range watches {
		fmt.Fprintf(&b, "watch of %s: complete %v, lost %d, %s\n", w.Pod, w.Complete, w.Lost, w.Problem)
		for _, c := range w.Sees {
			fmt.Fprintf(&b, "\t%s %s %s\n", c.Kind, c.Fact, c.Value)
		}
	}
	return b.String()
}

func TestObserve(t *testing.T) {
	for _, name := range []string{"cold", "warm"} {
		t.Run(name, func(t *testing.T) {
			got := lines(recording(t, name).Observe(Selection{RequestID: requestID}))
			golden.Equal(t, filepath.Join("testdata", name+".golden"), got)
		})
	}
}

// values collects what was observed of a fact.
func values(seen []flow.Observation, side flow.Side, kind flow.HopKind, fact string) []string {
	var all []string
	for _, o := range seen {
		for _, f := range o.Facts {
			if o.Side == side && o.Kind == kind && f.Name == fact && !slices.Contains(all, f.Value) {
				all = append(all, f.Value)
			}
		}
	}
	return all
}

// TestTheWayIsOneChain sets the ends of each connection against one another: that is
// what joins two pods.
func TestTheWayIsOneChain(t *testing.T) {
	seen, _ := recording(t, "cold").Observe(Selection{RequestID: requestID})
	tests := []struct {
		name     string
		from, to []string
	}{
		{"client to its sidecar", values(seen, flow.Client, flow.Redirect, flow.FactPeer),
			values(seen, flow.Client, flow.Listener, flow.FactPeer)},
		{"sidecar to sidecar", values(seen, flow.Client, flow.Connect, flow.FactUpstreamLocal),
			values(seen, flow.Server, flow.Redirect, flow.FactPeer)},
		{"sidecar to application", values(seen, flow.Server, flow.Connect, flow.FactUpstreamLocal),
			values(seen, flow.Server, flow.App, flow.FactPeer)},
		{"server name", values(seen, flow.Client, flow.UpstreamTLS, flow.FactSNI),
			values(seen, flow.Server, flow.ListenerFilters, flow.FactSNI)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if len(tt.from) != 1 || !slices.Equal(tt.from, tt.to) {
				t.Errorf("%q is not %q", tt.from, tt.to)
			}
		})
	}
}

// TestWhatCannotBeToldIsSaid reads a recording in which nothing names the request: no connection
// can be said to be its.
func TestWhatCannotBeToldIsSaid(t *testing.T) {
	r := recording(t, "cold")
	withoutHTTP(r)
	_, watches := r.Observe(Selection{RequestID: requestID})
	for _, w := range watches {
		if !w.Complete || len(w.Sees) > 0 || !strings.Contains(w.Abstains, "no connection carried") {
			t.Errorf("complete %v, sees %v, abstains %q", w.Complete, w.Sees, w.Abstains)
		}
	}
}

func TestAnythingLostIsSaid(t *testing.T) {
	tests := []struct {
		name   string
		damage func(r *Recording)
		want   string
	}{
		{"nothing", func(*Recording) {}, ""},
		{"ring buffer full", func(r *Recording) { r.Counts.Lost = 3 }, "3 events did not fit"},
		{"program skipped", func(r *Recording) { r.Counts.Missed = 2 }, "skipped 2 times"},
		{"an event dropped", func(r *Recording) { r.Events = slices.Delete(r.Events, 100, 101) }, "events, and "},
		{"probe off", func(r *Recording) { r.Probes = slices.DeleteFunc(r.Probes, named("sys_exit")) },
			"probe sys_exit is off"},
		{"no look at what was open", func(r *Recording) {
			r.Probes = slices.DeleteFunc(r.Probes, named("open_sockets"))
		}, "probe open_sockets is off"},
		{"reader failed", func(r *Recording) { r.Problem = "read ring buffer: broken" }, "broken"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := recording(t, "cold")
			tt.damage(r)
			_, watches := r.Observe(Selection{RequestID: requestID})
			for _, w := range watches {
				if w.Complete != (tt.want == "") || !strings.Contains(w.Problem, tt.want) {
					t.Errorf("complete %v, problem %q; want %q", w.Complete, w.Problem, tt.want)
				}
			}
		})
	}
}

// TestTwoThatCouldBeTheOne duplicates the connection between the sidecars: without Envoy's own join
// nothing says which was the request's, and nothing may be guessed.
func TestTwoThatCouldBeTheOne(t *testing.T) {
	r := recording(t, "cold")
	j := newJournal(r.Events)
	c := j.follow(r, Selection{RequestID: requestID})
	twins := map[uint64]uint64{c.upstream.first().Socket: 1 << 62, c.serverDown.first().Socket: 1<<62 + 1}
	port := c.upstream.local.Port() + 1
	var more []Event
	for _, e := range r.Events {
		if twin := twins[e.Socket]; twin != 0 {
			e.Socket = twin
			if e.Local == c.upstream.local {
				e.Local = withPort(e.Local, port)
			} else {
				e.Remote = withPort(e.Remote, port)
			}
			more = append(more, e)
		}
	}
	r.Events = append(r.Events, more...)
	r.Events = slices.DeleteFunc(r.Events, func(e Event) bool { return e.Kind == PoolReady })
	r.Sort()
	r.Counts.Emitted = r.emitted() // as if the probes had told so: nothing is lost
	seen, watches := r.Observe(Selection{RequestID: requestID})
	if got := values(seen, flow.Client, flow.Connect, flow.FactUpstreamLocal); len(got) != 0 {
		t.Errorf("one of two was guessed: %q", got)
	}
	for _, w := range watches {
		if !w.Complete || !strings.Contains(w.Abstains, "2 connections between the sidecars") {
			t.Errorf("%s: complete %v, %q, abstains %q", w.Pod, w.Complete, w.Problem, w.Abstains)
		}
	}
}

// TestTheNextRequestIsAnother has the connection's next request given a connection, after ours was
// answered: that says nothing of ours. What the router chose meanwhile still does, and a cluster
// that was chosen before or afterwards does not.
func TestTheNextRequestIsAnother(t *testing.T) {
	const chosen = "outbound|8080||fortio-server.mark.svc.cluster.local"
	for name, tt := range map[string]struct {
		cluster time.Duration // when it was chosen, from when the request was read
		want    []string
	}{
		"chosen for ours":   {0, []string{chosen}},
		"chosen before":     {-time.Second, nil},
		"chosen afterwards": {time.Second, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := recording(t, "cold")
			c := newJournal(r.Events).follow(r, Selection{RequestID: requestID})
			read, answered := c.clientRequest.Time, c.answer().Time
			for i := range r.Events {
				e := &r.Events[i]
				switch {
				case e.Pod != "netshoot.mark":
				case e.Kind == PoolReady:
					ends := *e.Ends
					ends.Cluster = "of the next request"
					e.Time, e.Ends = answered.Add(time.Microsecond), &ends
				case e.Kind == Value && e.Name == envoy.ProbeCluster && tt.cluster != 0:
					e.Time = read.Add(tt.cluster)
				}
			}
			seen, _ := r.Observe(Selection{RequestID: requestID})
			if got := values(seen, flow.Client, flow.Cluster, flow.FactCluster); !slices.Equal(got, tt.want) {
				t.Errorf("the cluster is %q, want %q", got, tt.want)
			}
		})
	}
}

// withoutHTTP is what a recording holds when nothing is copied of what passes.
func withoutHTTP(r *Recording) {
	for i := range r.Events {
		r.Events[i].HTTP = nil
	}
}

func withPort(a netip.AddrPort, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr(), port)
}

func named(name string) func(probe.Status) bool {
	return func(s probe.Status) bool { return s.Name == name }
}

func TestRecordingIsReadAsWritten(t *testing.T) {
	r := recording(t, "cold")
	var text bytes.Buffer
	if err := r.Write(&text); err != nil {
		t.Fatal(err)
	}
	again, err := ReadRecording(bytes.NewReader(text.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := lines(r.Observe(Selection{RequestID: requestID})),
		lines(again.Observe(Selection{RequestID: requestID})); a != b {
		t.Error("a recording says something else once it was written and read")
	}
	all := strings.SplitAfter(strings.TrimSuffix(text.String(), "\n"), "\n")
	backwards := slices.Clone(all)
	slices.Reverse(backwards[1:])
	for name, damaged := range map[string]string{"empty": "", "no JSON": "hello\n",
		"backwards": strings.Join(backwards, "\n"), "an event twice": all[0] + all[1] + all[1],
		"another schema": "{\"schema\":\"x\"}\n", "cut": text.String()[:text.Len()-20]} {
		if _, err := ReadRecording(strings.NewReader(damaged)); err == nil ||
			!strings.HasPrefix(err.Error(), "read trace: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzReadRecording(f *testing.F) {
	f.Add([]byte(`{"schema":"flowproof.dev/trace/v2","pods":[{"name":"a","side":"client"}]}` + "\n" +
		`{"kind":"accept","pod":"a","process":"envoy","pid":1,"tid":1,"socket":2}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ReadRecording(bytes.NewReader(text))
		if err != nil {
			return
		}
		_, _ = r.Observe(Selection{RequestID: "1"})
		about := r.About(Selection{RequestID: "1"})
		for i := range r.Events {
			_ = about(&r.Events[i])
		}
	})
}
