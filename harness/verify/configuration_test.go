package verify

import (
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// TestConfigurationAtTheRequest has a hop that is confirmed, and one that is refuted, by what the
// sidecar's configuration did.
func TestConfigurationAtTheRequest(t *testing.T) {
	const pod = "netshoot.mark"
	change := flow.Change{Proxy: pod, Resource: "listener 0.0.0.0_8080", Field: "listener_filters[x]", How: flow.Added}
	for name, c := range map[string]struct {
		seen  string
		held  flow.Configuration
		want  flow.Result
		names string
	}{
		"held":                   {"0.0.0.0_8080", flow.Configuration{Compared: 7}, flow.Verified, ""},
		"held, and it was wrong": {"other", flow.Configuration{Compared: 7}, flow.Mismatch, ""},
		"changed": {"0.0.0.0_8080", flow.Configuration{Changes: []flow.Change{change}},
			flow.Incomplete, "listener 0.0.0.0_8080 of netshoot.mark: listener_filters[x] was added"},
		"changed, and seems wrong": {"other", flow.Configuration{Changes: []flow.Change{change}}, flow.Incomplete,
			"configuration changed"},
		"not known": {"0.0.0.0_8080", flow.Configuration{Problem: "Envoy answers no more"}, flow.Incomplete,
			"at the request is not known: Envoy answers no more"},
		"changed in many places": {"0.0.0.0_8080",
			flow.Configuration{Changes: []flow.Change{change, change, change, change, change, change}},
			flow.Incomplete, "and 2 more"},
	} {
		t.Run(name, func(t *testing.T) {
			c.held.Proxy = pod
			run := flow.Run{
				Path: flow.Path{Hops: []flow.Hop{{Kind: flow.Listener, Side: flow.Client, Proxy: pod,
					Expect: []flow.Fact{{Name: flow.FactListener, Value: "0.0.0.0_8080"}}}}},
				Observations: []flow.Observation{{Instrument: flow.AccessLog, Side: flow.Client, Kind: flow.Listener,
					Where: flow.Where{Pod: pod}, Facts: []flow.Seen{{Name: flow.FactListener, Value: c.seen}}}},
				Watches: []flow.Watch{{Instrument: flow.AccessLog, Side: flow.Client, Pod: pod, Complete: true,
					Sees: []flow.Capability{{Kind: flow.Listener, Fact: flow.FactListener}}}},
				Configuration: []flow.Configuration{c.held},
			}
			verdict := Judge(run)
			if said := strings.Join(verdict.Problems, "\n"); verdict.Result != c.want ||
				!strings.Contains(said, c.names) || c.names == "" && said != "" {
				t.Errorf("%s, problems %q", verdict.Result, said)
			}
		})
	}
}
