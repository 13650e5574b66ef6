package verify

import (
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// TestNextCame holds what came to other pods against the calls that an application made, of which
// its sidecar may have tried some more than once.
func TestNextCame(t *testing.T) {
	made := func(endpoint, status, attempts string) flow.Observation {
		facts := []flow.Seen{{Name: flow.FactNextCall, Value: "GET b:80/"},
			{Name: flow.FactNextEndpoint, Value: endpoint}, {Name: flow.FactNextStatus, Value: status}}
		if attempts != "" {
			facts = append(facts, flow.Seen{Name: flow.FactNextAttempts, Value: attempts})
		}
		return flow.Observation{Instrument: flow.AccessLog, Side: flow.Server, Kind: flow.App,
			Where: flow.Where{Pod: "a.mark"}, Facts: facts}
	}
	came := func(endpoint, status string) flow.Observation {
		return flow.Observation{Instrument: flow.AccessLog, Side: flow.Server, Kind: flow.App,
			Where: flow.Where{Pod: "b.mark"}, Facts: []flow.Seen{{Name: flow.FactNextPeer, Value: "10.0.0.1:4000"},
				{Name: flow.FactNextEndpoint, Value: endpoint}, {Name: flow.FactNextStatus, Value: status}}}
	}
	const b, c = "10.0.0.2:80", "10.0.0.3:80"
	for _, test := range []struct {
		name string
		seen []flow.Observation
		fine bool
	}{
		{"one that came", []flow.Observation{made(b, "200", ""), came(b, "200")}, true},
		{"another answer", []flow.Observation{made(b, "200", ""), came(b, "503")}, false},
		{"one too many", []flow.Observation{made(b, "200", ""), came(b, "200"), came(b, "200")}, false},
		{"at another pod too", []flow.Observation{made(b, "200", ""), came(b, "200"), came(c, "200")}, false},
		{"each of its attempts",
			[]flow.Observation{made(b, "200", "3"), came(b, "503"), came(b, "503"), came(b, "200")}, true},
		{"its attempts at two pods", []flow.Observation{made(b, "200", "2"), came(c, "503"), came(b, "200")}, true},
		{"more than its attempts",
			[]flow.Observation{made(b, "200", "2"), came(c, "503"), came(b, "503"), came(b, "200")}, false},
		{"its attempts without the last", []flow.Observation{made(b, "200", "2"), came(b, "503")}, false},
		{"one attempt is none that is counted", []flow.Observation{made(b, "200", "1"), came(b, "200")}, false},
		{"a count of no call", []flow.Observation{{Instrument: flow.AccessLog, Kind: flow.App,
			Facts: []flow.Seen{{Name: flow.FactNextAttempts, Value: "2"}}}}, false},
	} {
		n := nextOf(flow.Run{Observations: test.seen})
		if fine := len(n.problems) == 0; fine != test.fine {
			t.Errorf("%s: %q", test.name, n.problems)
		}
	}
}

// TestNextJoined joins what two instruments tell of calls to one URL, of which one tells when they
// begin and one when they end.
func TestNextJoined(t *testing.T) {
	call := func(by flow.Instrument, endpoint, status string) flow.Observation {
		facts := []flow.Seen{{Name: flow.FactNextCall, Value: "GET b:80/"}}
		if endpoint != "" {
			facts = append(facts, flow.Seen{Name: flow.FactNextEndpoint, Value: endpoint})
		}
		if status != "" {
			facts = append(facts, flow.Seen{Name: flow.FactNextStatus, Value: status})
		}
		return flow.Observation{Instrument: by, Side: flow.Server, Kind: flow.App,
			Where: flow.Where{Pod: "a.mark"}, Facts: facts}
	}
	const b, c, log, access = "10.0.0.2:80", "10.0.0.3:80", flow.EnvoyLog, flow.AccessLog
	for _, test := range []struct {
		name  string
		seen  []flow.Observation
		calls int
		fine  bool
	}{
		{"in one order", []flow.Observation{call(log, b, "200"), call(log, b, "503"), call(access, b, "200"),
			call(access, b, "503")}, 2, true},
		{"the second ended first", []flow.Observation{call(log, b, "200"), call(log, b, "503"), call(access, b, "503"),
			call(access, b, "200")}, 2, true},
		{"the first goes on", []flow.Observation{call(log, b, ""), call(log, b, "200"), call(access, b, "200")},
			2, true},
		{"at two endpoints", []flow.Observation{call(log, b, "200"), call(log, "", "200"), call(access, c, "200"),
			call(access, b, "200")}, 2, true},
		{"another answer", []flow.Observation{call(log, b, "200"), call(access, b, "503")}, 1, false},
		{"another endpoint", []flow.Observation{call(log, b, "200"), call(access, c, "200")}, 1, false},
		{"one that the other did not see", []flow.Observation{call(log, b, "200"), call(log, b, "200"),
			call(access, b, "200")}, 2, false},
	} {
		n := nextOf(flow.Run{Observations: test.seen, Watches: []flow.Watch{
			{Instrument: log, Pod: "a.mark", Complete: true}, {Instrument: access, Pod: "a.mark", Complete: true}}})
		if fine := len(n.problems) == 0; fine != test.fine || len(n.calls) != test.calls {
			t.Errorf("%s: %d calls, %q", test.name, len(n.calls), n.problems)
		}
	}
}
