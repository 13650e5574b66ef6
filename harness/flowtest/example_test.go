package flowtest_test

import (
	"os"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/flowtest"
)

// A test of a suite: the request goes to the Service's own cluster, by mutual TLS, and is answered.
func ExampleTrace() {
	_ = func(t *testing.T) {
		config := flowtest.Kubeconfig(t, os.Getenv("KUBECONFIG"), "")
		p := flowtest.Trace(
			t,
			config,
			"netshoot.mark",
			"http://fortio-server:8080/",
			flowtest.Header("x-team", "red"),
		)
		p.AsInferred()
		p.Status(200)
		p.Hop(flow.Route).Decides("cluster outbound|8080||fortio-server.mark.svc.cluster.local")
		p.Hop(flow.Cluster).Saw(flow.FactCluster, "outbound|8080||fortio-server.mark.svc.cluster.local")
		p.Hop(flow.DownstreamTLS, flow.Server).Decides("mutual TLS terminated")
	}
}
