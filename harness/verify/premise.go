package verify

import (
	"fmt"

	"github.com/flowproof/lab/harness/flow"
)

// disturbed says what shows that others sent a request on the way after the pools were looked at
// and before this request took its connections. The request then did not meet the cold pools that
// were inferred. A pool that a socket table showed empty has a connection only when another request
// made it. No configuration makes one. So what was seen then refutes nothing of the configuration.
func disturbed(run flow.Run) []string {
	if run.Pools != flow.ColdPools {
		return nil
	}
	for _, o := range run.Observations {
		for _, s := range o.Facts {
			if s.Name == flow.FactOthers || s.Name == flow.FactUpstreamReused && s.Value == "true" {
				return []string{fmt.Sprintf("the pools were cold, and others used them before this request did: "+
					"%s saw at %s %s: %s %s (run it again)",
					o.Instrument, o.Side, o.Kind, s.Name, s.Value)}
			}
		}
	}
	return nil
}
