package verify

import (
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// TestUnexplained adds one observation to a run that is verified: what the inferred way does not
// explain refutes it.
func TestUnexplained(t *testing.T) {
	run := func() flow.Run {
		run := workshop()
		filters := hop(flow.Server, flow.HTTPFilters, fact(flow.FactHTTPFilter, "envoy.filters.http.router"),
			flow.Fact{Name: flow.FactHTTPFilter, Value: "my-*", May: true})
		run.Path.Hops = append(run.Path.Hops[:7:7], append([]flow.Hop{filters}, run.Path.Hops[7:]...)...)
		run.Path.Hops[5].Expect = run.Path.Hops[5].Expect[:1] // no instrument sees the chain's name here
		run.Path.Outcome = flow.Forwarded
		run.Observations = append(run.Observations, seen(flow.EnvoyLog, flow.Server, flow.HTTPFilters,
			flow.FactHTTPFilter, "envoy.filters.http.router"))
		return run
	}
	if v := Judge(run()); v.Result != flow.Verified {
		t.Fatalf("the run itself is %s: %q %+v", v.Result, v.Problems, v.Hops)
	}
	for _, c := range []struct {
		name   string
		added  flow.Observation
		result flow.Result
		reason string
	}{
		{"an HTTP filter", seen(flow.EnvoyLog, flow.Server, flow.HTTPFilters, flow.FactHTTPFilter,
			"envoy.filters.http.lua"), flow.Mismatch,
			"http.filter envoy.filters.http.lua was not inferred, and log saw it act"},
		{"a listener filter", seen(flow.Trace, flow.Server, flow.ListenerFilters, flow.FactFilter,
			inspect+"local_ratelimit"), flow.Mismatch,
			"listener.filter envoy.filters.listener.local_ratelimit was not inferred, and ebpf saw it act"},
		{"a listener filter that must not run", seen(flow.Stats, flow.Server, flow.ListenerFilters, flow.FactFilter,
			inspect+"http_inspector"),
			flow.Mismatch, "absence of listener.filter"},
		{"a filter that may run", seen(flow.EnvoyLog, flow.Server, flow.HTTPFilters, flow.FactHTTPFilter, "my-filter"),
			flow.Verified, ""},
		{"a filter that was inferred, once more", seen(flow.Trace, flow.Server, flow.HTTPFilters, flow.FactHTTPFilter,
			"envoy.filters.http.router"), flow.Verified, ""},
		{"a filter in another pod", flow.Observation{Instrument: flow.EnvoyLog, Side: flow.Server,
			Kind:  flow.HTTPFilters,
			Where: flow.Where{Pod: "other.mark"},
			Facts: []flow.Seen{{Name: flow.FactHTTPFilter, Value: "envoy.filters.http.lua"}}}, flow.Verified, ""},
		{"a hop that the way does not have", seen(flow.EnvoyLog, flow.Server, flow.NetworkFilters,
			flow.FactNetworkFilter, "envoy.filters.network.rbac"),
			flow.Mismatch, "the way has no hop network-filters"},
		{"another status than was seen", seen(flow.AccessLog, flow.Server, flow.App, flow.FactStatus, "503"),
			flow.Mismatch, "status: expected 200"},
		{"a value of an open fact", seen(flow.EnvoyLog, flow.Server, flow.App, flow.FactFlags, "UC"),
			flow.Verified, ""},
		{"connections of the whole time", seen(flow.EnvoyLog, flow.Server, flow.Listener, flow.FactConnections, "7"),
			flow.Verified, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := run()
			run.Observations = append(run.Observations, c.added)
			v := Judge(run)
			var reasons []string
			for _, h := range v.Hops {
				if h.State == flow.Refuted {
					reasons = append(reasons, h.Reason)
				}
			}
			if v.Result != c.result || !strings.Contains(strings.Join(reasons, "; "),
				strings.TrimPrefix(c.reason, "absence of ")) {
				t.Errorf("%s: %q; want %s: %q", v.Result, reasons, c.result, c.reason)
			}
		})
	}
}

// TestOneFactOneValue adds two values of a fact that inference leaves open.
func TestOneFactOneValue(t *testing.T) {
	for _, c := range []struct {
		name        string
		first, then flow.Observation
		refuted     bool
	}{
		{"two instruments", seen(flow.AccessLog, flow.Server, flow.App, flow.FactFlags, "UC"),
			seen(flow.EnvoyLog, flow.Server, flow.App, flow.FactFlags, "UF"), true},
		{"one instrument twice", seen(flow.EnvoyLog, flow.Server, flow.Route, flow.FactDetails, "a"),
			seen(flow.EnvoyLog, flow.Server, flow.Route, flow.FactDetails, "b"), true},
		{"the same value", seen(flow.AccessLog, flow.Server, flow.Route, flow.FactDetails, "a"),
			seen(flow.EnvoyLog, flow.Server, flow.Route, flow.FactDetails, "a"), false},
		{"either end has its own", seen(flow.EnvoyLog, flow.Server, flow.ListenerFilters, flow.FactALPN, "istio"),
			seen(flow.Trace, flow.Server, flow.UpstreamTLS, flow.FactALPN, "h2"), false},
		{"either side has its own", seen(flow.AccessLog, flow.Client, flow.App, flow.FactStatus, "503"),
			seen(flow.AccessLog, flow.Server, flow.App, flow.FactFlags, "UC"), false},
	} {
		run := workshop()
		run.Observations = append(run.Observations, c.first, c.then)
		if got := Judge(run).Result == flow.Mismatch; got != c.refuted {
			t.Errorf("%s: refuted %v, want %v", c.name, got, c.refuted)
		}
	}
}

// TestAbstention takes from a hop all but an instrument that abstains: the verdict says so, and
// where another instrument saw the hop the abstention alone makes no run incomplete.
func TestAbstention(t *testing.T) {
	run := workshop()
	run.Path.Hops[5].Expect = run.Path.Hops[5].Expect[:1]
	run.Watches = append(run.Watches, flow.Watch{Instrument: flow.Netfilter, Side: flow.Server,
		Pod: "fortio-server.mark", Complete: true, Abstains: "other connections were redirected"})
	if v := Judge(run); v.Result != flow.Verified {
		t.Errorf("an abstention beside other witnesses: %s, %q", v.Result, v.Problems)
	}
	kept := run.Observations[:0:0]
	for _, o := range run.Observations {
		if o.Kind != flow.Redirect {
			kept = append(kept, o)
		}
	}
	run.Observations = kept
	if h := Judge(run).Hops[3]; h.State != flow.NotObserved ||
		!strings.Contains(h.Reason, "netfilter of fortio-server.mark abstains: other connections were redirected") {
		t.Errorf("%s: %q", h.State, h.Reason)
	}
}

// TestContradictedBySingleFacts adds one fact that no hop expects to a way in clear text, or takes
// what it contradicts away.
func TestContradictedBySingleFacts(t *testing.T) {
	observed := func(i flow.Instrument, side flow.Side, kind flow.HopKind, name, value string) flow.Observation {
		return flow.Observation{Instrument: i, Side: side, Kind: kind, Where: flow.Where{Pod: "a.x"},
			Facts: []flow.Seen{{Name: name, Value: value}}}
	}
	hop := flow.Hop{Kind: flow.Connect, Side: flow.Client, Proxy: "a.x"}
	clear := observed(flow.Trace, flow.Client, flow.ListenerFilters, flow.FactTransport, "raw_buffer")
	for _, c := range []struct {
		name    string
		change  func(*flow.Run)
		add     flow.Observation
		refuted string
	}{
		{"a server name in clear text", nil, observed(flow.Trace, flow.Client, flow.ListenerFilters, flow.FactSNI, "x"),
			"ebpf saw the connection in clear text"},
		{"one where nothing tells of the transport", func(r *flow.Run) { r.Observations = nil },
			observed(flow.Trace, flow.Client, flow.ListenerFilters, flow.FactSNI, "x"), ""},
		{"on the other end", nil, observed(flow.Trace, flow.Client, flow.UpstreamTLS, flow.FactSNI, "x"), ""},
		{"a certificate in clear text", nil, observed(flow.EnvoyLog, flow.Client, flow.DownstreamTLS, flow.FactXFCC,
			"spiffe://x"), "in clear text"},
		{"one that the sender wrote", func(r *flow.Run) {
			r.Call.Headers = flow.Headers{"x-forwarded-client-cert": {"spiffe://x"}}
		},
			observed(flow.EnvoyLog, flow.Client, flow.DownstreamTLS, flow.FactXFCC, "spiffe://x"), ""},
		{"a reply of the proxy's own", nil, observed(flow.AccessLog, flow.Client, flow.App, flow.FactFlags, "NR"),
			"the way leads on to the application"},
		{"a reply after a failed attempt", func(r *flow.Run) {
			r.Observations = append(r.Observations, observed(flow.AccessLog, flow.Client, flow.App,
				flow.FactAttempts, "2"))
		}, observed(flow.AccessLog, flow.Client, flow.App, flow.FactFlags, "UH"), ""},
		{"what may come after upstream had it", nil, observed(flow.AccessLog, flow.Client, flow.App,
			flow.FactFlags, "URX"), ""},
		{"a reply that was inferred", func(r *flow.Run) {
			r.Path.Outcome = flow.Answered
		}, observed(flow.AccessLog, flow.Client, flow.App, flow.FactFlags, "NR"), ""},
		{"an application in the client's pod", nil, observed(flow.Trace, flow.Client, flow.App, flow.FactProcess, "nc"),
			"the way has no hop app"},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := flow.Run{
				Path:         flow.Path{Outcome: flow.Forwarded, Beyond: "b.x has no sidecar", Hops: []flow.Hop{hop}},
				Observations: []flow.Observation{clear},
			}
			if c.change != nil {
				c.change(&run)
			}
			run.Observations = append(run.Observations, c.add)
			_, refuted := (&judge{run: run}).unexplained(0)
			if said := strings.Join(refuted, "; "); (said == "") != (c.refuted == "") ||
				!strings.Contains(said, c.refuted) {
				t.Errorf("refuted %q, want %q", said, c.refuted)
			}
		})
	}
}
