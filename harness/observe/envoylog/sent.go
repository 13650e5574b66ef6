package envoylog

import (
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// sent tells of the request as the router sends it upstream: it prints the headers after the
// filters and the route have changed them (Envoy: Router::Filter::continueDecodeHeaders).
func (o *observer) sent(router step) {
	facts := map[string]string{":method": flow.FactMethod, ":path": flow.FactPath, ":authority": flow.FactAuthority}
	for _, line := range router.Block {
		name, value, ok := parseHeader(line)
		if !ok {
			continue
		}
		if fact, is := facts[name]; is {
			o.see(router, flow.Connect, fact, value)
		} else if !strings.HasPrefix(name, ":") {
			o.see(router, flow.Connect, flow.FactHeader, name+": "+value)
		}
	}
}
