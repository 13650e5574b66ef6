package observe

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/instrument"
)

func file(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// recording is the request of the instruments' own test data: two sidecars in two
// network namespaces.
func recording(t *testing.T) Recording {
	return Recording{RequestID: "7d3a1b52-9c1e-4f0a-8d6b-0a1b2c3d4e5f", Port: 8080,
		Curl: []byte("* Connected to fortio-server (10.77.1.1) port 8080 (#0)\n< HTTP/1.1 200 OK\n"),
		Client: Pod{Name: "netshoot.mark", IP: "10.77.0.1", Workers: 2, Parts: map[string][]byte{
			instrument.LogText:       file(t, "envoylog/testdata/client-1.40.log"),
			instrument.SocketsBefore: file(t, "sockets/testdata/client-before.txt"),
			instrument.SocketsAfter:  file(t, "sockets/testdata/client-after.txt")}},
		Server: Pod{Name: "fortio-server.mark", IP: "10.77.0.2", Workers: 2, Parts: map[string][]byte{
			instrument.LogText:      file(t, "envoylog/testdata/server-1.40.log"),
			instrument.SocketsAfter: file(t, "sockets/testdata/server-after.txt")}}}
}

func TestObserve(t *testing.T) {
	seen, watches, err := recording(t).Observe()
	if err != nil {
		t.Fatal(err)
	}
	count := map[flow.Instrument]int{}
	peers := map[string][]string{}
	for _, o := range seen {
		count[o.Instrument]++
		for _, f := range o.Facts {
			if o.Side == flow.Server && f.Name == flow.FactPeer && o.Kind != flow.App ||
				o.Side == flow.Client && f.Name == flow.FactUpstreamLocal {
				peers[f.Value] = append(peers[f.Value], string(o.Instrument)+" "+string(o.Side))
			}
		}
	}
	for _, instrument := range []flow.Instrument{flow.Curl, flow.EnvoyLog, flow.Sockets} {
		if count[instrument] == 0 {
			t.Errorf("%s saw nothing", instrument)
		}
	}
	if got := strings.Join(peers["10.77.0.1:35312"], ", "); len(peers) != 1 ||
		got != "log server, sockets client, sockets server" {
		t.Errorf("the connection between the pods is not one for log and sockets: %v", peers)
	}
	if len(watches) != 5 {
		t.Errorf("%d watches, want curl's, two logs' and two tables'", len(watches))
	}
	for _, w := range watches {
		if !w.Complete {
			t.Errorf("%s of %s: %s", w.Instrument, w.Pod, w.Problem)
		}
	}
}

func TestStats(t *testing.T) {
	r := recording(t)
	r.Client.Keep(instrument.StatsBefore, file(t, "stats/testdata/client-cold-before.txt"))
	r.Client.Keep(instrument.StatsAfter, file(t, "stats/testdata/client-cold-after.txt"))
	r.Server.Keep(instrument.StatsBefore, []byte("x: 1\n"))
	r.Server.Keep(instrument.StatsAfter, []byte("<html>\n"))
	seen, watches, err := r.Observe()
	if err == nil || !strings.Contains(err.Error(), "fortio-server.mark: read stats: line 1") {
		t.Errorf("error %v", err)
	}
	if !slices.ContainsFunc(seen, func(o flow.Observation) bool {
		return o.Instrument == flow.Stats && o.Side == flow.Client && o.Kind == flow.UpstreamTLS
	}) {
		t.Error("the client's counters were not read")
	}
	if !slices.ContainsFunc(watches, func(w flow.Watch) bool {
		return w.Instrument == flow.Stats && w.Side == flow.Server && !w.Complete
	}) {
		t.Error("counters that cannot be read leave a complete watch")
	}
}

func TestWhatIsNotRecorded(t *testing.T) {
	r := recording(t)
	r.Curl, r.Server.Parts = nil, nil
	_, watches, err := r.Observe()
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range watches {
		if w.Side == flow.Server || w.Instrument == flow.Curl {
			t.Errorf("%s of %s watched without a recording", w.Instrument, w.Pod)
		}
	}
	r = recording(t)
	r.Server.Keep(instrument.SocketsAfter, []byte("ss: not found\n"))
	if _, _, err = r.Observe(); err == nil ||
		!strings.HasPrefix(err.Error(), "server after: read socket table: line 1: ") {
		t.Errorf("error %v", err)
	}
	r = recording(t)
	r.Server.LogProblem = "Envoy was restarted"
	_, watches, _ = r.Observe()
	if !strings.Contains(watches[2].Problem, "restarted") || watches[2].Complete {
		t.Errorf("watch %+v", watches[2])
	}
}

// TestHasEnd finds an end of a connection in a log, and no longer one that has it as a part.
func TestHasEnd(t *testing.T) {
	const end = "10.0.0.1:4000"
	for log, want := range map[string]bool{
		"":                                 false,
		end:                                true,
		`{"peer":"10.0.0.1:4000"}`:         true,
		"from 10.0.0.1:4000,":              true,
		"10.0.0.1:40001":                   false,
		"110.0.0.1:4000":                   false,
		"1.10.0.0.1:4000":                  false,
		"10.0.0.1:40001 and 10.0.0.1:4000": true,
	} {
		if got := hasEnd([]byte(log), end); got != want {
			t.Errorf("%q: %v", log, got)
		}
	}
}
