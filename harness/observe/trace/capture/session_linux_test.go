//go:build linux && amd64

package capture

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/flowproof/lab/bpf/envoy"
	"github.com/flowproof/lab/bpf/kernel"
	"github.com/flowproof/lab/bpf/probe"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/internal/envoybinary"
	"github.com/flowproof/lab/internal/envoybinary/testbed"
)

// TestEnvoyThatIsReplaced watches a network namespace in which Envoy ends and another one
// starts: the probes come upon it by themselves. The log trace is left off, and what that would
// have told is not claimed.
func TestEnvoyThatIsReplaced(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("root is needed to make a network namespace and to attach probes")
	}
	for version, path := range binaries(t) {
		t.Run(version, func(t *testing.T) {
			cache := envoybinary.Cache{Dir: t.TempDir()}
			if _, err := cache.Ensure(t.Context(), path, Prove); err != nil {
				t.Fatal(err)
			}
			r := onItsOwnThread(t, func() (*trace.Recording, error) { return restart(t.Context(), path, cache) })
			if len(r.Envoys) != 2 {
				t.Errorf("probed were %d Envoys, want 2", len(r.Envoys))
			}
			for _, i := range r.Envoys {
				if !i.Join || len(i.Values) != 2 || i.Statements != nil ||
					i.Off[envoy.ProbeStatements] != probe.LeftOff {
					t.Errorf("claimed of an Envoy: %+v", i)
				}
			}
			if slices.ContainsFunc(r.Events, func(e trace.Event) bool { return e.Kind == trace.Statement }) {
				t.Error("a log statement was seen by a probe that is left off")
			}
			if !slices.ContainsFunc(r.Events, func(e trace.Event) bool {
				return e.Kind == trace.PoolReady && e.Ends.Cluster != ""
			}) {
				t.Error("the later Envoy's cluster was not read")
			}
		})
	}
}

// onItsOwnThread does something with a testbed, whose thread is not used for
// anything else afterwards.
func onItsOwnThread(t *testing.T, do func() (*trace.Recording, error)) *trace.Recording {
	t.Helper()
	type result struct {
		recording *trace.Recording
		err       error
	}
	done := make(chan result, 1)
	go func() {
		r, err := do()
		done <- result{r, err}
	}()
	got := <-done
	if got.err != nil {
		t.Fatal(got.err)
	}
	return got.recording
}

// bedPod is how the testbed's events are named.
const bedPod = "testbed.test"

// watchBed watches the testbed, from another thread: a session refuses to watch the
// namespace that it is in.
func watchBed(ctx context.Context, b *testbed.Testbed, opts Options) (s *Session, err error) {
	opts.Pods, opts.Data, opts.Envoy = []trace.Pod{{Name: bedPod, PIDs: []int{b.PID()}}}, kernel.DefaultData, true
	started := make(chan bool)
	go func() {
		defer close(started)
		s, err = Start(ctx, opts)
	}()
	<-started
	return s, err
}

// restart watches a testbed while its Envoy is replaced, and sends a request through the new one.
func restart(ctx context.Context, path string, cache envoybinary.Cache) (_ *trace.Recording, err error) {
	b, err := testbed.New(ctx, path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	s, err := watchBed(ctx, b, Options{Cache: cache, Without: []string{envoy.ProbeStatements}})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := b.Restart(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, testbed.Timeout)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for probed := 0; probed < 2; {
		s.mu.Lock()
		probed = len(s.envoys)
		s.mu.Unlock()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errors.New("the later Envoy was not probed")
		}
	}
	if _, err := b.Once(b.Routes[0].Port); err != nil {
		return nil, err
	}
	return s.Stop()
}

func TestUnknownProbeCannotBeLeftOff(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("root is needed to load probes")
	}
	_, err := Start(t.Context(), Options{Without: []string{"gaet"}})
	if fault.Of(err) != fault.Usage {
		t.Errorf("ends with kind %q: %v", fault.Of(err), err)
	}
}
