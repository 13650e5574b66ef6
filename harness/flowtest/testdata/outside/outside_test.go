// Package outside is a test suite of another module, as anybody's is.
package outside

import (
	"os"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/flowtest"
)

func TestWay(t *testing.T) {
	kubeconfig := os.Getenv("KUBECONFIG")
	if kubeconfig == "" {
		t.Skip("KUBECONFIG names no cluster with Istio")
	}
	p := flowtest.Trace(t, flowtest.Kubeconfig(t, kubeconfig, ""), "netshoot.mark", "http://fortio-server:8080/",
		flowtest.Cold(), flowtest.DebugLogs())
	p.AsInferred()
	p.Status(200)
	p.Hop(flow.Route).Decides("cluster outbound|8080||fortio-server.mark.svc.cluster.local")
	p.Hop(flow.Route).Confirmed()
	p.Hop(flow.Cluster).Saw(flow.FactCluster, "outbound|8080||fortio-server.mark.svc.cluster.local")
	p.Hop(flow.DownstreamTLS, flow.Server).Decides("mutual TLS terminated")
}
