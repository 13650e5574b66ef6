//go:build linux && amd64

// Package kernel is the set of probes that needs nothing but the kernel: what happens to the sockets of the watched
// network namespaces. It needs Linux 5.8 with BTF; see README.md for a transcript.
package kernel

import (
	"fmt"

	"github.com/flowproof/lab/bpf/probe"
)

// Supported says that the set is made for this platform.
const Supported = true

// Options say what is copied of the bytes that pass.
type Options struct {
	// Data is how many bytes of each read and write are copied, enough to see the head of an HTTP message; at most
	// MaxData. 0 copies nothing, except of TLS handshakes and of what is peeked at.
	Data int
}

// MaxData is the most that an event can carry.
const MaxData = 4095

// DefaultData holds a request line and the headers that sidecars add.
const DefaultData = 2048

// Load loads the set. Nothing is attached yet.
func Load(opts Options) (*probe.Set, error) {
	if opts.Data < 0 || opts.Data > MaxData {
		return nil, fmt.Errorf("load kernel probes: %d bytes of data cannot be copied (0 to %d can)", opts.Data, MaxData)
	}
	spec, err := loadKernel()
	if err != nil {
		return nil, fmt.Errorf("load kernel probes: %w", err)
	}
	return probe.Load(spec, map[string]any{"data_max": uint32(opts.Data)})
}

// Start attaches every probe, then finds the sockets that are open already, so that none falls between.
func Start(s *probe.Set) error {
	s.AttachTracepoints()
	return s.Iterate("open_sockets")
}
