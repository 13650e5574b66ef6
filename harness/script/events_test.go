package script

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/bpf/probe"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/harness/run"
)

// traced is a session after a traced request, which was recorded on a lab, with
// files of a scenario.
func traced(t *testing.T, files map[string]string) *session {
	t.Helper()
	file, err := os.Open("../observe/trace/testdata/cold.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s := newSession(t.Context(), Lab{}, silent{})
	recording, err := trace.ReadRecording(file)
	if err != nil {
		t.Fatal(err)
	}
	s.Replay(flow.Call{RequestID: "11111111-2222-4333-8444-555555555555"}, recording)
	s.dir = t.TempDir()
	s.variables["FORTIO_SERVER_IP"] = "172.21.206.198"
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// recorded is the session's recording.
func (s *session) recorded() *trace.Recording {
	r, _ := s.EndTrace(s.ctx)
	return r
}

// drop takes the values of a name out of the recording, as if they had not been read.
func (s *session) drop(name string) {
	kept := s.recorded().Events[:0]
	for _, e := range s.recorded().Events {
		if e.Kind == trace.Value && e.Name == name {
			s.recorded().Counts.Emitted--
			continue
		}
		kept = append(kept, e)
	}
	s.recorded().Events = kept
}

// turnOff takes a probe off all Envoys.
func (s *session) turnOff(name, why string) {
	for i := range s.recorded().Envoys {
		s.recorded().Envoys[i].Off = map[string]string{name: why}
	}
}

var eventFiles = map[string]string{
	"client.events": "envoy $c fd *: connect $mesh → $FORTIO_SERVER_IP:8080\n",
	"server.events": "envoy $s fd $down: accept $mesh → *:15006\nenvoy $s fd $down: upstream request is given fd " +
		"$up\nenvoy $s fd $up: write *\n",
	"queued.events": "envoy $s fd $down: accept *\nno envoy $s fd $down: epoll_ctl ADD *\nenvoy $s fd $down: " +
		"recv(MSG_PEEK) *\n",
	"waits.events": "envoy $s fd $down: accept *\nenvoy $s fd $down: epoll_ctl ADD *\nenvoy $s fd $down: " +
		"recv(MSG_PEEK) *\n",
	"listen.events":   "envoy fd *: open already: LISTEN 0.0.0.0:15006 ↔ *\n",
	"none.events":     "quic\n",
	"nameless.events": "envoy *: connect $NAMELESS_IP:8080\n",
	"empty.events":    "# Nothing.\n",
	"chosen.events":   "envoy $s fd $down: accept *\nenvoy $s fd $down: filter.chain = *\n",
	"unchosen.events": "envoy $s fd $down: accept *\nno envoy *: filter.chain = *\nenvoy $s fd $down: write *\n",
	"open.events":     strings.Repeat("*$a*$b*$c*$d*$e*", 2) + "quic",
}

func TestEvents(t *testing.T) {
	for _, tc := range []struct {
		name, args string
		damage     func(*session)
		kind       fault.Kind
		want       string // in the output, or in the error
	}{
		{"in order", "fortio-server server.events", nil, fault.None,
			"3 events in the order of server.events\n        0 µs  envoy wrk:worker_1 fd 39: accept " +
				"172.21.206.197:58524"},
		{"one of two ways", "fortio-server queued.events or waits.events", nil, fault.None,
			"in the order of waits.events"},
		{"only the other way", "fortio-server queued.events", nil, fault.Mismatch,
			"queued.events:2: this must not happen here, and it did"},
		{"no way", "fortio-server queued.events or none.events", nil, fault.Mismatch,
			"none of the 2 ways holds; this comes furthest:\nqueued.events:2: "},
		{"another pod", "netshoot server.events", nil, fault.Mismatch,
			"server.events:1: no such event: envoy $s fd $down: accept $mesh → *:15006"},
		{"off in another pod's Envoy", "fortio-server unchosen.events", func(s *session) {
			for i, of := range s.recorded().Envoys {
				if of.Pod != "fortio-server.mark" {
					s.recorded().Envoys[i].Off = map[string]string{"filter.chain": "no such class"}
				}
			}
			s.drop("filter.chain")
		}, fault.None, "in the order of unchosen.events"},
		{"what is off is said", "netshoot server.events", func(s *session) { s.turnOff("sni", "no such class") },
			fault.Incomplete, "\nsni is not observed: no such class"},
		{"a probe that could have seen it was off", "fortio-server chosen.events", func(s *session) {
			for i := range s.recorded().Envoys {
				s.recorded().Envoys[i].Values = []string{"cluster", "sni"}
			}
			s.drop("filter.chain")
		}, fault.Incomplete, "\nfilter.chain is not observed in fortio-server.mark"},
		{"what must not be seen, and it could not be", "fortio-server unchosen.events", func(s *session) {
			s.turnOff("filter.chain", "the virtual table is not known")
			s.drop("filter.chain")
		}, fault.Incomplete, "unchosen.events holds, and what must not happen there may have happened " +
			"unseen\nfilter.chain is not observed: the virtual table is not known"},
		{"its attachment failed", "fortio-server unchosen.events", func(s *session) {
			for i, p := range s.recorded().Probes {
				if strings.HasPrefix(p.Name, "filter.chain ") {
					s.recorded().Probes[i].Attached, s.recorded().Probes[i].Problem = false, "attach: no such file"
				}
			}
			s.drop("filter.chain")
		}, fault.Incomplete, "is off: attach: no such file"},
		{"no probe on the pod's Envoy", "fortio-server unchosen.events", func(s *session) {
			s.recorded().Envoys = s.recorded().Envoys[:1]
			s.drop("filter.chain")
		}, fault.Incomplete, "no probe was on an Envoy of fortio-server.mark"},
		{"it was seen", "fortio-server unchosen.events", nil, fault.Mismatch,
			"unchosen.events:2: this must not happen here, and it did"},
		{"what was seen was seen, also with an instrument off", "fortio-server server.events", func(s *session) {
			s.turnOff("sni", "no such class")
		}, fault.None, "3 events in"},
		{"another way that forbids nothing", "fortio-server unchosen.events or server.events", func(s *session) {
			s.turnOff("filter.chain", "no such class")
			s.drop("filter.chain")
		}, fault.None, "in the order of server.events"},
		{"an event was dropped", "fortio-server server.events", func(s *session) { s.recorded().Counts.Emitted++ },
			fault.Incomplete, "so its order proves nothing: the probes told of "},
		{"a probe in the kernel off", "fortio-server server.events", func(s *session) {
			s.recorded().Probes = slices.DeleteFunc(s.recorded().Probes, func(p probe.Status) bool {
				return p.Name == "sys_enter"
			})
		}, fault.Incomplete, "probe sys_enter is off"},
		{"a pattern that is too open", "-all fortio-server open.events", nil, fault.Usage, "the pattern is too open"},
		{"all of the pod", "-all fortio-server listen.events", nil, fault.None, "1 event in"},
		{"not about the request", "fortio-server listen.events", nil, fault.Mismatch, "no such event"},
		{"events lost", "fortio-server server.events", func(s *session) { s.recorded().Counts.Lost = 2 },
			fault.Incomplete, "2 events did not fit"},
		{"a reader failed", "fortio-server server.events", func(s *session) {
			s.recorded().Problem = "read ring buffer: broken"
		}, fault.Incomplete, "broken"},
		{"no trace", "fortio-server server.events", func(s *session) { s.Replay(s.Flow.Call, nil) }, fault.Usage,
			"there is no trace before it"},
		{"no request", "fortio-server server.events", func(s *session) {
			s.Session = run.NewSession(Lab{}, s.Undo)
		}, fault.Usage, "it needs -all"},
		{"a pod that was not traced", "istiod.istio-system server.events", nil, fault.Usage,
			"istiod.istio-system was not traced"},
		{"no file", "fortio-server", nil, fault.Usage, "usage: events"},
		{"no or", "fortio-server queued.events waits.events", nil, fault.Usage, "usage: events"},
		{"another word than or", "fortio-server queued.events and waits.events", nil, fault.Usage,
			"between two files stands: or"},
		{"a file that is not there", "fortio-server x.events", nil, fault.Usage, "no such file"},
		{"a file outside", "fortio-server ../../../etc/hostname", nil, fault.Usage,
			"it leads out of the scenario's folder"},
		{"a name without a meaning", "fortio-server nameless.events", nil, fault.Usage,
			"read nameless.events:1: $NAMELESS_IP stands for nothing yet"},
		{"nothing in the file", "fortio-server empty.events", nil, fault.Usage, "there is no event in it"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := traced(t, eventFiles)
			if tc.damage != nil {
				tc.damage(s)
			}
			out, err := s.call(eventsCommand, strings.Fields(tc.args))
			if err != nil {
				out = err.Error()
			}
			if fault.Of(err) != tc.kind || !strings.Contains(out, tc.want) {
				t.Errorf("kind %q: %s\nwant %q: %s", fault.Of(err), out, tc.kind, tc.want)
			}
		})
	}
}

// TestEventsOfTwoPods holds the two ends of a connection against each other: a name has one
// meaning in a scenario.
func TestEventsOfTwoPods(t *testing.T) {
	s := traced(t, eventFiles)
	for _, args := range [][]string{{"netshoot", "client.events"}, {"fortio-server", "server.events"}} {
		if _, err := s.call(eventsCommand, args); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.variables["mesh"]; got != "172.21.206.197:58524" {
		t.Errorf("$mesh is %s", got)
	}
	s.variables["mesh"] = "172.21.206.197:1"
	if _, err := s.call(eventsCommand, []string{"fortio-server", "server.events"}); fault.Of(err) != fault.Mismatch {
		t.Errorf("another connection than the client's: %v", err)
	}
}
