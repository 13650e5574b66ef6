package infer_test

import (
	"context"
	"fmt"
	"log"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
)

// The way of a call is inferred from two config dumps, of the client's sidecar and of the server's.
// Nothing else is asked.
func ExampleWay() {
	ctx := context.Background()
	client, err := configdump.Open(ctx, "../../scenarios/dumps/netshoot.json.gz")
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	server, err := configdump.Open(ctx, "../../scenarios/dumps/fortio-server.json.gz")
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	call := flow.Call{Method: "GET", URL: "http://fortio-server:8080/echo"}
	path, err := infer.Way(client, server, call, infer.WayOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, hop := range path.Hops {
		if hop.Kind == flow.Cluster || hop.Kind == flow.UpstreamTLS {
			fmt.Printf("%s %s: %s\n", hop.Side, hop.Kind, hop.Decision)
		}
	}
	fmt.Println(path.Outcome, path.Certainty)
	// Output:
	// client cluster: outbound|8080||fortio-server.mark.svc.cluster.local
	// client upstream-tls: mutual TLS, SNI outbound_.8080_._.fortio-server.mark.svc.cluster.local, ALPN istio
	// server cluster: inbound|8080||
	// server upstream-tls: clear text
	// forwarded certain
}

// An Engine answers for one proxy, and keeps what it has decoded: for many requests
// it is the faster way.
func ExampleEngine_Decide() {
	dump, err := configdump.Open(context.Background(), "../../scenarios/dumps/netshoot.json.gz")
	if err != nil {
		log.Fatal(err)
	}
	defer dump.Close()
	engine := infer.New(dump)
	for _, authority := range []string{"fortio-server:8080", "absent:8080"} {
		d, err := engine.Decide(flow.Request{Address: "10.96.215.136", Port: 8080, Authority: authority})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(authority, "→", d.Outcome, d.Cluster)
	}
	// Output:
	// fortio-server:8080 → forwarded outbound|8080||fortio-server.mark.svc.cluster.local
	// absent:8080 → forwarded PassthroughCluster
}
