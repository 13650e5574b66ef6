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
