package mesh

import (
	"errors"
	"io"
	"slices"
	"time"
)

// Limits bound what is read from a sidecar. Envoy makes its answers on its main thread, on which it
// also takes configuration and health checks.
type Limits struct {
	Dump   int64 // bytes of one answer of /config_dump; 0: maxAnswer
	Slices int   // clusters from which on a dump is asked for in slices; 0: sliceFrom; below 0: never
}

// dump is the most bytes that a dump may have.
func (l Limits) dump() int64 {
	if l.Dump <= 0 || l.Dump > maxAnswer {
		return maxAnswer
	}
	return l.Dump
}

func (l Limits) slices() int {
	if l.Slices == 0 {
		return sliceFrom
	}
	return l.Slices
}

// A Read is one answer of a sidecar's admin interface: what was asked, how large it was, and how
// long it took, the way through the apiserver included.
type Read struct {
	Path  string
	Bytes int64
	Took  time.Duration
}

func (s *Sidecar) noteRead(r Read) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads = append(s.reads, r)
}

// Reads are the answers that the sidecar has given.
func (s *Sidecar) Reads() []Read {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.reads)
}

// limits are those of the pod's mesh.
func (s *Sidecar) limits() Limits {
	if s.pod.mesh == nil {
		return Limits{}
	}
	return s.pod.mesh.limits
}

// bounded reads at most so many bytes, and remembers how many, and why it ended.
type bounded struct {
	from io.Reader
	most int64
	read int64
	over bool
	err  error
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.over {
		return 0, errTooLarge
	}
	n, err := b.from.Read(p)
	if b.read += int64(n); b.read > b.most {
		b.over = true
		return n, errTooLarge
	}
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}
