//go:build linux

package node

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/internal/progress"
)

// TestMain lets the test binary be the guard and the init of the labs that its tests bring up.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == Verb {
		os.Exit(Main(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// BenchmarkUp brings a lab up from prepared data and, as its peer, one from an empty cluster to
// which the same objects are applied, as a script with kubectl would. It reports seconds to the
// first 200 through both sidecars for both, their ratio, seconds to take a lab down, and the
// memory of a lab at rest.
func BenchmarkUp(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("needs root: it brings labs up")
	}
	var up, fresh, down time.Duration
	var memory int64
	for b.Loop() {
		t, d, m := upAndDown(b, cluster.Options{Name: "bench"})
		up, down, memory = up+t, down+d, m
		t, _, _ = upAndDown(b, cluster.Options{Name: "bench", Fresh: true})
		fresh += t
	}
	n := float64(b.N)
	b.ReportMetric(up.Seconds()/n, "s-to-200")
	b.ReportMetric(fresh.Seconds()/n, "s-to-200-applied")
	b.ReportMetric(fresh.Seconds()/up.Seconds(), "x-faster")
	b.ReportMetric(down.Seconds()/n, "s-down")
	b.ReportMetric(float64(memory)/(1<<20), "MiB")
	b.ReportMetric(0, "ns/op") // both variants together say nothing
}

// upAndDown returns the time to the first answer, the time to take the lab down, and its memory
// when it has settled.
func upAndDown(b *testing.B, opts cluster.Options) (up, down time.Duration, memory int64) {
	b.Helper()
	ctx := context.Background()
	backend := New()
	lab, err := backend.Up(ctx, opts, progress.Quiet)
	if err != nil {
		b.Fatal(err)
	}
	if lab.Joined {
		b.Fatalf("lab %s was up already (take it down first: lab down --name %s)", opts.Name, opts.Name)
	}
	status, err := backend.Status(ctx, opts.Name)
	if err != nil {
		b.Fatal(err)
	}
	status.Measure()
	start := time.Now()
	if err := backend.Down(ctx, opts.Name, progress.Quiet); err != nil {
		b.Fatal(err)
	}
	return lab.Timings[len(lab.Timings)-1].At, time.Since(start), status.Memory
}
