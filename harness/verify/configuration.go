package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// mostChanges bounds how many changes of one proxy a verdict names.
const mostChanges = 4

// changed says of each proxy on the way that its configuration was another one after the request
// than the one that was inferred from: which of the two the request met is not known, so nothing
// that was inferred can be verified.
func changed(run flow.Run) []string {
	var all []string
	for _, c := range run.Configuration {
		if c.Problem != "" {
			all = append(all, fmt.Sprintf("configuration of %s at the request is not known: %s", c.Proxy, c.Problem))
		}
		if len(c.Changes) == 0 {
			continue
		}
		var named []string
		for i, change := range c.Changes {
			if i == mostChanges {
				named = append(named, fmt.Sprintf("and %d more", len(c.Changes)-mostChanges))
				break
			}
			named = append(named, change.String())
		}
		all = append(all, "configuration changed between dump and request: "+strings.Join(named, "; ")+
			" (run it again)")
	}
	return all
}

// anyChanged says whether a proxy's configuration changed on the way. What was seen then refutes
// nothing: it may be right by the configuration that the request met.
func anyChanged(run flow.Run) bool {
	return slices.ContainsFunc(run.Configuration, func(c flow.Configuration) bool { return len(c.Changes) > 0 })
}
