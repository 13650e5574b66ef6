package envoylog

import (
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/observetest"
)

func read(t testing.TB, name string) []Line { t.Helper(); return observetest.File(t, name, ReadAll) }

func parse(t testing.TB, text string) []Line { t.Helper(); return observetest.Text(t, text, ReadAll) }

const cold, warm, http2, post, clear = "7d3a1b52-9c1e-4f0a-8d6b-0a1b2c3d4e5f", "9d3a1b52-9c1e-4f0a-8d6b-0a1b2c3d4e5f",
	"ad3a1b52-9c1e-4f0a-8d6b-0a1b2c3d4e5f", "bd3a1b52-9c1e-4f0a-8d6b-0a1b2c3d4e5f",
	"cd3a1b52-9c1e-4f0a-8d6b-0a1b2c3d4e5f"

const (
	sni     = "sni=outbound_.8080_._.fortio-server.mark.svc.cluster.local"
	dst     = "redirect original.dst="
	filter  = "listener-filters listener.filter=envoy.filters.listener."
	manager = "network-filters network.filter=envoy.filters.network.http_connection_manager"
	router  = "http-filters http.filter=envoy.filters.http.router"
	xfcc    = "downstream-tls xfcc.uri=spiffe://cluster.local/ns/mark/sa/"
	out     = "cluster cluster=outbound|8080||fortio-server.mark.svc.cluster.local"
	in      = "cluster cluster=inbound|8080||"
)

func TestObserve(t *testing.T) {
	coldServer := func(peer string) []string {
		return []string{dst + "10.77.0.2:8080", filter + "original_dst", filter + "tls_inspector",
			"listener-filters " + sni,
			"listener-filters transport=tls", "listener downstream.peer=" + peer, manager,
			"network-filters codec=http1", router,
			xfcc + "client", in, "upstream-tls socket.match=default", "endpoint endpoint=10.77.0.2:8080",
			"connect upstream.remote=10.77.0.2:8080", "connect upstream.reused=false", "app status=200"}
	}
	coldClient := func(peer string) []string {
		return []string{dst + "10.77.1.1:8080", filter + "original_dst", filter + "tls_inspector",
			"listener-filters transport=raw_buffer",
			filter + "http_inspector", "listener downstream.peer=" + peer, manager,
			"network-filters codec=http1", router, out,
			"endpoint endpoint=10.77.0.2:8080", "connect upstream.remote=10.77.0.2:8080",
			"connect upstream.reused=false", "app status=200"}
	}
	for _, c := range []struct {
		name, log string
		sel       Selection
		want      []string
	}{
		{"server, cold", "server-1.40.log", Selection{RequestID: cold, Workers: 2}, coldServer("10.77.0.1:35312")},
		{"server, cold, older form", "server-1.40-old.log", Selection{RequestID: cold, Workers: 2},
			coldServer("10.77.0.1:58684")},
		{"server, cold, Envoy's own form", "server-1.40-plain.log", Selection{RequestID: cold, Workers: 2},
			coldServer("10.77.0.1:36498")},
		{"client, cold", "client-1.40.log", Selection{RequestID: cold}, coldClient("10.77.0.1:35328")},
		{"client, cold, older form", "client-1.40-old.log", Selection{RequestID: cold}, coldClient("10.77.0.1:47632")},
		{"client, cold, Envoy's own form", "client-1.40-plain.log", Selection{RequestID: cold},
			coldClient("10.77.0.1:60544")},
		{"server, warm", "server-1.40.log", Selection{RequestID: warm},
			[]string{dst + "10.77.0.2:8080", filter + "original_dst",
				filter + "tls_inspector", "listener-filters " + sni, "listener-filters transport=tls",
				"listener downstream.peer=10.77.0.1:35312",
				manager, "network-filters codec=http1", router, xfcc + "client", in, "endpoint endpoint=10.77.0.2:8080",
				"connect upstream.remote=10.77.0.2:8080", "connect upstream.reused=true", "app status=200"}},
		{"client, HTTP/2", "client-1.40.log", Selection{RequestID: http2},
			[]string{dst + "10.77.1.1:8080", filter + "original_dst",
				filter + "tls_inspector", "listener-filters transport=raw_buffer", filter + "http_inspector",
				"listener downstream.peer=10.77.0.1:35364",
				manager, "network-filters codec=http2", router, out, "endpoint endpoint=10.77.0.2:8080",
				"connect upstream.remote=10.77.0.2:8080", "connect upstream.reused=true", "app status=200"}},
		{"server, client without sidecar", "server-1.40.log", Selection{RequestID: clear},
			[]string{dst + "10.77.0.2:8080", filter + "original_dst",
				filter + "tls_inspector", "listener-filters transport=raw_buffer",
				"listener downstream.peer=10.77.0.1:35318", manager, "network-filters codec=http1",
				router, in, "endpoint endpoint=10.77.0.2:8080", "connect upstream.remote=10.77.0.2:8080",
				"connect upstream.reused=false", "app status=200"}},
		{"server, app refuses", "server-refused-1.40.log", Selection{RequestID: cold},
			[]string{dst + "10.77.0.2:8080", filter + "original_dst",
				filter + "tls_inspector", "listener-filters " + sni, "listener-filters transport=tls",
				"listener downstream.peer=10.77.0.1:58390", manager,
				"network-filters codec=http1", router, xfcc + "client", in, "upstream-tls socket.match=default",
				"endpoint endpoint=10.77.0.2:8080",
				"connect upstream.remote=10.77.0.2:8080",
				"route " +
					"response.details=upstream_reset_before_response_started{remote_connection_failure|" +
					"delayed_connect_error:_Connection_refused}",
				"app status=503", "connect attempt=1", "connect attempt.endpoint=10.77.0.2:8080",
				"connect attempt.after=373µs",
				"connect attempt.failure=remote connection failure: delayed connect error: Connection refused"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen, watch := Observe(read(t, c.log), c.sel)
			got := withoutID(t, observetest.Facts(seen))
			for _, f := range c.want {
				if !slices.Contains(got, f) {
					t.Errorf("not seen: %s", f)
				}
			}
			for _, f := range got {
				if !slices.Contains(c.want, f) {
					t.Errorf("seen, not wanted: %s", f)
				}
			}
			if !watch.Complete {
				t.Errorf("watch: %s", watch.Problem)
			}
		})
	}
}

// withoutID takes the connection's id out, which each log has of its own. There has to be one.
func withoutID(t *testing.T, facts []string) []string {
	t.Helper()
	const id = "network-filters connection.id="
	kept := slices.DeleteFunc(slices.Clone(facts), func(f string) bool { return strings.HasPrefix(f, id) })
	if len(kept) != len(facts)-1 {
		t.Errorf("%d ids of the downstream connection, want one", len(facts)-len(kept))
	}
	// TestSent has these
	return slices.DeleteFunc(kept, func(f string) bool { return strings.HasPrefix(f, "connect request.") })
}

func TestSent(t *testing.T) {
	seen, watch := Observe(parse(t, workshopLog()), Selection{RequestID: workshopRequestID})
	got := observetest.Facts(seen)
	for _, want := range []string{"connect request.method=GET", "connect request.path=/",
		"connect request.authority=fortio-server:8080",
		"connect request.header=accept: */*", "connect request.header=x-envoy-attempt-count: 1"} {
		if !slices.Contains(got, want) {
			t.Errorf("not seen: %s", want)
		}
	}
	if slices.ContainsFunc(got, func(f string) bool { return strings.HasPrefix(f, "connect request.header=:") }) {
		t.Error("a pseudo-header passes for a header")
	}
	if !slices.Contains(watch.Sees, flow.Capability{Kind: flow.Connect, Fact: flow.FactPath}) {
		t.Error("the watch does not say that it sees the path")
	}
}

func TestObserveWorkshop(t *testing.T) {
	lines := parse(t, workshopLog())
	if len(lines) != 40 {
		t.Errorf("the workshop's log has 40 lines, %d were read", len(lines))
	}
	sel := Selection{RequestID: workshopRequestID, Side: flow.Server, Workers: 2}
	seen, watch := Observe(lines, sel)
	want := []string{filter + "original_dst", filter + "tls_inspector", "listener-filters " + sni,
		"listener-filters transport=tls",
		"listener downstream.peer=172.21.206.228:52352", manager, "network-filters codec=http1", router,
		"http-filters http.filter=istio.metadata_exchange", "http-filters http.filter=istio.stats",
		"downstream-tls xfcc.uri=spiffe://cluster.local/ns/mark/sa/default", in, "upstream-tls socket.match=default",
		"endpoint endpoint=172.21.206.230:8080", "connect upstream.remote=172.21.206.230:8080",
		"connect upstream.reused=false", "app status=200"}
	got := withoutID(t, observetest.Facts(seen))
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if !watch.Complete {
		t.Errorf("watch: %s", watch.Problem)
	}
	if v := CheckOrder(lines, sel, Variant{Workers: 2, Cold: true}); len(v) > 0 {
		t.Errorf("the workshop's own log breaks %v", v)
	}
}

// TestObserveConnection looks for a connection that carries no request of ours.
func TestObserveConnection(t *testing.T) {
	for _, c := range []struct {
		name, log, peer string
		want            []string
	}{
		{"TCP through PassthroughCluster", "client-tcp-1.40.log", "10.77.0.1:42496",
			[]string{dst + "10.77.0.2:8080", filter + "original_dst",
				filter + "tls_inspector", "listener-filters transport=raw_buffer",
				"listener downstream.peer=10.77.0.1:42496",
				"network-filters network.filter=envoy.filters.network.tcp_proxy", "cluster cluster=PassthroughCluster",
				"upstream-tls socket.match=default",
				"endpoint endpoint=10.77.0.2:8080", "connect upstream.remote=10.77.0.2:8080"}},
		{"foreign TLS that no filter chain takes", "server-1.40.log", "10.77.0.1:35320",
			[]string{dst + "10.77.0.2:8080", filter + "original_dst",
				"listener downstream.peer=10.77.0.1:35320", "filter-chain response.details=filter_chain_not_found"}},
	} {
		seen, watch := Observe(read(t, c.log), Selection{RequestID: "not-there", Peer: c.peer})
		got := observetest.Facts(seen)
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
		if !watch.Complete {
			t.Errorf("%s: %s", c.name, watch.Problem)
		}
	}
	if _, watch := Observe(read(t, "server-1.40.log"),
		Selection{RequestID: "not-there", Peer: "10.77.0.1:1"}); watch.Complete {
		t.Error("a connection that is not there is complete")
	}
}

func TestObserveByURL(t *testing.T) {
	seen, watch := Observe(read(t, "server-1.40.log"),
		Selection{RequestID: "not-there", Authority: "fortio-server:8080", Path: "/big"})
	if len(seen) == 0 || !watch.Complete {
		t.Errorf("the only request for /big was not found: %s", watch.Problem)
	}
	seen, watch = Observe(read(t, "server-1.40.log"), Selection{Authority: "fortio-server:8080", Path: "/"})
	if len(seen) > 0 || !strings.Contains(watch.Abstains, "streams carry the request") || len(watch.Sees) != 1 {
		t.Errorf("several requests for / must not be one: %d observations, %q, sees %v", len(seen),
			watch.Abstains, watch.Sees)
	}
}
