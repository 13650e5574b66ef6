//go:build linux && amd64

// Package kernel is the set of probes that needs nothing but the kernel: what happens
// to the sockets of the watched network namespaces. It needs Linux 5.8 with BTF; see
// README.md for a transcript.
package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flowproof/lab/bpf/probe"
)

// Supported says that the set is made for this platform.
const Supported = true

// Options say what is copied of the bytes that pass.
type Options struct {
	// Data is how many bytes of each read and write are copied, enough to see the head
	// of an HTTP message; at most MaxData. 0 copies nothing, except of TLS handshakes
	// and of what is peeked at.
	Data int
	// Buffer is the size in bytes of the ring buffer, and of the rings of all CPUs together as far
	// as that is possible: a power of two and of whole pages; 0: DefaultBuffer.
	Buffer int
	// Without are probes that are left off, by their names in README.md: what does
	// not run costs nothing.
	Without []string
}

// MaxData is the most that an event can carry.
const MaxData = 4095

// DefaultBuffer holds what two busy sidecars make in several times the interval at
// which it is emptied.
const DefaultBuffer = 16 << 20

// ErrUnknownProbe says that a probe is to be left off that does not exist.
var ErrUnknownProbe = errors.New("there is no such probe")

// Load loads the set. Nothing is attached yet.
func Load(opts Options) (*probe.Set, error) {
	if opts.Data < 0 || opts.Data > MaxData {
		return nil, fmt.Errorf("load kernel probes: %d bytes of data cannot be copied (0 to %d can)",
			opts.Data, MaxData)
	}
	spec, err := loadKernel()
	if err != nil {
		return nil, fmt.Errorf("load kernel probes: %w", err)
	}
	buffer := cmp.Or(opts.Buffer, DefaultBuffer)
	spec.Maps["events"].MaxEntries = uint32(buffer)
	if err := probe.SizeRings(spec, buffer); err != nil {
		return nil, fmt.Errorf("load kernel probes: %w", err)
	}
	for _, name := range opts.Without {
		if spec.Programs[name] == nil {
			return nil, fmt.Errorf("load kernel probes: %w: %q (there are: %s)", ErrUnknownProbe, name,
				strings.Join(slices.Sorted(maps.Keys(spec.Programs)), ", "))
		}
		delete(spec.Programs, name)
	}
	set, err := probe.Load(spec, map[string]any{"data_max": uint32(opts.Data)})
	if err != nil {
		return nil, err
	}
	for _, name := range opts.Without {
		set.Refused(name, probe.LeftOff)
	}
	return set, nil
}

// openSockets is the iterator.
const openSockets = "open_sockets"

// Start attaches every probe, then finds the sockets that are open already, so that
// none falls between.
func Start(s *probe.Set) error {
	s.AttachTracepoints()
	if !s.Has(openSockets) {
		return nil
	}
	return s.Iterate(openSockets)
}
