package verify

import (
	"fmt"
	"slices"

	"github.com/flowproof/lab/harness/flow"
)

// A redirection keeps the address and port of who dialled, unless another connection that was
// redirected to the same port has them still: then the kernel gives this one a free port
// (nf_nat_l4proto_unique_tuple), and that is what the other end sees.

// translated are the observations with the ends of downstreams as these know them, where an
// instrument saw what they were made of.
func translated(observations []flow.Observation) []flow.Observation {
	for _, o := range observations {
		for _, s := range o.Facts {
			if own, shown, ok := flow.TranslatedPort(s.Value); ok && s.Name == flow.FactTranslated {
				observations = withPeer(observations, flow.Hop{Side: o.Side, Proxy: o.Where.Pod}, shown, own)
			}
		}
	}
	return observations
}

// withPeer are the observations with another value of one proxy's downstream peer.
func withPeer(observations []flow.Observation, proxy flow.Hop, from, to string) []flow.Observation {
	observations = slices.Clone(observations)
	for n := range observations {
		o := &observations[n]
		if !sameProxy(&proxy, o.Side, o.Where.Pod) {
			continue
		}
		o.Facts = slices.Clone(o.Facts)
		for i, s := range o.Facts {
			if s.Name == flow.FactPeer && s.Value == from && o.Kind.Info().End == flow.DownstreamEnd {
				o.Facts[i].Value = to
			}
		}
	}
	return observations
}

// mayBeTranslated says whether a downstream peer that was seen with several ports may be one all
// the same: no instrument that watched there could see what the redirection made of it.
func (j *judge) mayBeTranslated(a seenAt, values []string) bool {
	otherHost := func(v string) bool { return !flow.SameHost(v, values[0]) }
	if a.seen.Name != flow.FactPeer || slices.ContainsFunc(values, otherHost) {
		return false
	}
	hop := flow.Hop{Side: a.o.Side, Proxy: a.o.Where.Pod, Kind: flow.Redirect}
	return len(j.watching(&hop, flow.Fact{Name: flow.FactTranslated})) == 0
}

// untranslated says why a translation that was seen cannot be; "": it can. A listener is shown what
// it was translated to.
func (j *judge) untranslated(o flow.Observation, s flow.Seen) string {
	own, _, ok := flow.TranslatedPort(s.Value)
	if !ok {
		return "a redirection translates a port"
	}
	proxy := flow.Hop{Side: o.Side, Proxy: o.Where.Pod}
	for _, other := range j.asSeen {
		if other.Kind == flow.Listener && sameProxy(&proxy, other.Side, other.Where.Pod) &&
			slices.Contains(other.Facts, flow.Seen{Name: flow.FactPeer, Value: own}) {
			return fmt.Sprintf("%s saw %s at the listener", other.Instrument, own)
		}
	}
	return ""
}
