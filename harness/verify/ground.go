package verify

import (
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// Ground says in one line what of the configuration stands behind an answer that a proxy gave
// itself: how long its route lets a request take, where it gave up waiting, or the hop at which its
// way is inferred to end, with the object of Istio's that made it. It is "" where another answered,
// or the configuration does not say.
func Ground(path flow.Path, a flow.Answer) string {
	var hops []flow.Hop
	for _, h := range path.Hops {
		if h.Proxy == a.By && a.By != "" {
			hops = append(hops, h)
		}
	}
	if len(hops) == 0 {
		return ""
	}
	route := slices.IndexFunc(hops, func(h flow.Hop) bool { return h.Kind == flow.Route })
	if slices.Contains(a.Flags, "UT") && route >= 0 {
		if limit := hops[route].Timeout; limit != "" {
			return "its route lets a request take " + limit + of(hops[route].Object)
		}
		return ""
	}
	last := hops[len(hops)-1]
	if path.Outcome == flow.Forwarded || last.Kind == flow.Connect || last.Kind == flow.App ||
		last.Proxy != path.Hops[len(path.Hops)-1].Proxy {
		return ""
	}
	object := last.Object
	if object == "" && route >= 0 {
		object = hops[route].Object
	}
	return strings.ReplaceAll(string(last.Kind), "-", " ") + ": " + last.Decision + of(object)
}

// of names the object that made something; "" where it is not known.
func of(object string) string {
	if object == "" {
		return ""
	}
	return ", by " + object
}
