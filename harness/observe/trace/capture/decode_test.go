package capture

import (
	"testing"
	"time"

	"github.com/flowproof/lab/bpf/probe"
)

// FuzzKernelEvent gives the decoder whatever a ring buffer could hold.
func FuzzKernelEvent(f *testing.F) {
	f.Add(make([]byte, probe.HeadSize))
	f.Add(append(make([]byte, probe.HeadSize), "GET / HTTP/1.1\r\n\r\n"...))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := probe.Decode(b)
		if err != nil {
			return
		}
		if e, err := kernelEvent(&r, time.Time{}); err == nil && e.String() == "" {
			t.Error("an event without words")
		}
	})
}
