package infer

import (
	"bytes"
	"io"
	"os"
	"testing"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/report"
)

// BenchmarkDecide measures one more request against a dump that is loaded. FLOWPROOF_DUMP names the
// dump of a sidecar in the workshop that calls fortio-server.
func BenchmarkDecide(b *testing.B) {
	path := os.Getenv("FLOWPROOF_DUMP")
	if path == "" {
		b.Skip("FLOWPROOF_DUMP names no dump")
	}
	d, err := configdump.Open(b.Context(), path)
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	e := New(d)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Decide(flow.Request{Address: "10.97.1.2", Port: 8080, Authority: "svc-00001.mark"}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBatch measures the requests of FLOWPROOF_REQUESTS against the dump of
// FLOWPROOF_DUMP, loaded before.
func BenchmarkBatch(b *testing.B) {
	path, requests := os.Getenv("FLOWPROOF_DUMP"), os.Getenv("FLOWPROOF_REQUESTS")
	if path == "" || requests == "" {
		b.Skip("FLOWPROOF_DUMP and FLOWPROOF_REQUESTS name no files")
	}
	text, err := os.ReadFile(requests)
	if err != nil {
		b.Fatal(err)
	}
	d, err := configdump.Open(b.Context(), path)
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	for b.Loop() {
		err := New(d).Batch(bytes.NewReader(text), io.Discard, Options{}, func(w io.Writer, d flow.Decision) error {
			return report.Decision(w, "json", d, report.WayOptions{})
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
