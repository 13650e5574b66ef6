package main

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
	"github.com/flowproof/lab/harness/report"
)

// BenchmarkBatch answers 10,000 requests against a recorded dump that is loaded, and writes each
// answer as it is shown.
func BenchmarkBatch(b *testing.B) {
	dump, err := configdump.Open(b.Context(), "../../scenarios/dumps/netshoot.json.gz")
	if err != nil {
		b.Fatal(err)
	}
	defer dump.Close()
	var requests bytes.Buffer
	for n := range 10_000 {
		fmt.Fprintf(&requests, `{"id":"%d","address":"10.97.%d.%d","port":%d,"authority":"%s","path":"/p/%d"}`+"\n", n,
			n>>8&255, n&255,
			[]int{8080, 8070, 8079, 80}[n%4], []string{"fortio-server.mark", "fortio-server", "none.mark"}[n%3], n)
	}
	a := &app{output: "json"}
	b.ReportAllocs()
	for b.Loop() {
		lines := batchLines(a)
		err := infer.New(dump).Batch(bytes.NewReader(requests.Bytes()), io.Discard,
			infer.Options{}, func(w io.Writer, d flow.Decision) error {
				return report.Decision(w, a.output, lines(d), report.WayOptions{})
			})
		if err != nil {
			b.Fatal(err)
		}
	}
}
