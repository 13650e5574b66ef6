package verify

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

func TestJudgeWorkshop(t *testing.T) {
	v := Judge(workshop())
	for _, h := range v.Hops {
		if h.State != flow.Confirmed {
			t.Errorf("%s %s: %s: %s", h.Side, h.Kind, h.State, h.Reason)
		}
	}
	if v.Result != flow.Verified || Summary(v) != "confirmed 9/9 hops, 0 not observed, 0 refuted" {
		t.Errorf("%s: %s %q", v.Result, Summary(v), v.Problems)
	}
	if got := v.Hops[5].Reason; !strings.HasPrefix(got, "not watched: filter.chain") {
		t.Errorf("a fact that no instrument can see must be named: %q", got)
	}
}

// TestTakeEvidenceAway removes, for each hop, everything that it rests on: the hop must fall,
// and with it the run.
func TestTakeEvidenceAway(t *testing.T) {
	whole := Judge(workshop())
	for i, h := range whole.Hops {
		run := workshop()
		var gone []int
		for _, e := range h.Evidence {
			gone = append(gone, e.Observation)
		}
		var kept []flow.Observation
		for k, o := range run.Observations {
			if !slices.Contains(gone, k) {
				kept = append(kept, o)
			}
		}
		run.Observations = kept
		v := Judge(run)
		if v.Hops[i].State != flow.NotObserved || v.Hops[i].Reason == "" || v.Result != flow.Incomplete {
			t.Errorf("%s %s without evidence: %s (%q), run %s", h.Side, h.Kind, v.Hops[i].State,
				v.Hops[i].Reason, v.Result)
		}
	}
}

// TestTakeEachObservationAway removes one observation after the other: the number of confirmed hops
// must never grow, and an observation that is a deciding fact's only witness must cost its hop.
func TestTakeEachObservationAway(t *testing.T) {
	for k := range workshop().Observations {
		run := workshop()
		gone := run.Observations[k]
		run.Observations = slices.Delete(run.Observations, k, k+1)
		if v := Judge(run); v.Refuted > 0 {
			t.Errorf("without %s %s of %s: a missing observation must not refute", gone.Side, gone.Kind,
				gone.Instrument)
		}
	}
}

// TestAlterExpectation gives each expected fact another value: its hop must be refuted.
func TestAlterExpectation(t *testing.T) {
	for i, h := range workshop().Path.Hops {
		for k, f := range h.Expect {
			if f.Absent || f.Name == flow.FactFilterChain {
				continue // no instrument can see the chain's name here
			}
			run := workshop()
			run.Path.Hops[i].Expect[k].Value = "altered"
			if got := Judge(run).Hops[i]; got.State != flow.Refuted {
				t.Errorf("%s %s expecting %s=altered: %s (%s), want refuted", h.Side, h.Kind, f.Name, got.State,
					got.Reason)
			}
		}
	}
}

// TestAlterObservation gives each observed value that decides something another value: a
// hop must be refuted.
func TestAlterObservation(t *testing.T) {
	for i, o := range workshop().Observations {
		for k, s := range o.Facts {
			run := workshop()
			run.Observations[i].Facts[k].Value = "altered"
			v := Judge(run)
			if decides(s.Name, o) && v.Refuted == 0 {
				t.Errorf("%s %s=%s of %s altered, and nothing is refuted", o.Kind, s.Name, s.Value, o.Instrument)
			}
			if v.Result == flow.Verified && decides(s.Name, o) {
				t.Errorf("%s %s altered, and the run is verified", o.Kind, s.Name)
			}
		}
	}
}

// decides leaves out the sidecar's process at hops that expect none.
func decides(name string, o flow.Observation) bool {
	return name != flow.FactProcess || o.Kind == flow.App || (o.Kind == flow.Connect && o.Side == flow.Client)
}

func TestJudge(t *testing.T) {
	log := func(complete bool, sees ...string) flow.Watch {
		w := watch(flow.EnvoyLog, flow.Server, sees...)
		w.Complete = complete
		return w
	}
	inspector := []string{"listener-filters", flow.FactFilter}
	noInspector := hop(flow.Server, flow.ListenerFilters, absent(flow.FactFilter, inspect+"http_inspector"))
	lost := watch(flow.Trace, flow.Server, inspector...)
	lost.Lost = 3
	balanced := hop(flow.Server, flow.Endpoint, fact(flow.FactEndpoint, ""))
	balanced.Choices = []flow.Choice{{Name: "10.0.0.1:80", Share: 0.5}, {Name: "10.0.0.2:80", Share: 0.5},
		{Name: "10.0.0.3:80", Share: 0}}
	for _, c := range []struct {
		name    string
		hop     flow.Hop
		seen    []flow.Observation
		watches []flow.Watch
		state   flow.State
		result  flow.Result
		reason  string
	}{
		{"absence is proven by a complete watch", noInspector, nil, []flow.Watch{log(true, inspector...)},
			flow.Confirmed, flow.Verified, ""},
		{"absence is not proven by a log that was cut", noInspector, nil, []flow.Watch{log(false, inspector...)},
			flow.NotObserved, flow.Incomplete, "is not proven"},
		{"absence is not proven where events were lost", noInspector, nil, []flow.Watch{lost}, flow.NotObserved,
			flow.Incomplete, "lost 3 events"},
		{"absence is not proven by who cannot see it", noInspector, nil, []flow.Watch{log(true)}, flow.NotObserved,
			flow.Incomplete, "no instrument that ran can see absence of listener.filter"},
		{"absence is not proven by a snapshot",
			hop(flow.Server, flow.Connect, absent(flow.FactUpstreamRemote, "")), nil,
			[]flow.Watch{watch(flow.Sockets, flow.Server, "connect", flow.FactUpstreamRemote)}, flow.NotObserved,
			flow.Incomplete, "no instrument that ran"},
		{"what must be absent is seen", noInspector,
			[]flow.Observation{seen(flow.EnvoyLog, flow.Server, flow.ListenerFilters, flow.FactFilter,
				inspect+"http_inspector")},
			[]flow.Watch{log(true, inspector...)}, flow.Refuted, flow.Mismatch,
			"must not be there, and log saw " + inspect + "http_inspector"},
		{"a hop that expects nothing", hop(flow.Server, flow.Route), nil, []flow.Watch{log(true)}, flow.NotObserved,
			flow.Incomplete, "predicts nothing"},
		{"the instrument that would see it did not run",
			hop(flow.Server, flow.FilterChain, fact(flow.FactFilterChain, "x")), nil, []flow.Watch{log(true)},
			flow.NotObserved, flow.Incomplete, "no instrument that ran can see filter.chain; access-log or ebpf would"},
		{"one of several endpoints", balanced,
			[]flow.Observation{seen(flow.EnvoyLog, flow.Server, flow.Endpoint, flow.FactEndpoint, "10.0.0.2:80")},
			[]flow.Watch{log(true)}, flow.Confirmed, flow.Verified, ""},
		{"an endpoint without a share", balanced,
			[]flow.Observation{seen(flow.EnvoyLog, flow.Server, flow.Endpoint, flow.FactEndpoint, "10.0.0.3:80")},
			[]flow.Watch{log(true)}, flow.Refuted, flow.Mismatch, "expected"},
		{"two instruments disagree", hop(flow.Server, flow.Endpoint, fact(flow.FactEndpoint, "10.0.0.1:80")),
			[]flow.Observation{
				seen(flow.EnvoyLog, flow.Server, flow.Endpoint, flow.FactEndpoint, "10.0.0.1:80"),
				seen(flow.Sockets, flow.Server, flow.Endpoint, flow.FactEndpoint, "10.0.0.2:80")},
			[]flow.Watch{log(true)}, flow.Refuted, flow.Mismatch, "sockets saw 10.0.0.2:80"},
		{"a rule of order is broken", hop(flow.Server, flow.Connect, fact(flow.FactUpstreamReused, "false")),
			[]flow.Observation{
				seen(flow.EnvoyLog, flow.Server, flow.Connect, flow.FactUpstreamReused, "false"),
				seen(flow.EnvoyLog, flow.Server, flow.Connect, flow.FactOrder, "R6.2: x")},
			[]flow.Watch{log(true)}, flow.Refuted, flow.Mismatch, "the order of events: R6.2: x"},
		{"another pod's observation", hop(flow.Server, flow.Endpoint, fact(flow.FactEndpoint, "10.0.0.1:80")),
			[]flow.Observation{
				{
					Instrument: flow.EnvoyLog, Side: flow.Server, Kind: flow.Endpoint,
					Where: flow.Where{Pod: "other.mark"},
					Facts: []flow.Seen{{Name: flow.FactEndpoint, Value: "10.0.0.1:80"}},
				}},
			[]flow.Watch{log(true, "endpoint", flow.FactEndpoint)}, flow.NotObserved, flow.Incomplete,
			"endpoint was not seen, and log of fortio-server.mark would have shown it"},
		{"transport upstream says nothing of transport downstream",
			hop(flow.Server, flow.DownstreamTLS, fact(flow.FactTransport, "tls")), []flow.Observation{
				seen(flow.EnvoyLog, flow.Server, flow.UpstreamTLS, flow.FactTransport, "tls")}, []flow.Watch{log(true)},
			flow.NotObserved, flow.Incomplete, "no instrument"},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := flow.Run{Path: flow.Path{Hops: []flow.Hop{c.hop}}, Observations: c.seen, Watches: c.watches}
			v := Judge(run)
			if h := v.Hops[0]; h.State != c.state || v.Result != c.result || !strings.Contains(h.Reason, c.reason) {
				t.Errorf("%s, run %s: %q; want %s, %s: %q", h.State, v.Result, h.Reason, c.state, c.result, c.reason)
			}
		})
	}
}

func TestJoin(t *testing.T) {
	run := workshop()
	// the client's end of the connection, as its sockets saw it
	run.Observations[3].Facts[0].Value = "172.21.206.228:40000"
	v := Judge(run)
	for i, h := range v.Hops {
		expectsTuple := slices.ContainsFunc(run.Path.Hops[i].Expect, func(f flow.Fact) bool { return f.Join == tuple })
		if expectsTuple != (h.State == flow.Refuted) {
			t.Errorf("%s %s: %s: %s", h.Side, h.Kind, h.State, h.Reason)
		}
	}
	if want := "client-to-server is one thing and must be seen as one value: "; !strings.Contains(v.Hops[2].Reason,
		want) || !strings.Contains(v.Hops[3].Reason, want) {
		t.Errorf("reasons %q and %q", v.Hops[2].Reason, v.Hops[3].Reason)
	}
}

// TestJoinIsNoWitness takes away what was seen at one end of a connection: the other end does not
// prove it, because it is the same connection only if both ends say so.
func TestJoinIsNoWitness(t *testing.T) {
	run := workshop()
	run.Observations = slices.DeleteFunc(run.Observations, func(o flow.Observation) bool { return o.Kind == flow.App })
	if h := Judge(run).Hops[8]; h.State != flow.NotObserved {
		t.Errorf("the app is %s, though only its sidecar's end of the connection was seen", h.State)
	}
}

func TestNothingIsVerified(t *testing.T) {
	for name, run := range map[string]flow.Run{
		"no hops":    {Watches: workshop().Watches},
		"no watches": {Path: workshop().Path, Observations: workshop().Observations},
		"nothing":    {},
	} {
		if v := Judge(run); v.Result != flow.Incomplete || len(v.Problems) == 0 {
			t.Errorf("%s: %s, %q", name, v.Result, v.Problems)
		}
	}
	for i := range workshop().Watches {
		run := workshop()
		run.Watches[i].Complete, run.Watches[i].Problem = false, "cut"
		if v := Judge(run); v.Result != flow.Incomplete ||
			v.Problems[0] != fmt.Sprintf("%s: cut", watchName(run.Watches[i])) {
			t.Errorf("with %s cut: %s, %q", watchName(run.Watches[i]), v.Result, v.Problems)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, value string
		want           bool
	}{
		{"a", "a", true}, {"a", "b", false}, {"", "x", true}, {"*", "", true}, {"10.0.0.1:*", "10.0.0.1:52", true},
		{"10.0.0.1:*", "10.0.0.11:5", false},
		{"*:80", "h:80", true}, {"a*b*c", "a1b2c", true}, {"a*b*c", "acb", false}, {"a*a", "a", false},
		{"ab*ba", "aba", false},
	} {
		if got := matches(c.pattern, c.value); got != c.want {
			t.Errorf("matches(%q, %q) = %v", c.pattern, c.value, got)
		}
	}
}
