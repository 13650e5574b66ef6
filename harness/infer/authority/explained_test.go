package authority

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
)

// An explanation is a difference that is understood and that inference cannot avoid. Each stands
// here with its cause in Envoy's source; a difference that none of them explains fails the run
// until it is reviewed.
type explanation struct {
	code  string
	cause string // what Envoy does, and where in its source
	fits  func(engine *infer.Engine, req flow.Request, d flow.Decision, r Result) bool
}

var explanations = []explanation{
	{"request-id.random", "Envoy makes a random UUID for a request without x-request-id " +
		"(UUIDRequestIDExtension::set), so a condition on the " +
		"part of it holds for one request in some hundreds", func(engine *infer.Engine, req flow.Request,
		d flow.Decision, r Result) bool {
		return req.Headers.Get("x-request-id") == "" &&
			(asksForID(d) || withAnotherID(engine, req, r))
	}},
}

// asksForID says whether what decided a hop was the x-request-id. That the header arrives somewhere
// is expected of every request, and explains nothing.
func asksForID(d flow.Decision) bool {
	return slices.ContainsFunc(d.Hops, func(h flow.Hop) bool {
		h.Expect = nil
		text, _ := json.Marshal(h)
		return strings.Contains(string(text), "x-request-id")
	})
}

// withAnotherID says whether Envoy did what is inferred for a request that has one of these as its
// x-request-id. The conditions of random configurations look for parts of them.
func withAnotherID(engine *infer.Engine, req flow.Request, r Result) bool {
	for _, id := range []string{"abcdefbc-1051-4bc0-8abc-abcdef510abc", "5abc0000-0000-4000-8000-000000000005",
		"10000000-0000-4000-8000-000000000001"} {
		with := req
		if with.Headers = req.Headers.Clone(); with.Headers == nil {
			with.Headers = flow.Headers{}
		}
		with.Headers["x-request-id"] = []string{id}
		if d, err := engine.Decide(with); err == nil && len(Contradicts(with, d, r)) == 0 {
			return true
		}
	}
	return false
}

// explain returns the code of what explains a difference, or "".
func explain(engine *infer.Engine, req flow.Request, d flow.Decision, r Result) string {
	for _, e := range explanations {
		if e.fits(engine, req, d, r) {
			return e.code
		}
	}
	return ""
}
