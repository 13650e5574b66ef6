package verify

import (
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// saw is one fact that an instrument saw at a pod.
func saw(i flow.Instrument, side flow.Side, pod, fact, value string) flow.Observation {
	return flow.Observation{Instrument: i, Side: side, Where: flow.Where{Pod: pod}, Kind: flow.App,
		Facts: []flow.Seen{{Name: fact, Value: value}}}
}

func TestAnswered(t *testing.T) {
	client := func(i flow.Instrument, fact, value string) flow.Observation {
		return saw(i, flow.Client, "a.mark", fact, value)
	}
	server := func(fact, value string) flow.Observation {
		return saw(flow.AccessLog, flow.Server, "b.mark", fact, value)
	}
	for _, c := range []struct {
		name  string
		seen  []flow.Observation
		want  string
		state flow.State
		fails bool
	}{
		{"nothing", nil, "no answer", flow.NotObserved, true},
		{"the application", []flow.Observation{client(flow.Curl, flow.FactStatus, "200"),
			client(flow.Curl, flow.FactElapsed, "18.8ms"),
			client(flow.AccessLog, flow.FactStatus, "200"), client(flow.AccessLog, flow.FactDetails, "via_upstream"),
			server(flow.FactDetails, "via_upstream"), server(flow.FactEndpoint, "10.0.0.1:8080")},
			"200 by 10.0.0.1:8080 after 18.8ms", flow.Confirmed, false},
		{"the third attempt", []flow.Observation{client(flow.Curl, flow.FactStatus, "503"),
			client(flow.Curl, flow.FactElapsed, "70ms"),
			client(flow.AccessLog, flow.FactAttempts, "3"), server(flow.FactAttempts, "1"),
			server(flow.FactEndpoint, "10.0.0.1:8080")},
			"503 by 10.0.0.1:8080 after 70ms and 3 attempts", flow.NotObserved, true},
		{"the only attempt", []flow.Observation{client(flow.Curl, flow.FactStatus, "200"),
			client(flow.Curl, flow.FactElapsed, "70ms"),
			client(flow.AccessLog, flow.FactAttempts, "1")}, "200 after 70ms", flow.NotObserved, false},
		{"only the client tells", []flow.Observation{client(flow.Curl, flow.FactStatus, "204")}, "204",
			flow.NotObserved, false},
		{"the client's sidecar", []flow.Observation{client(flow.Curl, flow.FactStatus, "504"),
			client(flow.AccessLog, flow.FactStatus, "504"),
			client(flow.AccessLog, flow.FactDetails, "response_timeout"), client(flow.AccessLog, flow.FactFlags, "UT"),
			server(flow.FactDetails, "downstream_remote_disconnect")},
			"504 by a.mark: upstream request timeout (UT)", flow.Confirmed, true},
		{"the server's sidecar", []flow.Observation{client(flow.Curl, flow.FactStatus, "503"),
			client(flow.AccessLog, flow.FactDetails, "via_upstream"),
			server(flow.FactFlags, "UF,URX"),
			server(flow.FactDetails, "upstream_reset_before_response_started{connection_failure}"),
			server(flow.FactUpstreamError, "delayed_connect_error:_Connection_refused")},
			"503 by b.mark: upstream connection failure (UF), the limit of retries or of connection attempts was " +
				"reached (URX), " +
				"delayed connect error: Connection refused", flow.NotObserved, true},
		{"no flag, and details say it", []flow.Observation{client(flow.Curl, flow.FactStatus, "403"),
			client(flow.AccessLog, flow.FactDetails, "rbac_access_denied_matched_policy[none]"),
			client(flow.AccessLog, flow.FactFlags, "-")},
			"403 by a.mark: rbac access denied matched policy[none]", flow.NotObserved, true},
		{"no answer", []flow.Observation{client(flow.Curl, flow.FactFailure, "(6) Could not resolve host: nosuch")},
			"no answer: (6) Could not resolve host: nosuch", flow.NotObserved, true},
		{"an answer that broke off", []flow.Observation{client(flow.Curl, flow.FactStatus, "200"),
			client(flow.Curl, flow.FactFailure, "(18) transfer closed")},
			"200, and the client failed: (18) transfer closed", flow.NotObserved, true},
		{"two that differ", []flow.Observation{client(flow.AccessLog, flow.FactStatus, "200"),
			client(flow.Curl, flow.FactStatus, "503")},
			"503", flow.Refuted, true},
		{"a flag that is not known", []flow.Observation{client(flow.Curl, flow.FactStatus, "500"),
			client(flow.AccessLog, flow.FactDetails, "x"),
			client(flow.AccessLog, flow.FactFlags, "QQ")}, "500 by a.mark: QQ", flow.NotObserved, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := flow.Run{Call: flow.Call{From: "a", Namespace: "mark"}, Observations: c.seen}
			a := Answered(run)
			if got := AnswerText(a); got != c.want || a.State != c.state || a.Failed() != c.fails {
				t.Errorf("got %q, %s, failed %v; want %q, %s, %v", got, a.State, a.Failed(), c.want, c.state, c.fails)
			}
		})
	}
}

func TestWayText(t *testing.T) {
	for _, c := range []struct {
		verdict flow.RunVerdict
		want    string
	}{
		{flow.RunVerdict{Result: flow.Verified, Confirmed: 2, Hops: make([]flow.HopVerdict, 2)},
			"the way is as inferred: 2 of 2 hops seen"},
		{flow.RunVerdict{Result: flow.Consistent, Confirmed: 1, Learned: 1, Hops: make([]flow.HopVerdict, 2)},
			"the way is one of those that are possible: 2 of 2 hops seen"},
		{flow.RunVerdict{Result: flow.Mismatch, Refuted: 1, Hops: make([]flow.HopVerdict, 2)},
			"the way is not as inferred: 1 of 2 hops refuted"},
		{flow.RunVerdict{Result: flow.Incomplete, Confirmed: 1, Hops: make([]flow.HopVerdict, 2)},
			"the way is not proven: 1 of 2 hops seen"},
	} {
		if got := WayText(c.verdict); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
