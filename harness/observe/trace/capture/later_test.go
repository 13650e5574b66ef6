//go:build linux && amd64

package capture

import (
	"context"
	"fmt"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/flowproof/lab/bpf/kernel"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/harness/observe/trace/order"
	"github.com/flowproof/lab/internal/envoybinary"
	"github.com/flowproof/lab/internal/envoybinary/testbed"
)

// starting is an Envoy that starts in a namespace which is watched already. Its steps are taken one
// after the other on one thread, which belongs to the namespace.
type starting struct {
	bed     *testbed.Testbed
	process *exec.Cmd // the one that holds the namespace, as pilot-agent does in a pod
	steps   chan func() error
	taken   chan error
}

func newStarting(t *testing.T) *starting {
	t.Helper()
	s := &starting{steps: make(chan func() error), taken: make(chan error)}
	go func() {
		for step := range s.steps {
			s.taken <- step()
		}
	}()
	s.take(t, func() (err error) {
		if s.bed, err = testbed.Empty(); err != nil {
			return err
		}
		s.process = exec.Command("sleep", "600")
		s.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		return s.process.Start()
	})
	t.Cleanup(func() {
		s.take(t, func() error {
			_ = s.process.Process.Kill()
			_ = s.process.Wait()
			return s.bed.Close()
		})
		close(s.steps)
	})
	return s
}

func (s *starting) take(t *testing.T, step func() error) {
	t.Helper()
	s.steps <- step
	if err := <-s.taken; err != nil {
		t.Fatal(err)
	}
}

// TestEnvoyThatStartsLater watches an Envoy from its first system call on. Its probes are put
// on it while it starts.
func TestEnvoyThatStartsLater(t *testing.T) {
	needRoot(t)
	for version, path := range binaries(t) {
		t.Run(version, func(t *testing.T) {
			cache := envoybinary.Cache{Dir: t.TempDir()}
			if _, err := cache.Ensure(t.Context(), path, Prove); err != nil {
				t.Fatal(err)
			}
			later := newStarting(t)
			session, err := Start(t.Context(),
				Options{Pods: []trace.Pod{{Name: "later.test", PIDs: []int{later.process.Process.Pid}}},
					Data: kernel.DefaultData, Envoy: true, Cache: cache})
			if err != nil {
				t.Fatal(err)
			}
			later.take(t, func() error { return later.bed.Start(t.Context(), path) })
			later.take(t, func() error { return session.awaitEnvoy(t.Context()) })
			later.take(t, func() error { _, err := later.bed.Once(later.bed.Routes[0].Port); return err })
			r, err := session.Stop()
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range r.Off() {
				t.Error(line)
			}
			story := order.Story(r, nil)
			for name, text := range startOrders {
				p, err := order.ParsePattern(name, text)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := p.Find(t.Context(), story, order.Binding{"CHAIN": later.bed.Routes[0].Chain}); err != nil {
					t.Error(err)
				}
			}
			if t.Failed() {
				_ = order.WriteLines(t.Output(), story, false, 0)
			}
		})
	}
}

// startOrders are what an Envoy of two workers does when it starts. Since 1.20 its main thread
// makes a socket for each worker (SO_REUSEPORT) and listens on all of them before any worker runs;
// before, workers duplicated one socket and listened.
var startOrders = map[string]string{
	"sockets": `
envoy: program starts
envoy fd $first: setsockopt SO_REUSEADDR
envoy fd $first: setsockopt SO_REUSEPORT
envoy fd $first: bind 127.0.0.1:10001
envoy fd $second: setsockopt SO_REUSEPORT
envoy fd $second: bind 127.0.0.1:10001
envoy fd $other: bind 127.0.0.1:10002
no envoy wrk:*: *
envoy fd $first: listen on 127.0.0.1:10001
envoy fd $second: listen on 127.0.0.1:10001
envoy fd $other: listen on 127.0.0.1:10002
no envoy *: listen *
no envoy *: dup of *
`,
	"worker 0": `
envoy fd $first: bind 127.0.0.1:10001
envoy fd *: listen on 127.0.0.1:10002
envoy wrk:worker_0 fd $first: epoll_ctl ADD IN
`,
	"worker 1": `
envoy fd $first: bind 127.0.0.1:10001
envoy fd $second: bind 127.0.0.1:10001
envoy fd *: listen on 127.0.0.1:10002
envoy wrk:worker_1 fd $second: epoll_ctl ADD IN
`,
	"a request, read from the inside": `
envoy $worker fd $down: accept *
envoy $worker fd $down: filter.chain = "$CHAIN"
envoy $worker fd $down: upstream request is given fd *
`,
}

// awaitEnvoy returns when probes are on an Envoy.
func (s *Session) awaitEnvoy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, testbed.Timeout)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		s.mu.Lock()
		n := len(s.envoys)
		s.mu.Unlock()
		if n > 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("no probes on an Envoy: %w", ctx.Err())
		}
	}
}
