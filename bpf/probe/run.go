//go:build linux

package probe

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/cilium/ebpf/ringbuf"
)

// pollInterval is how often the ring buffer and the rings are emptied: a busy CPU fills its ring of
// 8 MB in several times that. The programs wake no reader: a wake-up an event costs ten times what
// the event does.
const pollInterval = 25 * time.Millisecond

// Read calls each with every event until the Set is flushed or closed. Events of different CPUs
// come out of order; their Time tells the order. The error tells of the first events that are
// damaged, and how many more there are.
func (s *Set) Read(each func(Record)) error {
	var problems Problems
	err := s.ReadSamples(func(sample []byte) {
		record, err := Decode(sample)
		if err != nil {
			problems.Add(err)
			return
		}
		each(record)
	})
	return errors.Join(err, problems.Err())
}

// ReadSamples is Read for those who decode later. A sample is valid until each returns.
// Each CPU's ring is emptied by itself, so that events of different ones are out of order
// by as much as an interval.
func (s *Set) ReadSamples(each func(sample []byte)) error {
	s.reader.SetDeadline(time.Now().Add(pollInterval))
	var raw ringbuf.Record
	for {
		err := s.reader.ReadInto(&raw)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.reader.SetDeadline(time.Now().Add(pollInterval))
			if err := s.rings.empty(each); err != nil {
				return err
			}
		case errors.Is(err, ringbuf.ErrFlushed), errors.Is(err, ringbuf.ErrClosed):
			return s.rings.empty(each)
		case err != nil:
			return fmt.Errorf("read ring buffer: %w", err)
		default:
			each(raw.RawSample)
		}
	}
}

// Flush makes Read return after the events that are there.
func (s *Set) Flush() error { return s.reader.Flush() }

// Detach detaches every probe. Each waits until no CPU runs its program any more,
// so all wait together.
func (s *Set) Detach() error {
	s.mu.Lock()
	links := s.links
	s.links = nil
	s.mu.Unlock()
	errs := make([]error, len(links))
	var group sync.WaitGroup
	for i, l := range links {
		group.Go(func() { errs[i] = l.Close() })
	}
	group.Wait()
	return errors.Join(errs...)
}

// Close detaches every probe and frees the programs and maps.
func (s *Set) Close() error {
	errs := []error{s.Detach()}
	if s.reader != nil {
		errs = append(errs, s.reader.Close())
	}
	errs = append(errs, s.rings.close())
	for _, p := range s.programs {
		errs = append(errs, p.Close())
	}
	for _, m := range s.maps {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}
