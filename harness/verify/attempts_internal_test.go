package verify

import (
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// TestAttemptsArrived joins attempts with what is told of them where they arrived: by the number
// that the proxy which made them counts, though the proxy where they arrive counts its own.
func TestAttemptsArrived(t *testing.T) {
	const (
		client, gateway, server = "client.mark", "gateway.mark", "server.mark"
		late                    = "upstream per try timeout"
	)
	seen := func(side flow.Side, pod string, by flow.Instrument, facts ...string) flow.Observation {
		o := flow.Observation{Instrument: by, Side: side, Kind: flow.Connect, Where: flow.Where{Pod: pod}}
		for i := 0; i < len(facts); i += 2 {
			if facts[i+1] != "" {
				o.Facts = append(o.Facts, flow.Seen{Name: facts[i], Value: facts[i+1]})
			}
		}
		return o
	}
	made := func(side flow.Side, pod, number, failure, status string) flow.Observation {
		connection := flow.NewConnection
		if strings.Contains(failure, "refused") {
			connection = ""
		}
		return seen(side, pod, flow.EnvoyLog, flow.FactAttempt, number, flow.FactAttemptEndpoint, "10.0.0.2:80",
			flow.FactAttemptConnects, connection, flow.FactAttemptFailure, failure, flow.FactAttemptStatus, status)
	}
	came := func(by flow.Instrument, k, number, status string) flow.Observation {
		return seen(flow.Server, server, by, flow.FactArrival, k, flow.FactAttempt, number,
			flow.FactAttemptStatus, status)
	}
	const log, access = flow.EnvoyLog, flow.AccessLog
	retried := []flow.Observation{made(flow.Client, client, "1", "", ""), made(flow.Client, client, "2", "", "200")}
	for _, c := range []struct {
		name     string
		outside  bool
		seen     []flow.Observation
		statuses []int
		problem  string // "": there is none
	}{
		{name: "both came", seen: append(retried, came(log, "1", "1", "503"), came(log, "2", "2", "200"),
			came(access, "1", "", "503"), came(access, "2", "", "200")), statuses: []int{503, 200}},
		{name: "the second was answered with another", seen: append(retried, came(log, "1", "1", "503"),
			came(log, "2", "2", "500")), statuses: []int{503, 200}, problem: "answered with 200, and log saw 500"},
		{name: "one came that was not made", seen: append(retried, came(log, "1", "1", "503"),
			came(log, "2", "2", "200"), came(log, "3", "3", "200")), statuses: []int{503, 200},
			problem: "attempt 3 arrived"},
		{name: "one was answered, and it is not told with what", seen: append(retried, came(log, "1", "1", ""),
			came(log, "2", "2", "200")), statuses: []int{0, 200}, problem: "not what it was answered with"},
		{name: "one was given up", seen: []flow.Observation{made(flow.Client, client, "1", late, ""),
			made(flow.Client, client, "2", "", "200"), came(log, "1", "1", ""), came(log, "2", "2", "200"),
			came(access, "1", "", "0"), came(access, "2", "", "200")}, statuses: []int{0, 200}},
		{name: "the server's own attempts have these numbers too", seen: append([]flow.Observation{
			made(flow.Server, server, "1", "refused", ""), made(flow.Server, server, "2", "refused", "")},
			append(retried, came(log, "1", "1", "503"), came(log, "2", "2", "200"))...),
			statuses: []int{503, 200, 0, 0}},
		{name: "a gateway's, of a client outside of the mesh", outside: true, seen: []flow.Observation{
			made(flow.Server, gateway, "1", "", ""), made(flow.Server, gateway, "2", "", "200"),
			came(log, "1", "1", "503"), came(log, "2", "2", "200")}, statuses: []int{503, 200}},
	} {
		run := flow.Run{Call: flow.Call{From: "client", Namespace: "mark", Outside: c.outside}, Observations: c.seen}
		got := attemptsOf(run)
		said := strings.Join(got.problems, "; ")
		if c.problem == "" && said != "" || !strings.Contains(said, c.problem) {
			t.Errorf("%s: %q, want %q", c.name, got.problems, c.problem)
		}
		for i, a := range got.attempts {
			if i >= len(c.statuses) || a.Status != c.statuses[i] {
				t.Errorf("%s: attempt %+v, want statuses %v", c.name, a, c.statuses)
			}
		}
	}
}
