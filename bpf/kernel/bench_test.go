//go:build linux && amd64

package kernel

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/bpf/internal/probetest"
	"github.com/flowproof/lab/bpf/probe"
)

// BenchmarkRead measures a write and a read of a request's size over loopback: without
// probes, with probes that watch another namespace, and watched. The difference is what two
// events cost the process.
func BenchmarkRead(b *testing.B) {
	probetest.Require(b)
	for _, bb := range []struct {
		name         string
		probe, watch bool
		data         int
	}{
		{"no probes", false, false, 0},
		{"another namespace", true, false, DefaultData},
		{"no data", true, true, 0},
		{"data", true, true, DefaultData},
	} {
		b.Run(bb.name, func(b *testing.B) {
			netns := probetest.Namespace(b)
			if !bb.watch {
				netns = 1
			}
			if bb.probe {
				defer attach(b, netns, bb.data)()
			}
			writer, reader := pair(b)
			message := make([]byte, 1000)
			copy(message, "GET / HTTP/1.1\r\n")
			buffer := make([]byte, 4096)
			b.ResetTimer()
			before := threadTime(b)
			for range b.N {
				if _, err := unix.Write(writer, message); err != nil {
					b.Fatal(err)
				}
				if _, err := unix.Read(reader, buffer); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(threadTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// threadTime is how long this thread has run, in ns: on a busy machine it says more than the
// time that has passed.
func threadTime(b *testing.B) int64 {
	b.Helper()
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		b.Fatal(err)
	}
	return t.Nano()
}

// attach watches a namespace and throws away what is seen, until the returned function is called.
func attach(b *testing.B, netns uint32, data int) (detach func()) {
	b.Helper()
	set, err := Load(Options{Data: data})
	if err != nil {
		b.Fatal(err)
	}
	if err := set.Watch(netns); err != nil {
		b.Fatal(err)
	}
	read := make(chan error, 1)
	go func() { read <- set.Read(func(probe.Record) {}) }()
	set.AttachTracepoints()
	return func() {
		b.StopTimer()
		counts, err := set.Counts()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(counts.Lost)/float64(b.N), "lost/op")
		if stats, err := set.Program("sys_exit").Stats(); err == nil && stats.Runtime > 0 {
			// with kernel.bpf_stats_enabled=1
			b.ReportMetric(float64(stats.Runtime.Nanoseconds())/float64(counts.Emitted+counts.Lost), "program-ns/event")
		}
		if err := set.Close(); err != nil {
			b.Fatal(err)
		}
		if err := <-read; err != nil {
			b.Fatal(err)
		}
	}
}

// pair is a connection over loopback, until the test ends.
func pair(b testing.TB) (writer, reader int) {
	b.Helper()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	must(err)
	defer unix.Close(listener)
	must(unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	must(unix.Listen(listener, 1))
	bound, err := unix.Getsockname(listener)
	must(err)
	writer, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	must(err)
	must(unix.Connect(writer, bound))
	reader, _, err = unix.Accept(listener)
	must(err)
	b.Cleanup(func() {
		_ = unix.Close(writer)
		_ = unix.Close(reader)
	})
	return writer, reader
}
