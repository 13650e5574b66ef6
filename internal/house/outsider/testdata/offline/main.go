// Command offline is what another project does with two config dumps, a pod's rules and a bundle: it imports
// nothing that is internal, and needs no cluster.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/flowproof/lab/harness/bundle"
	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
	"github.com/flowproof/lab/harness/netfilter"
	"github.com/flowproof/lab/harness/report"
	"github.com/flowproof/lab/harness/verify"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: offline CLIENT-DUMP SERVER-DUMP BUNDLE")
	}
	ctx := context.Background()
	if err := inferred(ctx, os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
	if err := judged(ctx, os.Args[3]); err != nil {
		log.Fatal(err)
	}
}

// inferred says which way a call takes, and what no dump says.
func inferred(ctx context.Context, clientFile, serverFile string) error {
	client, err := configdump.Open(ctx, clientFile)
	if err != nil {
		return err
	}
	defer client.Close()
	server, err := configdump.Open(ctx, serverFile)
	if err != nil {
		return err
	}
	defer server.Close()
	rules, err := netfilter.Parse("*nat\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n")
	if err != nil {
		return err
	}
	fmt.Println("captures DNS:", rules.CapturesDNS())
	_, err = infer.Way(client, server, flow.Call{Method: "GET", URL: "http://absent:8080/"}, infer.WayOptions{})
	fmt.Println("no such name:", errors.Is(err, infer.ErrUnresolved))
	path, err := infer.Way(client, server, flow.Call{Method: "GET", URL: "http://fortio-server:8080/"}, infer.WayOptions{Cold: true})
	if err != nil {
		return err
	}
	fmt.Println("the way has", len(path.Hops), "hops and is", path.Certainty)
	return nil
}

// judged judges a bundle by its evidence, and the run in it once more.
func judged(ctx context.Context, dir string) error {
	_, err := bundle.Read(ctx, dir+".absent")
	fmt.Println("no such bundle:", fault.Of(err), errors.Is(err, fault.Usage))
	contents, err := bundle.Read(ctx, dir)
	if err != nil {
		return err
	}
	run, verdict, err := bundle.Judge(ctx, contents)
	if err != nil {
		return err
	}
	if again := verify.Judge(run); again.Confirmed != verdict.Confirmed {
		return fmt.Errorf("%d hops are confirmed, and %d again", verdict.Confirmed, again.Confirmed)
	}
	fmt.Println("of the bundle are confirmed", verdict.Confirmed, "hops, and refuted", verdict.Refuted)
	return report.Write(os.Stdout, "text", run, verdict, report.Options{})
}
