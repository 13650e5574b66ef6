package envoylog

import (
	"os"
	"slices"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// TestWholeExchanges has exchanges that end in another way than that of a request over HTTP/1 that
// is answered by the application. They were recorded in a lab, and nothing is missing of them.
func TestWholeExchanges(t *testing.T) {
	for _, c := range []struct {
		file, id string
		fact     string
		want     string // value of the fact that was seen; empty: it was not, and the log does not say that it would have been
	}{
		{"client-http2-1.40.log", "e686d5d6-9de3-4caa-ac2b-659db3171fa6", flow.FactUpstreamReused, "false"},
		{"server-denied-1.40.log", "7c750a97-d3f7-409f-a280-75daea53a400", flow.FactDetails, "rbac_access_denied_matched_policy[ns[mark]-policy[hostile]-rule[0]]"},
		{"server-denied-1.40.log", "7c750a97-d3f7-409f-a280-75daea53a400", flow.FactHTTPFilter, "envoy.filters.http.rbac"},
		{"server-denied-1.40.log", "7c750a97-d3f7-409f-a280-75daea53a400", flow.FactXFCC, ""},
	} {
		t.Run(c.file+" "+c.fact, func(t *testing.T) {
			text, err := os.ReadFile("testdata/" + c.file)
			if err != nil {
				t.Fatal(err)
			}
			seen, watch := Observe(parse(t, string(text)), Selection{RequestID: c.id, Side: flow.Client})
			if !watch.Complete {
				t.Errorf("not complete: %s", watch.Problem)
			}
			var values []string
			for _, o := range seen {
				for _, f := range o.Facts {
					if f.Name == c.fact {
						values = append(values, f.Value)
					}
				}
			}
			claims := slices.ContainsFunc(watch.Sees, func(s flow.Capability) bool { return s.Fact == c.fact })
			if c.want == "" && (len(values) > 0 || claims) || c.want != "" && !slices.Contains(values, c.want) {
				t.Errorf("%s: saw %q, says that it can: %t", c.fact, values, claims)
			}
		})
	}
}
