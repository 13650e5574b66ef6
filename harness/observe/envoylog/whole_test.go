package envoylog

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// TestWholeExchanges has exchanges that end in another way than that of a request over HTTP/1 that
// is answered by the application. They were recorded in a lab, and nothing is missing of them.
func TestWholeExchanges(t *testing.T) {
	for _, c := range []struct {
		file, id string
		fact     string
		// value of the fact that was seen; empty: it was not, and the log does not say that it
		// would have been
		want string
	}{
		{"client-http2-1.40.log", "e686d5d6-9de3-4caa-ac2b-659db3171fa6", flow.FactUpstreamReused, "false"},
		{"server-denied-1.40.log", "7c750a97-d3f7-409f-a280-75daea53a400", flow.FactDetails,
			"rbac_access_denied_matched_policy[ns[mark]-policy[hostile]-rule[0]]"},
		{"server-denied-1.40.log", "7c750a97-d3f7-409f-a280-75daea53a400", flow.FactHTTPFilter,
			"envoy.filters.http.rbac"},
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

// TestWaitedForAConnection has a request that waits for a connection and gets one on which another
// request ended meanwhile: in a log that shows that other request, and in one that begins after it.
func TestWaitedForAConnection(t *testing.T) {
	text, err := os.ReadFile("testdata/client-1.40.log")
	if err != nil {
		t.Fatal(err)
	}
	waited := strings.Replace(string(text), "using existing fully connected connection", "attaching to next stream", 1)
	dialled := strings.Index(waited, "destroying stream")
	later := waited[strings.LastIndex(waited[:dialled], "\n")+1:]
	for _, c := range []struct{ name, log, id, want string }{
		{"dialled for it", waited, "7d3a1b52-9c1e-4f0a-8d6b-0a1b2c3d4e5f", "false"},
		{"after another request", waited, "9d3a1b52-9c1e-4f0a-8d6b-0a1b2c3d4e5f", "true"},
		{"the log begins after the other", later, "9d3a1b52-9c1e-4f0a-8d6b-0a1b2c3d4e5f", "true"},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen, watch := Observe(parse(t, c.log), Selection{RequestID: c.id, Side: flow.Client})
			if !watch.Complete {
				t.Errorf("not complete: %s", watch.Problem)
			}
			told := slices.ContainsFunc(seen, func(o flow.Observation) bool {
				return slices.Contains(o.Facts, flow.Seen{Name: flow.FactUpstreamReused, Value: c.want})
			})
			if !told {
				t.Errorf("it does not tell that reused is %s", c.want)
			}
		})
	}
}
