//go:build linux && amd64

package envoy

import (
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/bpf/internal/probetest"
)

// BenchmarkHit measures calls of a function without a probe and with one: the difference is what a
// hit costs the process.
func BenchmarkHit(b *testing.B) {
	probetest.Require(b)
	recipe := ownRecipe(b)
	for _, bb := range []struct {
		name   string
		kind   uint16
		caller uint64
	}{
		{"no probe", 0, 0},
		{"refused", Request, 1},
		{"request", Request, 0},
		{"statement", Statement, 0},
	} {
		b.Run(bb.name, func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			p, err := Load()
			if err != nil {
				b.Fatal(err)
			}
			defer p.Close()
			if recipe.Kind, recipe.CallerTo = bb.kind, bb.caller; recipe.Kind != 0 {
				if _, err := p.Attach(os.Getpid(), "/proc/self/exe", []Recipe{recipe}); err != nil {
					b.Fatal(err)
				}
			}
			b.ResetTimer()
			var before, after unix.Timespec
			_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &before)
			for range b.N {
				probed()
			}
			_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &after)
			b.ReportMetric(float64(after.Nano()-before.Nano())/float64(b.N), "cpu-ns/op")
		})
	}
}
