package capture

import (
	"strings"
	"testing"
	"time"

	"github.com/flowproof/lab/bpf/kernel"
	"github.com/flowproof/lab/bpf/probe"
	"github.com/flowproof/lab/harness/observe/trace"
)

// FuzzKernelEvent gives the decoder anything that a ring buffer could hold.
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

// TestEveryKindIsUnderstood holds that every event of the kernel's probes has a name here and
// words in a timeline.
func TestEveryKindIsUnderstood(t *testing.T) {
	for kind := kernel.Accept; kind <= kernel.Exec; kind++ {
		r := probe.Record{Head: probe.Head{Kind: kind}}
		e, err := kernelEvent(&r, time.Time{})
		if err != nil {
			t.Errorf("kind %d: %v", kind, err)
			continue
		}
		named := e.Kind == trace.Close || e.Kind == trace.Shutdown // whose names are their words
		if !named && strings.HasSuffix(e.String(), ": "+string(e.Kind)) {
			t.Errorf("harness/observe/trace/words.go has no words of %s: %q is its name", e.Kind, e.String())
		}
	}
}
