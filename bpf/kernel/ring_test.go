//go:build linux && amd64

package kernel

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/bpf/internal/probetest"
	"github.com/flowproof/lab/bpf/probe"
)

// TestRingGoesRound fills a small ring many times over, as far as it can be filled before it is
// emptied: every event comes, with what was written, and in order.
func TestRingGoesRound(t *testing.T) {
	probetest.Require(t)
	const bursts, burst = 12, 30
	set := smallest(t)
	writer, reader := pair(t)
	events := make(chan probe.Record, 2*bursts*burst)
	done := make(chan error, 1)
	go func() { done <- set.Read(func(r probe.Record) { events <- r }) }()
	set.AttachTracepoints()
	var want []string
	seen := map[uint16][]probe.Record{}
	for range bursts {
		for range burst {
			message := fmt.Sprintf("MESSAGE %d %s", len(want), "of any length at all"[:len(want)%20])
			want = append(want, message)
			passOn(t, writer, reader, message)
		}
		for range 2 * burst {
			select {
			case r := <-events:
				seen[r.Kind] = append(seen[r.Kind], r)
			case <-time.After(10 * time.Second):
				t.Fatalf("after %d messages %d reads and %d writes were seen", len(want), len(seen[Read]),
					len(seen[Write]))
			}
		}
	}
	for _, kind := range []uint16{Read, Write} {
		slices.SortFunc(seen[kind], func(a, b probe.Record) int { return cmp.Compare(a.Time, b.Time) })
		var got []string
		for _, r := range seen[kind] {
			got = append(got, string(r.Data))
		}
		if !slices.Equal(got, want) {
			t.Errorf("of kind %d came %q, want %q", kind, got, want)
		}
	}
	if err := set.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// passOn writes a message and reads it at the other end.
func passOn(t *testing.T, writer, reader int, message string) {
	t.Helper()
	if _, err := unix.Write(writer, []byte(message)); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Read(reader, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
}

// TestNamespacesInOneSlot watches namespaces that the programs look for in the same place.
func TestNamespacesInOneSlot(t *testing.T) {
	probetest.Require(t)
	const slots, tries = 1024, 4
	for before := range tries + 1 {
		ns := probetest.Namespace(t)
		set, err := Load(Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range before {
			if err := set.Watch(ns - uint32(i+1)*slots); err != nil {
				t.Fatal(err)
			}
		}
		err = set.Watch(ns)
		if again := set.Watch(ns); (err != nil) != (before == tries) || (again == nil) != (err == nil) {
			t.Errorf("after %d others: %v, and a second time: %v", before, err, again)
		}
		set.AttachTracepoints()
		talk(t, "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n")
		if err := set.Detach(); err != nil {
			t.Fatal(err)
		}
		if counts, err := set.Counts(); err != nil || (counts.Emitted == 0) != (before == tries) {
			t.Errorf("after %d others: counted were %+v, %v", before, counts, err)
		}
		if err := set.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
