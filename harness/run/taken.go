package run

import (
	"context"
	"slices"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
)

// Which of several endpoints a request is sent to, a load balancer decides and no dump says. Its
// way is inferred to one of them before it is sent, and to the one that was seen to take it
// afterwards, from the same dumps: what is inferred of a pod follows from its dump, and only which
// pod it is from what was seen.

// inferTaken infers the way to the endpoint that took the request, where the configuration
// leaves open which does.
func (s *Session) inferTaken(ctx context.Context, seen []flow.Observation) error {
	taken := endpointOf(seen)
	if taken == "" || !mayTake(s.Flow.Path, taken) {
		return nil
	}
	s.taken = taken
	path, err := s.infer(ctx, s.Flow.Call, s.question.Options, s.Dumps())
	if err != nil {
		return fault.Usagef("infer the way to %s, which took the request: %w", taken, err)
	}
	call := s.Flow.Path.Call
	s.Flow.Path = path
	s.Flow.Path.Call = call
	return nil
}

// endpointOf is the endpoint that the client's side was seen to send the request to; "" where none
// was, or several, as of attempts.
func endpointOf(seen []flow.Observation) string {
	endpoint := ""
	for _, o := range seen {
		for _, f := range o.Facts {
			switch {
			case o.Side != flow.Client || f.Name != flow.FactEndpoint || f.Value == "" || f.Value == endpoint:
			case endpoint != "":
				return ""
			default:
				endpoint = f.Value
			}
		}
	}
	return endpoint
}

// mayTake says whether the configuration leaves open which of several endpoints the client's proxy
// takes, of one cluster or of several, and one is among them that the way was not inferred to.
func mayTake(path flow.Path, endpoint string) bool {
	if several, has := choosing(path.Hops, endpoint); has {
		return several
	}
	return slices.ContainsFunc(path.Variants, func(v flow.Variant) bool {
		_, has := choosing(v.Hops, endpoint)
		return has
	})
}

// choosing says whether a way's client has an endpoint to choose, and whether it has others too.
func choosing(hops []flow.Hop, endpoint string) (several, has bool) {
	for _, hop := range hops {
		if hop.Side != flow.Client || hop.Kind != flow.Connect {
			continue
		}
		several = len(hop.Choices) > 1
		has = slices.ContainsFunc(hop.Choices, func(c flow.Choice) bool { return c.Name == endpoint }) ||
			slices.ContainsFunc(hop.Expect, func(f flow.Fact) bool {
				return f.Name == flow.FactUpstreamRemote && f.Value == endpoint
			})
		return several, has
	}
	return false, false
}

// takenOf is of hosts the one that was seen to take the request; all, where none of them was.
func (s *Session) takenOf(hosts []flow.Host) []flow.Host {
	i := slices.IndexFunc(hosts, func(h flow.Host) bool { return h.Address == s.taken })
	if s.taken == "" || i < 0 {
		return hosts
	}
	return hosts[i : i+1]
}
