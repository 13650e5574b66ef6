package stats

import (
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/observetest"
)

// TestInspectors reads the counters of two real sidecars that show those of their listener filters.
func TestInspectors(t *testing.T) {
	for name, want := range map[string][]string{
		"client-inspected": {"listener-filters listener.filter=envoy.filters.listener.http_inspector",
			"network-filters stat.prefix=outbound_0.0.0.0_8080"},
		"server-inspected": {"listener-filters listener.filter=envoy.filters.listener.tls_inspector",
			"listener-filters transport=tls", "network-filters stat.prefix=inbound_0.0.0.0_8080"},
	} {
		seen, w := Observe(counters(t, name+"-before.txt"), counters(t, name+"-after.txt"), Selection{})
		got := slices.DeleteFunc(observetest.Sorted(seen), func(f string) bool {
			return !strings.HasPrefix(f, "listener-filters ") && !strings.HasPrefix(f, "network-filters ")
		})
		if !slices.Equal(got, want) || !w.Complete {
			t.Errorf("%s: %v, want %v; %s", name, got, want, w.Problem)
		}
	}
}

// TestMoved moves single counters: what each proves, and what two of a kind do not.
func TestMoved(t *testing.T) {
	before := Counters{"tls_inspector.tls_found": 3, "tls_inspector.tls_not_found": 1, "http_inspector.http11_found": 7,
		"http_inspector.http2_found":                   0,
		"listener.0.0.0.0_15006.no_filter_chain_match": 0, "listener.0.0.0.0_15001.no_filter_chain_match": 0,
		"cluster.BlackHoleCluster;.upstream_cx_none_healthy": 0,
		"http.inbound_0.0.0.0_8080;.downstream_rq_2xx":       4, "http.inbound_0.0.0.0_8080;.downstream_rq_5xx": 0,
		"tcp.BlackHoleCluster.downstream_cx_total": 2,
		"http.admin.downstream_rq_2xx":             9, "http.agent.downstream_rq_2xx": 9}
	for _, c := range []struct {
		name    string
		moved   []string
		want    string
		problem string
	}{
		{"nothing", nil, "", ""},
		{"TLS", []string{"tls_inspector.tls_found"},
			"listener-filters listener.filter=" + tlsInspector + ", listener-filters transport=tls", ""},
		{"no TLS", []string{"tls_inspector.tls_not_found"},
			"listener-filters listener.filter=" + tlsInspector + ", listener-filters transport=raw_buffer", ""},
		{"two connections", []string{"tls_inspector.tls_found", "tls_inspector.tls_not_found"}, "",
			"other connections were inspected: " + tlsInspector + " counted 2"},
		{"HTTP/2", []string{"http_inspector.http2_found"}, "listener-filters listener.filter=" + httpInspector, ""},
		{"no filter chain", []string{"listener.0.0.0.0_15006.no_filter_chain_match"},
			"filter-chain response.details=filter_chain_not_found", ""},
		{"no filter chain twice", []string{"listener.0.0.0.0_15006.no_filter_chain_match",
			"listener.0.0.0.0_15001.no_filter_chain_match"}, "", "went up"},
		{"an answer", []string{"http.inbound_0.0.0.0_8080;.downstream_rq_5xx"},
			"network-filters stat.prefix=inbound_0.0.0.0_8080", ""},
		{"two answers of one manager", []string{"http.inbound_0.0.0.0_8080;.downstream_rq_5xx",
			"http.inbound_0.0.0.0_8080;.downstream_rq_2xx"}, "", "the counters cannot be told apart"},
		{"an answer and a stream", []string{"http.inbound_0.0.0.0_8080;.downstream_rq_2xx",
			"tcp.BlackHoleCluster.downstream_cx_total"}, "", "the counters cannot be told apart"},
		{"a black hole", []string{"tcp.BlackHoleCluster.downstream_cx_total",
			"cluster.BlackHoleCluster;.upstream_cx_none_healthy"},
			"cluster cluster=BlackHoleCluster, network-filters stat.prefix=BlackHoleCluster", ""},
		{"the sidecar's own", []string{"http.admin.downstream_rq_2xx", "http.agent.downstream_rq_2xx"}, "", ""},
	} {
		after := Counters{}
		for name, n := range before {
			after[name] = n
			if slices.Contains(c.moved, name) {
				after[name]++
			}
		}
		seen, w := Observe(before, after, Selection{})
		if got := strings.Join(observetest.Sorted(seen), ", "); got != c.want ||
			(w.Abstains == "") != (c.problem == "") || !strings.Contains(w.Abstains, c.problem) {
			t.Errorf("%s: %q, want %q; abstains %q, want %q", c.name, got, c.want, w.Abstains, c.problem)
		}
		can := func(filter string) bool {
			return slices.Contains(w.Sees, flow.Capability{Kind: flow.ListenerFilters, Fact: flow.FactFilter,
				Value: filter})
		}
		if c.problem == "" && (!can(tlsInspector) || !can(httpInspector)) {
			t.Errorf("%s: a filter whose counters are shown and stand still did not run, and that is not said", c.name)
		}
	}
	if _, w := Observe(Counters{}, Counters{}, Selection{}); len(w.Sees) > 0 {
		t.Errorf("hidden counters show %v", w.Sees)
	}
}
