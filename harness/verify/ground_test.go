package verify

import (
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// TestGround says what of the configuration stands behind an answer, and nothing behind one that
// another gave.
func TestGround(t *testing.T) {
	route := flow.Hop{Kind: flow.Route, Proxy: "a.ns", Decision: "cluster b", Timeout: "0.300s",
		Object: "VirtualService ns/slow"}
	abort := flow.Hop{Kind: flow.HTTPFilters, Proxy: "a.ns", Decision: "envoy.filters.http.fault answers 418"}
	nothing := flow.Hop{Kind: flow.Route, Proxy: "a.ns", Decision: "no route", Object: "VirtualService ns/only"}
	empty := flow.Hop{Kind: flow.Endpoint, Proxy: "a.ns", Decision: "no endpoint"}
	app := flow.Hop{Kind: flow.App, Proxy: "b.ns", Decision: "the application"}
	for _, tt := range []struct {
		name   string
		path   flow.Path
		answer flow.Answer
		want   string
	}{
		{"a timeout of a route", flow.Path{Outcome: flow.Forwarded, Hops: []flow.Hop{route, app}},
			flow.Answer{By: "a.ns", Flags: []string{"UT"}},
			"its route lets a request take 0.300s, by VirtualService ns/slow"},
		{"a timeout that no route has", flow.Path{Outcome: flow.Forwarded, Hops: []flow.Hop{
			{Kind: flow.Route, Proxy: "a.ns"}, app}}, flow.Answer{By: "a.ns", Flags: []string{"UT"}}, ""},
		{"a timeout of another proxy", flow.Path{Outcome: flow.Forwarded, Hops: []flow.Hop{route, app}},
			flow.Answer{By: "b.ns", Flags: []string{"UT"}}, ""},
		{"a filter, whose route is known", flow.Path{Outcome: flow.Failed, Hops: []flow.Hop{route, abort}},
			flow.Answer{By: "a.ns", Flags: []string{"FI"}},
			"http filters: envoy.filters.http.fault answers 418, by VirtualService ns/slow"},
		{"no route", flow.Path{Outcome: flow.Failed, Hops: []flow.Hop{nothing}},
			flow.Answer{By: "a.ns", Flags: []string{"NR"}}, "route: no route, by VirtualService ns/only"},
		{"no endpoint", flow.Path{Outcome: flow.Failed, Hops: []flow.Hop{route, empty}},
			flow.Answer{By: "a.ns", Flags: []string{"UH"}}, "endpoint: no endpoint, by VirtualService ns/slow"},
		{"an application's own answer", flow.Path{Outcome: flow.Forwarded, Hops: []flow.Hop{route, app}},
			flow.Answer{By: "10.0.0.1:8080"}, ""},
		{"an answer of no one", flow.Path{Outcome: flow.Failed, Hops: []flow.Hop{nothing}}, flow.Answer{}, ""},
	} {
		if got := Ground(tt.path, tt.answer); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
