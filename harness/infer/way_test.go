package infer

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
	"github.com/flowproof/lab/harness/report"
	"github.com/flowproof/lab/internal/golden"
)

// workshop is the call that the chapter follows.
var workshop = flow.Call{From: "netshoot", Namespace: "mark", URL: "http://fortio-server:8080/"}

// TestWorkshopWay compares the whole way of the workshop's request with the golden text.
func TestWorkshopWay(t *testing.T) {
	path, err := Way(recorded(t, "netshoot"), recorded(t, "fortio-server"), workshop, WayOptions{Cold: true})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := report.Way(&text, "text", path, report.WayOptions{Rejected: -1}); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(text.String(), "\n") {
		if len([]rune(line)) > 100 {
			t.Errorf("line has more than %d columns: %s", 100, line)
		}
	}
	golden.Equal(t, "testdata/way.txt", text.String())
}

// TestEverySourceOpens takes each pointer of the way back to the dump that it belongs to.
func TestEverySourceOpens(t *testing.T) {
	client, server := recorded(t, "netshoot"), recorded(t, "fortio-server")
	path, err := Way(client, server, workshop, WayOptions{Explain: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range path.Hops {
		d := client
		if h.Side == flow.Server {
			d = server
		}
		pointers := []string{h.Source}
		for _, r := range h.Rejected {
			if r.Source != "" {
				pointers = append(pointers, r.Source)
			}
		}
		for _, c := range h.Conditions {
			pointers = append(pointers, c.Source)
		}
		for _, p := range pointers {
			if v := d.At(p); p == "" || !v.Exists() || v.Pointer() != p {
				t.Errorf("%s %s: %q does not open", h.Side, h.Kind, p)
			}
		}
		if h.Why == "" || h.Decision == "" {
			t.Errorf("%s %s says no decision or no reason: %+v", h.Side, h.Kind, h)
		}
	}
}

// TestWorkshopFacts is the table of what instruments must see of the workshop's request.
func TestWorkshopFacts(t *testing.T) {
	path, err := Way(recorded(t, "netshoot"), recorded(t, "fortio-server"), workshop, WayOptions{Cold: true})
	if err != nil {
		t.Fatal(err)
	}
	const sni = "outbound_.8080_._.fortio-server.mark.svc.cluster.local"
	for _, want := range []struct {
		side flow.Side
		kind flow.HopKind
		fact flow.Fact
	}{
		{flow.Client, flow.Resolve, passage.Fact(flow.FactResolved, "10.96.215.136")},
		{flow.Client, flow.Redirect, passage.Fact(flow.FactRedirectPort, "15001")},
		{flow.Client, flow.Cluster,
			passage.Fact(flow.FactCluster, "outbound|8080||fortio-server.mark.svc.cluster.local")},
		{flow.Client, flow.Endpoint, passage.Fact(flow.FactEndpoint, "172.21.206.197:8080")},
		{flow.Client, flow.UpstreamTLS, passage.Fact(flow.FactSocketMatch, "tlsMode-istio")},
		{flow.Client, flow.Connect, passage.Fact(flow.FactUpstreamRemote, "172.21.206.197:8080")},
		{flow.Client, flow.Connect, passage.Joined(flow.FactUpstreamLocal, "172.21.206.198:*", passage.JoinMesh)},
		{flow.Server, flow.Redirect, passage.Fact(flow.FactOriginalDst, "172.21.206.197:8080")},
		{flow.Server, flow.Redirect, passage.Fact(flow.FactRedirectPort, "15006")},
		{flow.Server, flow.Listener, passage.Joined(flow.FactPeer, "172.21.206.198:*", passage.JoinMesh)},
		{flow.Server, flow.ListenerFilters, passage.Fact(flow.FactFilter, proxy.OriginalDst)},
		{flow.Server, flow.ListenerFilters, passage.Fact(flow.FactFilter, proxy.TLSInspector)},
		{flow.Server, flow.ListenerFilters, passage.Absent(flow.FactFilter, proxy.HTTPInspector)},
		{flow.Server, flow.ListenerFilters, passage.Fact(flow.FactSNI, sni)},
		{flow.Server, flow.FilterChain, passage.Fact(flow.FactFilterChain, "0.0.0.0_8080")},
		{flow.Server, flow.DownstreamTLS, passage.Fact(flow.FactXFCC, "spiffe://cluster.local/ns/mark/sa/default")},
		{flow.Server, flow.Cluster, passage.Fact(flow.FactCluster, "inbound|8080||")},
		{flow.Server, flow.Endpoint, passage.Fact(flow.FactEndpoint, "172.21.206.197:8080")},
		{flow.Server, flow.UpstreamTLS, passage.Fact(flow.FactSocketMatch, proxy.DefaultSocket)},
		{flow.Server, flow.Connect, passage.Joined(flow.FactUpstreamLocal, "127.0.0.6:*", passage.JoinApp)},
		{flow.Server, flow.Connect, passage.Absent(flow.FactUpstreamReused, "true")},
		{flow.Server, flow.App, passage.Joined(flow.FactPeer, "127.0.0.6:*", passage.JoinApp)},
	} {
		found := false
		for _, h := range path.Hops {
			for _, f := range h.Expect {
				found = found || h.Side == want.side && h.Kind == want.kind && f == want.fact
			}
		}
		if !found {
			t.Errorf("%s %s does not expect %+v", want.side, want.kind, want.fact)
		}
	}
}

// TestWarmWay is the second request: nothing is dialled and there is no handshake (R6.5).
func TestWarmWay(t *testing.T) {
	path, err := Way(recorded(t, "netshoot"), recorded(t, "fortio-server"), workshop, WayOptions{Warm: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		side flow.Side
		kind flow.HopKind
		fact flow.Fact
	}{
		{flow.Client, flow.UpstreamTLS, passage.Fact(flow.FactHandshakes, "0")},
		{flow.Client, flow.Connect, passage.Fact(flow.FactUpstreamReused, "true")},
		{flow.Client, flow.ListenerFilters, passage.Fact(flow.FactFilter, proxy.HTTPInspector)},
		{flow.Server, flow.ListenerFilters, passage.Absent(flow.FactFilter, proxy.TLSInspector)},
		{flow.Server, flow.DownstreamTLS, passage.Fact(flow.FactHandshakes, "0")},
		{flow.Server, flow.UpstreamTLS, passage.Fact(flow.FactHandshakes, "0")},
		{flow.Server, flow.Connect, passage.Fact(flow.FactUpstreamReused, "true")},
	} {
		if !slices.ContainsFunc(path.Hops, func(h flow.Hop) bool {
			return h.Side == want.side && h.Kind == want.kind && slices.Contains(h.Expect, want.fact)
		}) {
			t.Errorf("%s %s does not expect %+v", want.side, want.kind, want.fact)
		}
	}
}

// TestWayFails covers calls whose way ends early, and calls that make no sense with the dumps.
func TestWayFails(t *testing.T) {
	client, server := recorded(t, "netshoot"), recorded(t, "fortio-server")
	for _, c := range []struct {
		name, url string
		opts      WayOptions
		failure   flow.Failure
		err       string
	}{
		{"decoy without endpoints", "http://fortio-server.default:8080/", WayOptions{}, flow.NoHealthyEndpoint, ""},
		{"server whose dump is another's", "http://fortio-server-l2:8080/", WayOptions{}, "",
			"give the dump of the pod that is called"},
		{"name that does not exist", "http://absent:8080/", WayOptions{}, "", "resolve absent"},
		{"no host", "http://", WayOptions{}, "", "it has no host"},
		{"a scheme that curl does not have", "grpc://fortio-server:8080/", WayOptions{}, "", "its scheme is grpc"},
		{"bad port", "http://a:70000/", WayOptions{}, "", "port"},
		{"bad rules", "http://fortio-server:8080/", WayOptions{ClientRules: "hello"}, "", "netfilter rules: line 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, err := Way(client, server, flow.Call{From: "netshoot", Namespace: "mark", URL: c.url}, c.opts)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, and %q is expected in it", err, c.err)
				}
				return
			}
			if err != nil || path.Failure != c.failure {
				t.Fatalf("failure %q, error %v; expected %q", path.Failure, err, c.failure)
			}
		})
	}
	path, err := Way(nil, server, flow.Call{From: "outside", URL: "http://fortio-server:8080/"}, WayOptions{})
	if err != nil || path.Outcome != flow.Forwarded || path.Hops[0].Kind != flow.Redirect {
		t.Errorf("without a client's sidecar: %v %+v", err, path)
	}
}

// TestWayHandedOver expects of a listener that another one handed the connection over to the filter
// that did it: original_dst runs in the first one, before.
func TestWayHandedOver(t *testing.T) {
	path, err := Way(recorded(t, "netshoot"), recorded(t, "fortio-server"), workshop, WayOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, hop := range path.Hops {
		if hop.Side == flow.Client && hop.Kind == flow.ListenerFilters {
			if !slices.Contains(hop.Expect, flow.Fact{Name: flow.FactFilter, Value: proxy.OriginalDst}) {
				t.Errorf("original_dst is not expected: %+v", hop.Expect)
			}
			return
		}
	}
	t.Error("there is no such hop")
}
