//go:build linux && amd64

package capture

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/bpf/envoy"
	"github.com/flowproof/lab/bpf/kernel"
	"github.com/flowproof/lab/bpf/probe"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/internal/envoybinary"
	"github.com/flowproof/lab/internal/envoybinary/prove"
	"github.com/flowproof/lab/internal/redact"
)

// A watcher runs the sets of probes and collects their events.
type watcher struct {
	kernel  *probe.Set
	envoy   *envoy.Probes // nil: not wanted, or not possible here
	boot    time.Time
	readers sync.WaitGroup
	tapes   []*recorded

	detached bool

	attaching sync.Mutex
	sources   []envoybinary.Source // by the number of the recipe

	mu       sync.Mutex
	pods     map[uint32]string // by network namespace
	problems probe.Problems
	raw      []raw              // what only recovery asks for
	onExec   func(netns uint32) // a program started in a watched namespace
}

// recorded is what one set of probes told, which is understood only when the watch is over.
type recorded struct {
	tape
	// ok is false of what is no event by itself
	decode func(sample []byte) (e trace.Event, netns uint32, ok bool, err error)
}

// newWatcher loads the probes, both sets at once. That the ones on Envoy cannot be loaded is a
// problem of theirs alone.
func newWatcher(opts kernel.Options, onEnvoy bool) (*watcher, error) {
	type result struct {
		probes *envoy.Probes
		err    error
	}
	loaded := make(chan result, 1)
	if onEnvoy {
		go func() {
			probes, err := envoy.Load()
			loaded <- result{probes, err}
		}()
	} else {
		loaded <- result{}
	}
	set, err := kernel.Load(opts)
	inside := <-loaded
	if err != nil {
		if inside.probes != nil {
			err = errors.Join(err, inside.probes.Close())
		}
		return nil, err
	}
	if inside.err != nil {
		set.Refused("envoy", inside.err.Error())
		inside.probes = nil
	}
	return &watcher{kernel: set, envoy: inside.probes, boot: bootTime(), pods: map[uint32]string{}}, nil
}

// watch adds a network namespace under a pod's name.
func (w *watcher) watch(netns uint32, pod string) error {
	w.mu.Lock()
	w.pods[netns] = pod
	w.mu.Unlock()
	return w.kernel.Watch(netns) // probes on Envoy are put on its process
}

// pod is the name of the pod that a network namespace belongs to.
func (w *watcher) pod(netns uint32) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pods[netns]
}

// start attaches the kernel's probes. When it returns, nothing that happens is missed.
func (w *watcher) start() error {
	w.read(w.kernel, func(sample []byte) (e trace.Event, netns uint32, ok bool, err error) {
		r, err := probe.Decode(sample)
		if err == nil {
			e, err = kernelEvent(&r, w.boot)
		}
		return e, r.NetNS, true, err
	})
	if w.envoy != nil {
		var decoder envoy.Decoder
		w.read(w.envoy.Set, func(sample []byte) (e trace.Event, netns uint32, ok bool, err error) {
			r, ok, err := decoder.Decode(sample)
			if ok && r.Kind == envoy.Call {
				return e, r.NetNS, false, w.called(&r)
			}
			if ok {
				e, err = w.envoyEvent(&r)
			}
			return e, r.NetNS, ok, err
		})
	}
	return kernel.Start(w.kernel)
}

// attach puts recipes on a process. sources say what their events mean. The error is for one that
// is not on it: what it would have told could be missed, so none of them may be counted on.
func (w *watcher) attach(pid int, recipes []envoy.Recipe, sources []envoybinary.Source) error {
	switch {
	case len(recipes) == 0:
		return nil
	case w.envoy == nil:
		return fmt.Errorf("attach to process %d: the kernel refused the probes", pid)
	}
	w.attaching.Lock() // recipes are numbered as they come, and so are their sources
	_, err := w.envoy.Attach(pid, fmt.Sprintf("/proc/%d/exe", pid), recipes)
	if err == nil {
		w.sources = append(w.sources, sources...)
	}
	w.attaching.Unlock()
	if err != nil {
		return err
	}
	return notAttached(w.envoy.Statuses(), pid, recipes)
}

// notAttached says which recipes are not on a process, and why.
func notAttached(statuses []probe.Status, pid int, recipes []envoy.Recipe) error {
	var problems probe.Problems
	for _, r := range recipes {
		name := r.On(pid)
		i := slices.IndexFunc(statuses, func(s probe.Status) bool { return s.Name == name })
		switch {
		case i < 0:
			problems.Add(fmt.Errorf("probe %s: the kernel refused its program", name))
		case !statuses[i].Attached:
			problems.Add(fmt.Errorf("probe %s: %s", name, statuses[i].Problem))
		}
	}
	return problems.Err()
}

// read collects the events of a set until it is flushed.
func (w *watcher) read(set *probe.Set, decode func([]byte) (trace.Event, uint32, bool, error)) {
	r := &recorded{decode: decode}
	w.tapes = append(w.tapes, r)
	w.readers.Go(func() {
		err := set.ReadSamples(func(sample []byte) {
			r.add(sample)
			if set == w.kernel && w.onExec != nil {
				w.lookForExec(sample)
			}
		})
		w.mu.Lock()
		defer w.mu.Unlock()
		w.problems.Add(err)
	})
}

// lookForExec tells the session of an Envoy that has just started. Its process bears its name from
// the start on; what runs in a pod for a moment, as the programs of other instruments do, is none.
func (w *watcher) lookForExec(sample []byte) {
	if probe.Kind(sample) != kernel.Exec {
		return
	}
	if r, err := probe.Decode(sample); err == nil && r.Process() == trace.ProxyProcess {
		w.onExec(r.NetNS)
	}
}

// events understands what was recorded.
func (w *watcher) events() (events []trace.Event, overflow uint64) {
	for _, r := range w.tapes {
		overflow += r.overflow
		r.play(func(sample []byte) {
			event, netns, ok, err := r.decode(sample)
			if err != nil {
				w.problems.Add(err)
			} else if ok {
				event.Pod = w.pods[netns]
				events = append(events, event)
			}
		})
	}
	return events, overflow
}

// envoyKinds maps the numbers of bpf/envoy.
var envoyKinds = map[uint16]trace.Kind{
	envoy.Statement: trace.Statement, envoy.Value: trace.Value, envoy.Dispatch: trace.Dispatch,
	envoy.Request: trace.NewRequest, envoy.Ready: trace.PoolReady,
}

// source says what a record of bpf/envoy means.
func (w *watcher) source(r *probe.Record) (envoybinary.Source, error) {
	if int(r.Result) >= len(w.sources) || r.Result < 0 {
		return envoybinary.Source{}, fmt.Errorf("decode event: kind %d of recipe %d is unknown", r.Kind, r.Result)
	}
	return w.sources[r.Result], nil
}

// envoyEvent reads an event of bpf/envoy.
func (w *watcher) envoyEvent(r *probe.Record) (trace.Event, error) {
	e := head(r, w.boot)
	from, err := w.source(r)
	if e.Kind = envoyKinds[r.Kind]; e.Kind == "" && err == nil {
		err = fmt.Errorf("decode event: kind %d of recipe %d is unknown", r.Kind, r.Result)
	}
	if err != nil {
		return e, err
	}
	e.Result, e.Object, e.Socket = 0, r.Value, 0
	switch e.Kind {
	case trace.Statement:
		s, _ := from.Table.Statement(r.Value)
		e.Where, e.Text = s.Where(), s.Format
		if _, filter := flow.FilterOfSource(s.File); filter != "" {
			e.Source = s.File
		}
	case trace.Value:
		e.Name, e.Text = from.Name, redact.Printable(redact.Name(string(r.Data)))
	case trace.PoolReady:
		names, err := envoy.Names(r.Data)
		if err != nil {
			return e, err
		}
		e.Ends = endsOf(names[:], r.Socket)
		w.keep(raw{time: e.Time, ready: &prove.Ready{Recipe: from.Name, Names: names[:], Number: r.Socket}})
	}
	return e, nil
}

// endsOf reads the names in the order of a join's ways. Where an end is no address, the ways led
// somewhere else, and nothing of it counts.
func endsOf(names []string, connection uint64) *trace.Ends {
	var ends trace.Ends
	for i, to := range []*netip.AddrPort{&ends.Downstream, &ends.Local, &ends.Remote} {
		end, err := netip.ParseAddrPort(names[i])
		if err != nil {
			return &trace.Ends{}
		}
		*to = netip.AddrPortFrom(end.Addr().Unmap().WithZone(""), end.Port())
	}
	ends.Cluster, ends.Connection = redact.Printable(redact.Name(names[len(names)-1])), connection
	return &ends
}

// detach takes the probes off, once. What they told is on the tapes then.
func (w *watcher) detach() error {
	if w.detached {
		return nil
	}
	w.detached = true
	var errs []error
	if w.envoy != nil { // first: what Envoy says of a connection counts only where the kernel is watched too
		errs = append(errs, w.envoy.Detach(), w.envoy.Flush())
	}
	errs = append(errs, w.kernel.Detach(), w.kernel.Flush())
	w.readers.Wait()
	return errors.Join(errs...)
}

// stop detaches the probes and returns what they told, without the pods.
func (w *watcher) stop() (*trace.Recording, error) {
	detached := w.detach()
	events, overflow := w.events()
	r := &trace.Recording{Schema: trace.RecordingSchema, Events: events, Probes: w.kernel.Statuses()}
	count := func(set *probe.Set) {
		c, err := set.Counts()
		w.problems.Add(err)
		r.Counts.Emitted += c.Emitted
		r.Counts.Lost += c.Lost
		r.Counts.Missed += c.Missed
	}
	count(w.kernel)
	if w.envoy != nil {
		count(w.envoy.Set)
		r.Probes = append(r.Probes, w.envoy.Statuses()...)
	}
	r.Counts.Lost += overflow
	if problem := w.problems.Err(); problem != nil {
		r.Problem = problem.Error()
	}
	r.Sort()
	return r, errors.Join(detached, w.close())
}

func (w *watcher) close() error {
	err := w.kernel.Close()
	if w.envoy != nil {
		err = errors.Join(err, w.envoy.Close())
	}
	return err
}

// bootTime is when CLOCK_MONOTONIC was 0, by the clock of now.
func bootTime() time.Time {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return time.Time{}
	}
	return time.Now().Add(-time.Duration(now.Nano())).Round(0)
}
