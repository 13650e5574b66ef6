package run

import (
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// TestTaken finds the endpoint that was seen to take a request, and whether the
// configuration leaves it open.
func TestTaken(t *testing.T) {
	const one, other = "10.0.0.1:80", "10.0.0.2:80"
	saw := func(side flow.Side, endpoint string) flow.Observation {
		return flow.Observation{Side: side, Kind: flow.Endpoint,
			Facts: []flow.Seen{{Name: flow.FactEndpoint, Value: endpoint}}}
	}
	for name, c := range map[string]struct {
		seen []flow.Observation
		want string
	}{
		"none":            {nil, ""},
		"one":             {[]flow.Observation{saw(flow.Client, one), saw(flow.Client, one)}, one},
		"of the server":   {[]flow.Observation{saw(flow.Server, one)}, ""},
		"of two attempts": {[]flow.Observation{saw(flow.Client, one), saw(flow.Client, other)}, ""},
	} {
		if got := endpointOf(c.seen); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	to := func(endpoints ...string) []flow.Hop {
		hop := flow.Hop{
			Side: flow.Client, Kind: flow.Connect,
			Expect: []flow.Fact{{Name: flow.FactUpstreamRemote, Value: endpoints[0]}},
		}
		for _, e := range endpoints[1:] {
			hop.Choices = append(hop.Choices, flow.Choice{Name: e})
		}
		return []flow.Hop{hop}
	}
	for name, c := range map[string]struct {
		path flow.Path
		want bool
	}{
		"the only one":        {flow.Path{Hops: to(other)}, false},
		"another one":         {flow.Path{Hops: to(one)}, false},
		"one of two":          {flow.Path{Hops: to("*", one, other)}, true},
		"that of another way": {flow.Path{Hops: to(one), Variants: []flow.Variant{{Hops: to(other)}}}, true},
		"that of no way":      {flow.Path{Hops: to(one), Variants: []flow.Variant{{Hops: to("10.0.0.3:80")}}}, false},
	} {
		if got := mayTake(c.path, other); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
