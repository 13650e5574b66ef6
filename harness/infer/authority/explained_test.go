package authority

import (
	"encoding/json"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// An explanation is a difference that is understood and that inference cannot avoid. Each stands
// here with its cause in Envoy's source; a difference that none of them explains fails the run
// until it is reviewed.
type explanation struct {
	code  string
	cause string // what Envoy does, and where in its source
	fits  func(req flow.Request, d flow.Decision, r Result) bool
}

var explanations = []explanation{
	{"request-id.random", "Envoy makes a random UUID for a request without x-request-id " +
		"(UUIDRequestIDExtension::set), so a condition on the " +
		"beginning or end of it holds for one request in some hundreds", func(req flow.Request, d flow.Decision,
		_ Result) bool {
		text, _ := json.Marshal(d.Hops)
		return req.Headers.Get("x-request-id") == "" && strings.Contains(string(text), "x-request-id")
	}},
}

// explain returns the code of what explains a difference, or "".
func explain(req flow.Request, d flow.Decision, r Result) string {
	for _, e := range explanations {
		if e.fits(req, d, r) {
			return e.code
		}
	}
	return ""
}
