package report

import (
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"

	"github.com/flowproof/lab/harness/flow"
)

// shortWay is a way with what makes lines long: names of Services, objects, reasons.
func shortWay() flow.Path {
	const cluster = "outbound|8080||fortio-server-l2.mark.svc.cluster.local"
	return flow.Path{Call: flow.Call{From: "netshoot", Namespace: "mark", URL: "http://fortio-server:8080/"},
		Outcome: flow.Forwarded, Hops: []flow.Hop{
			{Kind: flow.HTTPFilters, Side: flow.Client, Proxy: "netshoot.mark",
				Decision: "envoy.filters.http.fault, envoy.filters.http.router",
				Why:      "none of them answers by itself, so the router, the last one, follows the route"},
			{Kind: flow.Route, Side: flow.Client, Proxy: "netshoot.mark", Decision: "cluster " + cluster,
				Object: "VirtualService mark/testers", Source: "/configs/5/x", Field: `routes["8080"].x`,
				Why: "rds names route configuration 8080; virtual host a: domain fortio-server is the authority " +
					"itself; route [0]: the first that matches, by prefix /, header x-team is red; no timeout"},
			{Kind: flow.Cluster, Side: flow.Client, Proxy: "netshoot.mark", Decision: cluster,
				Object: "DestinationRule mark/tune", Why: "the cluster is of type EDS, lb_policy LEAST_REQUEST"},
			{Kind: flow.Connect, Side: flow.Client, Proxy: "netshoot.mark", Decision: "10.0.0.1:* → 10.0.0.2:8080",
				Object: "DestinationRule mark/tune", Why: "the kernel chooses the source address"},
			{Kind: flow.App, Side: flow.Server, Proxy: "fortio-server-l2.mark",
				Decision: "the application on 10.0.0.2:8080"},
		}}
}

// TestShortWay is a line a hop: a name that tells two Services apart is on it at any width, and so
// is the object that Istio made the hop of.
func TestShortWay(t *testing.T) {
	for columns, want := range map[int]string{
		80: `✓ forwarded to 10.0.0.2:8080, the application of fortio-server-l2.mark
GET http://fortio-server:8080/ from netshoot.mark

client netshoot.mark
  http-filters      fault, router             none of them answers by itself…
  route             cluster outbound|8080||fortio-server-l2.mark…
                    VirtualService mark/testers: by prefix /, header x-team is…
  cluster           outbound|8080||fortio-server-l2.mark…
                    DestinationRule mark/tune: the cluster is of type EDS…
  connect           10.0.0.1:* → 10.0.0.2:8080  the kernel chooses the source…

server fortio-server-l2.mark
  app               the application on 10.0.0.2:8080
`,
		120: `✓ forwarded to 10.0.0.2:8080, the application of fortio-server-l2.mark
GET http://fortio-server:8080/ from netshoot.mark

client netshoot.mark
  http-filters      fault, router                             none of them answers by itself, so the router, the last…
  route             cluster outbound|8080||fortio-server-l2.mark.svc.cluster.local  VirtualService mark/testers: by…
  cluster           outbound|8080||fortio-server-l2.mark.svc.cluster.local  DestinationRule mark/tune: the cluster is…
  connect           10.0.0.1:* → 10.0.0.2:8080                the kernel chooses the source address

server fortio-server-l2.mark
  app               the application on 10.0.0.2:8080
`,
	} {
		var b strings.Builder
		if err := Way(&b, "text", shortWay(), WayOptions{Short: true, Width: columns}); err != nil {
			t.Fatal(err)
		}
		if b.String() != want {
			t.Errorf("%d columns:\n%s", columns, b.String())
		}
	}
	for columns := narrowest; columns < 200; columns++ {
		var b strings.Builder
		if err := Way(&b, "text", shortWay(), WayOptions{Short: true, Width: columns}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(b.String(), "\n") {
			if runewidth.StringWidth(line) > columns {
				t.Errorf("%d columns: %s", columns, line)
			}
		}
		for _, name := range []string{"fortio-server-l2.mark", "VirtualService mark/testers",
			"DestinationRule mark/tune"} {
			if !strings.Contains(b.String(), name) {
				t.Errorf("%d columns: %s is not there", columns, name)
			}
		}
	}
}

// TestHeadline says first how a request ends, by whom and why.
func TestHeadline(t *testing.T) {
	for _, tc := range []struct {
		end  conclusion
		want string
	}{
		{conclusion{outcome: flow.Failed, failure: flow.Denied, hops: []flow.Hop{{Kind: flow.HTTPFilters, Proxy: "a.b",
			Object: "AuthorizationPolicy b/no", Why: "RBAC policy x matches",
			Expect: []flow.Fact{{Name: flow.FactStatus, Value: "403"}}}}},
			"✗ 403, denied by a.b at http-filters of AuthorizationPolicy b/no: RBAC policy x matches"},
		{conclusion{outcome: flow.Failed, failure: flow.NoHealthyEndpoint, flag: "UH", status: 503,
			hops: []flow.Hop{{Kind: flow.Endpoint, Proxy: "a.b", Why: "the cluster has no endpoints"}}},
			"✗ 503, no healthy upstream host (UH) by a.b at endpoint: the cluster has no endpoints"},
		{conclusion{outcome: flow.Answered, hops: []flow.Hop{{Kind: flow.Route, Proxy: "a.b",
			Decision: "301 to http://a/new", Why: "rds names x; route [3]: the first that matches, by prefix /old",
			Expect: []flow.Fact{{Name: flow.FactStatus, Value: "301"}}}}},
			"✓ 301 to http://a/new by a.b at route: route [3]: the first that matches, by prefix /old"},
		{conclusion{outcome: flow.Forwarded, certainty: flow.Chance, hops: []flow.Hop{{Kind: flow.Connect,
			Decision: "10.0.0.1:* → 10.0.0.2:80"}}},
			"? forwarded to 10.0.0.2:80; that is not certain, see below"},
		{conclusion{outcome: flow.Forwarded, certainty: flow.Chance, hops: []flow.Hop{
			{Kind: flow.Endpoint, Decision: "one of 3 endpoints"}, {Kind: flow.UpstreamTLS, Decision: "clear text"},
			{Kind: flow.Connect, Decision: "10.0.0.1:* → one of them", Choices: make([]flow.Choice, 3)}}},
			"? forwarded to one of 3 endpoints; that is not certain, see below"},
		{conclusion{outcome: flow.Failed, failure: flow.NoFilterChain, flag: "NR", hops: []flow.Hop{
			{Kind: flow.FilterChain, Proxy: "a.b", Why: "no chain is for port 80"}}},
			"✗ no filter chain (NR) by a.b at filter-chain: no chain is for port 80"},
		{conclusion{outcome: flow.Failed, failure: flow.NoListener}, "failed: no listener"},
	} {
		if got := tc.end.headline(); got != tc.want {
			t.Errorf("%s\nwant %s", got, tc.want)
		}
	}
}
