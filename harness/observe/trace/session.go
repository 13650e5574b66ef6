//go:build linux && amd64

package trace

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/bpf/kernel"
	"github.com/flowproof/lab/bpf/probe"
	"github.com/flowproof/lab/harness/exit"
)

// Options say what to watch.
type Options struct {
	Pods []Pod
	Data int // bytes of each read and write that are looked at for HTTP; 0: none
}

// DefaultData is enough for the head of a request between sidecars.
const DefaultData = kernel.DefaultData

// A Session is a watch that goes on. Stop or Close it.
type Session struct {
	kernel  *probe.Set
	boot    time.Time
	pods    map[uint32]string // by network namespace
	readers sync.WaitGroup

	mu        sync.Mutex
	recording Recording
	problems  []error
}

// Start attaches the probes to exactly the given pods: to their network namespaces, and so to all their processes and
// threads and to those that start later. When it returns, nothing that happens is missed.
func Start(opts Options) (*Session, error) {
	set, err := kernel.Load(kernel.Options{Data: opts.Data})
	if err != nil {
		return nil, exit.Environmentf("start trace: %w", err)
	}
	s := &Session{kernel: set, boot: bootTime(), pods: map[uint32]string{}, recording: Recording{Schema: RecordingSchema, Pods: opts.Pods}}
	if err := s.start(opts); err != nil {
		return nil, errors.Join(exit.Environmentf("start trace: %w", err), s.Close())
	}
	return s, nil
}

func (s *Session) start(opts Options) error {
	own, err := netnsOf(os.Getpid())
	if err != nil {
		return err
	}
	for _, pod := range opts.Pods {
		if len(pod.PIDs) == 0 {
			return fmt.Errorf("watch %s: no process of it is known", pod.Name)
		}
		netns, err := netnsOf(pod.PIDs[0])
		switch {
		case err != nil:
			return fmt.Errorf("watch %s: %w", pod.Name, err)
		case netns == own:
			return fmt.Errorf("watch %s: it shares this machine's network, and everything in it would be watched (give the pod a network of its own)", pod.Name)
		}
		s.pods[netns] = pod.Name
		if err := s.kernel.Watch(netns); err != nil {
			return err
		}
	}
	s.read(s.kernel, kernelEvent)
	return kernel.Start(s.kernel)
}

// read collects the events of a set until it is flushed.
func (s *Session) read(set *probe.Set, decode func(*probe.Record, time.Time) (Event, error)) {
	s.readers.Go(func() {
		err := set.Read(func(r probe.Record) {
			event, err := decode(&r, s.boot)
			event.Pod = s.pods[r.NetNS]
			s.add(event, err)
		})
		if err != nil {
			s.add(Event{}, err)
		}
	})
}

// maxEvents bounds a recording; one request makes a thousand events.
const maxEvents = 2_000_000

func (s *Session) add(event Event, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
		s.problems = append(s.problems, err)
	case len(s.recording.Events) >= maxEvents:
		s.recording.Counts.Lost++
	default:
		s.recording.Events = append(s.recording.Events, event)
	}
}

// Stop detaches the probes and returns what they told. The session is over then, whatever the error.
func (s *Session) Stop() (*Recording, error) {
	err := errors.Join(s.kernel.Detach(), s.kernel.Flush())
	s.readers.Wait()
	counts, countErr := s.kernel.Counts()
	r := &s.recording
	r.Probes = s.kernel.Statuses()
	r.Counts.Emitted += counts.Emitted
	r.Counts.Lost += counts.Lost
	r.Counts.Missed += counts.Missed
	if problem := errors.Join(append(s.problems, countErr)...); problem != nil {
		r.Problem = problem.Error()
	}
	r.sort()
	if err := errors.Join(err, s.Close()); err != nil {
		return r, fmt.Errorf("stop trace: %w", err)
	}
	return r, nil
}

// Close ends the session without a recording.
func (s *Session) Close() error { return s.kernel.Close() }

// bootTime is when CLOCK_MONOTONIC was 0, by the clock of now.
func bootTime() time.Time {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return time.Time{}
	}
	return time.Now().Add(-time.Duration(now.Nano())).Round(0)
}

// netnsOf is the inode number of a process's network namespace, by which the kernel's own structures name it.
func netnsOf(pid int) (uint32, error) {
	var st unix.Stat_t
	if err := unix.Stat(fmt.Sprintf("/proc/%d/ns/net", pid), &st); err != nil {
		return 0, fmt.Errorf("find network namespace of process %d: %w", pid, err)
	}
	return uint32(st.Ino), nil
}
