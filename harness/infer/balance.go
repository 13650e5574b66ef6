package infer

import (
	"fmt"

	"github.com/flowproof/lab/harness/flow"
)

// balance returns the hosts that load balancing picks from, with the share of each.
func (w *walk) balance(c *cluster, load *loadAssignment) (hosts []host, choices []flow.Choice, why string) {
	if len(load.hosts) == 0 {
		return nil, nil, "the cluster has no endpoints"
	}
	for _, h := range load.hosts {
		if h.healthy() {
			hosts = append(hosts, h)
		}
	}
	for _, h := range hosts {
		choices = append(choices, flow.Choice{Name: h.address, Share: 1 / float64(len(hosts))})
	}
	return hosts, choices, fmt.Sprintf("%d of %d endpoints are healthy", len(hosts), len(load.hosts))
}
