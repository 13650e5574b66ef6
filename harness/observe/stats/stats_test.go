package stats

import (
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/observetest"
)

func counters(t testing.TB, name string) Counters {
	t.Helper()
	return observetest.File(t, name, Parse)
}

// TestObserve reads the counters of two real sidecars around one request.
func TestObserve(t *testing.T) {
	for _, c := range []struct {
		name string
		want []string
	}{
		{"client-cold", []string{"app upstream.status=200",
			"cluster cluster=outbound|8080||fortio-server.mark.svc.cluster.local", "connect upstream.reused=false",
			"downstream-tls tls.handshakes=0", "listener downstream.accepted=1", "listener listener=0.0.0.0_8080",
			"network-filters stat.prefix=outbound_0.0.0.0_8080", "upstream-tls tls.handshakes=1",
			"upstream-tls transport=tls"}},
		{"server-cold", []string{"app upstream.status=200", "cluster cluster=inbound|8080||",
			"connect upstream.reused=false", "downstream-tls tls.handshakes=1",
			"downstream-tls transport=tls", "listener downstream.accepted=1", "listener listening=0.0.0.0:15006",
			"network-filters stat.prefix=inbound_0.0.0.0_8080", "upstream-tls tls.handshakes=0",
			"upstream-tls transport=raw_buffer"}},
		{"client-warm", []string{"app upstream.status=200",
			"cluster cluster=outbound|8080||fortio-server.mark.svc.cluster.local", "connect upstream.reused=true",
			"downstream-tls tls.handshakes=0", "listener downstream.accepted=1", "listener listener=0.0.0.0_8080",
			"network-filters stat.prefix=outbound_0.0.0.0_8080"}},
		// The client reuses its connection, and the worker that has it dials the app
		// for the first time.
		{
			"server-warm", []string{"app upstream.status=200", "cluster cluster=inbound|8080||",
				"connect upstream.reused=false", "network-filters stat.prefix=inbound_0.0.0.0_8080",
				"upstream-tls tls.handshakes=0", "upstream-tls transport=raw_buffer"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen, watch := Observe(counters(t, c.name+"-before.txt"), counters(t, c.name+"-after.txt"),
				Selection{Pod: "a.b"})
			if got := observetest.Sorted(seen); !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
			if !watch.Complete {
				t.Error(watch.Problem)
			}
			for _, o := range seen {
				able := slices.ContainsFunc(watch.Sees, func(s flow.Capability) bool {
					return s.Kind == o.Kind && s.Fact == o.Facts[0].Name
				})
				if !able || o.Raw == "" {
					t.Errorf("%s %s is seen by an instrument that does not say it can (%q)", o.Kind,
						o.Facts[0].Name, o.Raw)
				}
			}
		})
	}
}

func TestOtherTraffic(t *testing.T) {
	before := Counters{"listener.0.0.0.0_8080.downstream_cx_total": 1, "listener.0.0.0.0_9090.downstream_cx_total": 5,
		"cluster.a.upstream_rq_total": 1}
	for _, c := range []struct {
		name    string
		after   Counters
		problem string
		seen    int
	}{
		{
			"two listeners", Counters{"listener.0.0.0.0_8080.downstream_cx_total": 2,
				"listener.0.0.0.0_9090.downstream_cx_total": 6},
			"listener.0.0.0.0_8080.downstream_cx_total by 1, listener.0.0.0.0_9090.downstream_cx_total by 1 went up", 0,
		},
		{"two requests", Counters{"cluster.a.upstream_rq_total": 3}, "cluster.a.upstream_rq_total by 2 went up", 0},
		{"a probe of health", Counters{"listener.0.0.0.0_15021.downstream_cx_total": 2,
			"listener.0.0.0.0_8080.downstream_cx_total": 1, "cluster.agent.upstream_rq_total": 9}, "", 0},
		{"Envoy was restarted",
			Counters{"cluster.a.upstream_rq_total": 0, "listener.0.0.0.0_9090.downstream_cx_total": 0}, "", 0},
		{"nothing", Counters{}, "", 0},
	} {
		seen, watch := Observe(before, c.after, Selection{})
		if len(seen) != c.seen || !watch.Complete || (c.problem == "") != (watch.Abstains == "") ||
			!strings.Contains(watch.Abstains, c.problem) {
			t.Errorf("%s: %v, abstains %q", c.name, observetest.Sorted(seen), watch.Abstains)
		}
	}
}

func TestParse(t *testing.T) {
	got, err := Parse(strings.NewReader("a.b: 1\ncluster.x: y: 2\nt: \"text\"\nh: P0(nan,0) P25(1,2)\n\n"))
	if err != nil || len(got) != 2 || got["a.b"] != 1 || got["cluster.x: y"] != 2 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := Parse(strings.NewReader("a: 1\n<html>\n")); err == nil ||
		!strings.HasPrefix(err.Error(), "read stats: line 2: ") {
		t.Errorf("error %v", err)
	}
	if _, err := Parse(strings.NewReader("a: 1\n" + strings.Repeat("x", 2*maxLine))); err == nil {
		t.Error("a line without end was read")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("listener.0.0.0.0_8080.downstream_cx_total: 2\ncluster.a.upstream_rq_total: 3\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := Parse(strings.NewReader(text))
		if err != nil && !strings.HasPrefix(err.Error(), "read stats: ") {
			t.Errorf("error without a place: %v", err)
		}
		Observe(Counters{}, all, Selection{})
	})
}
