//go:build linux && amd64

package capture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/bpf/kernel"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/internal/envoybinary"
)

// A Session is a watch that goes on. Stop or Close it.
type Session struct {
	watcher *watcher
	pods    []trace.Pod
	before  []trace.Event // what was asked about connections that were open
	cache   envoybinary.Cache
	without []string
	onEnvoy bool
	level   trace.Level
	ctx     context.Context
	cancel  context.CancelFunc
	late    sync.WaitGroup

	proving sync.Mutex
	proofs  map[envoybinary.Build]*envoybinary.Proof

	mu       sync.Mutex
	attached map[int]bool // Envoys by process id
	envoys   []trace.Inside
}

// Start attaches the probes to exactly the given pods: to their network namespaces, and so to all
// their processes and threads and to those that start later. When it returns, nothing that happens
// is missed. The first Start with Envoy on a build that is not known yet takes some seconds longer.
func Start(ctx context.Context, opts Options) (*Session, error) {
	s, err := prepare(ctx, opts)
	if err != nil {
		return nil, err
	}
	return s, s.begin()
}

// prepare is what Start does before anything is attached.
func prepare(ctx context.Context, opts Options) (_ *Session, err error) {
	s := &Session{pods: opts.Pods, cache: opts.Cache, onEnvoy: opts.Envoy, level: opts.Statements,
		attached: map[int]bool{}, proofs: map[envoybinary.Build]*envoybinary.Proof{}}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			s.cancel()
		}
	}()
	namespaces, err := namespacesOf(opts.Pods)
	if err != nil {
		return nil, fault.Environmentf("start trace: %w", err)
	}
	onEnvoy, onKernel := split(opts.Without)
	s.without = onEnvoy
	var preparing sync.WaitGroup
	if opts.Envoy { // proofs before anything is attached: they take time, and a watch should not
		preparing.Go(func() { s.prove(ctx, envoys(namespaces)) })
	}
	s.watcher, err = newWatcher(kernel.Options{Data: opts.Data, Without: onKernel}, opts.Envoy)
	preparing.Wait()
	if errors.Is(err, kernel.ErrUnknownProbe) {
		return nil, fault.Usagef("start trace: %w; on Envoy: %s", err, strings.Join(trace.Costly, ", "))
	} else if err != nil {
		return nil, fault.Environmentf("start trace: %w", err)
	}
	return s, nil
}

// begin attaches the probes. After an error the session is over.
func (s *Session) begin() error {
	namespaces, err := namespacesOf(s.pods)
	if err == nil {
		err = s.start(namespaces, s.onEnvoy)
	}
	if err != nil {
		return errors.Join(fault.Environmentf("start trace: %w", err), s.Close())
	}
	return nil
}

// prove prepares the proofs of processes. Their binaries, of some hundred megabytes each, are read
// at once. What fails is said when it is attached.
func (s *Session) prove(ctx context.Context, namespaces map[uint32][]int) {
	var reading sync.WaitGroup
	for _, pids := range namespaces {
		for _, pid := range pids {
			reading.Go(func() { _, _ = identify(binaryOf(pid)) })
		}
	}
	reading.Wait()
	for _, pids := range namespaces {
		for _, pid := range pids {
			_, _ = s.proof(ctx, pid)
		}
	}
}

// binaryOf is the path of what a process runs.
func binaryOf(pid int) string { return fmt.Sprintf("/proc/%d/exe", pid) }

// namespacesOf finds the pods' network namespaces, and refuses the one of this machine.
func namespacesOf(pods []trace.Pod) (map[uint32]string, error) {
	own, err := ownNetns()
	if err != nil {
		return nil, err
	}
	namespaces := map[uint32]string{}
	for _, pod := range pods {
		if len(pod.PIDs) == 0 {
			return nil, fmt.Errorf("watch %s: no process of it is known", pod.Name)
		}
		netns, err := netnsOf(pod.PIDs[0])
		switch {
		case err != nil:
			return nil, fmt.Errorf("watch %s: %w", pod.Name, err)
		case netns == own:
			return nil, fmt.Errorf("watch %s: it shares this machine's network, and everything in it would be "+
				"watched (give the pod a network of its own)", pod.Name)
		}
		namespaces[netns] = pod.Name
	}
	return namespaces, nil
}

func (s *Session) start(namespaces map[uint32]string, onEnvoy bool) error {
	for netns, pod := range namespaces {
		if err := s.watcher.watch(netns, pod); err != nil {
			return err
		}
	}
	if onEnvoy {
		s.watcher.onExec = s.later
	}
	if err := s.watcher.start(); err != nil {
		return err
	}
	for netns, pids := range envoys(namespaces) {
		for _, pid := range pids {
			s.before = append(s.before, redirected(pid, namespaces[netns])...)
		}
		if onEnvoy {
			s.attach(netns, pids)
		}
	}
	return nil
}

// later attaches to an Envoy that has just started, unless the session is ending.
func (s *Session) later(netns uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() == nil {
		s.late.Go(func() { s.attach(netns, envoys(map[uint32]bool{netns: true})[netns]) })
	}
}

// end makes sure that nothing is attached any more.
func (s *Session) end() {
	s.mu.Lock()
	s.cancel()
	s.mu.Unlock()
	s.late.Wait()
}

// attach puts the probes on those Envoys of a namespace that have none yet. What cannot be is off,
// and its reason is kept.
func (s *Session) attach(netns uint32, pids []int) {
	for _, pid := range pids {
		s.mu.Lock()
		done := s.attached[pid]
		s.attached[pid] = true
		s.mu.Unlock()
		if done {
			continue
		}
		proof, err := s.proof(s.ctx, pid)
		if err == nil {
			proof = proof.Without(s.without)
			probes, sources := proof.Recipes(wanted(s.level))
			err = s.watcher.attach(pid, probes, sources)
		}
		s.mu.Lock()
		if err != nil {
			s.envoys = append(s.envoys, trace.Inside{Pod: s.watcher.pod(netns), Since: time.Now(),
				Off: map[string]string{"every probe": err.Error()}})
		} else {
			s.envoys = append(s.envoys, insideOf(s.watcher.pod(netns), proof, s.level))
		}
		s.mu.Unlock()
	}
}

// insideOf says what was proven.
func insideOf(pod string, p *envoybinary.Proof, level trace.Level) trace.Inside {
	i := trace.Inside{Pod: pod, Since: time.Now(), BuildID: p.BuildID, Join: p.Join != nil, Off: p.Off}
	for _, v := range p.Values {
		i.Values = append(i.Values, v.Name)
	}
	if p.Gate {
		i.Statements = p.Statements
		if !all(level) {
			i.Level = level
		}
	}
	return i
}

// proof is that of a process's binary. Both sidecars of a request mostly run the same one, whose
// proof is read once.
func (s *Session) proof(ctx context.Context, pid int) (*envoybinary.Proof, error) {
	s.proving.Lock()
	defer s.proving.Unlock()
	path := binaryOf(pid)
	build, err := identify(path)
	if err != nil {
		return nil, err
	}
	if s.proofs[build] == nil {
		p, err := s.cache.EnsureOf(ctx, build, path, Prove)
		if err != nil {
			return nil, err
		}
		s.proofs[build] = p
	}
	return s.proofs[build], nil
}

// Detach takes the probes off, and leaves it to Stop to understand what they told: of busy pods
// that takes seconds, in which nothing more need be watched.
func (s *Session) Detach() error {
	s.end()
	if err := s.watcher.detach(); err != nil {
		return fmt.Errorf("stop trace: %w", err)
	}
	return nil
}

// Stop detaches the probes, where they are on still, and returns what they told. The session is
// over then, also after an error.
func (s *Session) Stop() (*trace.Recording, error) {
	s.end()
	r, err := s.watcher.stop()
	r.Pods, r.Envoys = s.pods, s.envoys
	r.Events = append(r.Events, s.before...)
	r.Sort()
	if err != nil {
		return r, fmt.Errorf("stop trace: %w", err)
	}
	return r, nil
}

// Close ends the session without a recording.
func (s *Session) Close() error {
	s.end()
	return s.watcher.close()
}

// envoys finds the processes named envoy in network namespaces, by namespace, as this process
// numbers them. It looks at every process of this machine once.
func envoys[T any](namespaces map[uint32]T) map[uint32][]int {
	found := map[uint32][]int{}
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1) // what could be read is looked at
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		comm, err := os.ReadFile("/proc/" + name + "/comm")
		if err != nil || strings.TrimSpace(string(comm)) != trace.ProxyProcess {
			continue
		}
		netns, err := netnsOf(pid)
		if _, watched := namespaces[netns]; err == nil && watched {
			found[netns] = append(found[netns], pid)
		}
	}
	for _, pids := range found {
		slices.Sort(pids)
	}
	return found
}

// netnsOf is the inode number of a process's network namespace, by which the kernel's own
// structures name it.
func netnsOf(pid int) (uint32, error) {
	netns, err := inode(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return 0, fmt.Errorf("find network namespace of process %d: %w", pid, err)
	}
	return netns, nil
}

// ownNetns returns the network namespace of this thread. That of the process is its first thread's,
// which may have been left in another one: a goroutine that enters a namespace and never gives its
// thread back can have run there.
func ownNetns() (uint32, error) {
	netns, err := inode("/proc/thread-self/ns/net")
	if err != nil {
		return 0, fmt.Errorf("find this thread's network namespace: %w", err)
	}
	return netns, nil
}

func inode(path string) (uint32, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, err
	}
	return uint32(st.Ino), nil
}
