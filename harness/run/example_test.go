package run_test

import (
	"context"
	"fmt"
	"log"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/run"
	"github.com/flowproof/lab/harness/run/runtest"
	"github.com/flowproof/lab/harness/verify"
)

// One request is inferred, sent, watched and judged. The lab here shows what a real one has shown
// of the same request; a real one comes from mesh.Connect, as below.
func ExampleDo() {
	ctx := context.Background()
	recorded, err := runtest.Recorded(ctx, "../bundle/testdata/inbound")
	if err != nil {
		log.Fatal(err)
	}
	call, err := run.NewCall("netshoot", "http://fortio-server:8080/", "mark")
	if err != nil {
		log.Fatal(err)
	}
	result, err := run.Do(ctx, recorded.Run(), run.Plan{Call: call}, nil)
	if err != nil {
		log.Fatal(err)
	}
	verdict := verify.Judge(result.Run)
	fmt.Printf("%s, %d hops\n", verdict.Result, len(verdict.Hops))
	for _, absent := range result.Run.Absences {
		if absent.Instrument == flow.Trace {
			fmt.Println("without eBPF, which no recording stands in for")
		}
	}
	// Output:
	// verified, 26 hops
	// without eBPF, which no recording stands in for
}

// A lab is any cluster with Istio that a kubeconfig leads to.
func ExampleOf() {
	m, err := mesh.Connect("kubeconfig.yaml")
	if err != nil {
		log.Fatal(err)
	}
	lab := run.Lab{Mesh: run.Of(m)}
	call, err := run.NewCall("sleep.shop", "http://httpbin.shop:8000/", m.Namespace())
	if err != nil {
		log.Fatal(err)
	}
	result, err := run.Do(context.Background(), lab, run.Plan{Call: call}, log.Printf)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(verify.Judge(result.Run).Result)
}
