package bundle_test

import (
	"context"
	"fmt"
	"log"

	"github.com/flowproof/lab/harness/bundle"
	"github.com/flowproof/lab/harness/flow"
)

// A bundle is judged again from its dumps and its raw evidence, without a cluster: what it says of
// itself is held against both.
func ExampleJudge() {
	ctx := context.Background()
	contents, err := bundle.Read(ctx, "testdata/inbound")
	if err != nil {
		log.Fatal(err)
	}
	run, verdict, err := bundle.Judge(ctx, contents)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %d of %d hops are confirmed, %d refuted\n", run.Call.URL, verdict.Confirmed, len(verdict.Hops),
		verdict.Refuted)
	for _, hop := range verdict.Hops {
		if hop.State != flow.Confirmed {
			fmt.Println(hop.Side, hop.Kind, hop.State)
		}
	}
	// Output:
	// http://fortio-server:8080/: 26 of 26 hops are confirmed, 0 refuted
}
