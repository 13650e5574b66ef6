// Package runtest is a lab without a cluster, for tests of what runs in one: its sidecars answer
// with recorded dumps, its pods with what a test says, and it remembers what it was asked.
package runtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/run"
	"github.com/flowproof/lab/internal/undo"
)

// A Lab is a fake lab. Its methods are those of run.Mesh.
type Lab struct {
	PodsByRef map[string]*Pod // by "name.namespace"
	Behinds   map[string]mesh.Behind
	Services  map[string]*mesh.Service // by "name.namespace"
	Log       string                   // form of the access log

	// Fails is asked before everything that the lab is asked for, by what it is: "dump
	// netshoot.mark". What it returns is what comes of it; nil: what came without it.
	Fails func(what string) error

	mu    sync.Mutex
	asked []string
}

// A Pod is one of its pods.
type Pod struct {
	Ref_    string
	Address string
	// that its sidecar gives, one after the other; the last one again and again. None: it has no
	// sidecar
	Dumps [][]byte
	Lines string // that are in its sidecar's log from the moment on that it is followed
	// Answer is what a program prints in the pod; nil: there is no program.
	Answer  func(command []string, stdin []byte) *mesh.Output
	Version []byte // what its curl says of its version; nil: it does not say it

	Runtimes [][]byte // what its sidecar says of its runtime, one after the other; none: it has no values

	// Counters is what its sidecar says of those that match a filter; nil: that it lives.
	Counters func(filter string) []byte

	// Active and Began are requests on its sidecar's connections: under way, and begun while it was
	// looked. UseErr: it cannot tell.
	Active, Began uint64
	UseErr        error

	NotReady bool // one of its containers is not

	lab      *Lab
	levels   mesh.Levels
	restarts int           // of its sidecar
	alone    chan struct{} // full while a run has the sidecar alone
	dumped   int
	ran      int // how often it was asked for its runtime
}

// New makes a lab of pods.
func New(pods ...*Pod) *Lab {
	l := &Lab{PodsByRef: map[string]*Pod{}, Behinds: map[string]mesh.Behind{}, Services: map[string]*mesh.Service{}}
	for _, p := range pods {
		p.lab, p.levels, p.alone = l, mesh.Levels{"admin": "warning", "http": "warning"}, make(chan struct{}, 1)
		l.PodsByRef[p.Ref_] = p
	}
	return l
}

// Run is the lab for a run: what is changed in it is restored in it.
func (l *Lab) Run() run.Lab {
	return run.Lab{Mesh: l, Restore: undo.Kinds{"log-level": func(_ context.Context, raw json.RawMessage) error {
		var args struct {
			Pod    string
			Levels mesh.Levels
		}
		if err := json.Unmarshal(raw, &args); err != nil {
			return err
		}
		l.PodsByRef[args.Pod].levels = args.Levels
		l.note("restore %s", args.Pod)
		<-l.PodsByRef[args.Pod].alone
		return nil
	}}}
}

// Asked is what the lab was asked, in order: "dump netshoot.mark".
func (l *Lab) Asked() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.asked)
}

// Count is how often it was asked something.
func (l *Lab) Count(what string) int {
	n := 0
	for _, asked := range l.Asked() {
		if asked == what {
			n++
		}
	}
	return n
}

func (l *Lab) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, fmt.Sprintf(format, args...))
}

// fails is what Fails says.
func (l *Lab) fails(format string, args ...any) error {
	if l.Fails == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Fails(fmt.Sprintf(format, args...))
}

// Pod finds a pod by its name or "name.namespace".
func (l *Lab) Pod(_ context.Context, ref string) (run.Pod, error) {
	if err := l.fails("pod %s", ref); err != nil {
		return nil, err
	}
	name, namespace := mesh.SplitRef(ref, l.Namespace())
	if p := l.PodsByRef[name+"."+namespace]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("find pod %s.%s: %w", name, namespace, mesh.ErrNoPod)
}

// Pods lists the pods.
func (l *Lab) Pods(context.Context) ([]string, error) {
	var refs []string
	for ref := range l.PodsByRef {
		refs = append(refs, ref)
	}
	slices.Sort(refs)
	return refs, nil
}

// WithSidecar lists the pods of a namespace that have a sidecar.
func (l *Lab) WithSidecar(ctx context.Context, namespace string) ([]string, error) {
	refs, _ := l.Pods(ctx)
	return slices.DeleteFunc(refs, func(ref string) bool {
		return !strings.HasSuffix(ref, "."+namespace) || len(l.PodsByRef[ref].Dumps) == 0
	}), l.fails("sidecars in %s", namespace)
}

// Behind says who is behind "host:port".
func (l *Lab) Behind(_ context.Context, host string, port uint16, _ string) (mesh.Behind, error) {
	if err := l.fails("behind %s:%d", host, port); err != nil {
		return mesh.Behind{}, err
	}
	l.note("behind %s:%d", host, port)
	return l.Behinds[fmt.Sprintf("%s:%d", host, port)], nil
}

// CheckPort finds nothing wrong with any port.
func (l *Lab) CheckPort(_ context.Context, host string, port uint16, _ string) error {
	return l.fails("port %s:%d", host, port)
}

// Service finds one of Services.
func (l *Lab) Service(_ context.Context, ref string) (*mesh.Service, error) {
	if err := l.fails("service %s", ref); err != nil {
		return nil, err
	}
	name, namespace := mesh.SplitRef(ref, l.Namespace())
	if s := l.Services[name+"."+namespace]; s != nil {
		return s, nil
	}
	return nil, errors.New("there is no such service")
}

// Nodes knows none.
func (l *Lab) Nodes(context.Context) (map[string]string, error) { return nil, l.fails("nodes") }

// AccessLog is the form of the access log.
func (l *Lab) AccessLog(context.Context) (string, error) { return l.Log, l.fails("access log") }

// Namespace is the workshop's.
func (l *Lab) Namespace() string { return mesh.Workshop }

// Kubeconfig names none.
func (l *Lab) Kubeconfig() string { return "" }

// Context names none.
func (l *Lab) Context() string { return "" }

// Levels are those of its sidecar's loggers.
func (p *Pod) Levels() mesh.Levels { return p.levels }

// Held says whether a run has its sidecar alone.
func (p *Pod) Held() bool { return len(p.alone) > 0 }

// Ref is "name.namespace".
func (p *Pod) Ref() string { return p.Ref_ }

// Name is the pod's name.
func (p *Pod) Name() string { name, _ := mesh.SplitRef(p.Ref_, ""); return name }

// Namespace is its namespace.
func (p *Pod) Namespace() string { _, namespace := mesh.SplitRef(p.Ref_, ""); return namespace }

// IP is its address.
func (p *Pod) IP() string { return p.Address }

// Node names no node.
func (p *Pod) Node() string { return "node" }

// Ready says that it is, but for NotReady.
func (p *Pod) Ready() (ready, total int) {
	if p.NotReady {
		return 1, 2
	}
	return 1, 1
}

// Containers are app, and the sidecar where it has one.
func (p *Pod) Containers() []string {
	if len(p.Dumps) == 0 {
		return []string{"app"}
	}
	return []string{"app", mesh.SidecarContainer}
}

// App is the application's container.
func (p *Pod) App() string { return "app" }

// Exec asks Answer.
func (p *Pod) Exec(_ context.Context, _ string, command []string, stdin io.Reader) (*mesh.Output, error) {
	name := program(command)
	if err := p.lab.fails("exec %s %s", p.Ref_, name); err != nil {
		return nil, err
	}
	var input []byte
	if stdin != nil {
		input, _ = io.ReadAll(stdin)
	}
	p.lab.note("exec %s %s", p.Ref_, name)
	if out := p.answer(command, input); out != nil {
		return out, nil
	}
	return nil, mesh.ErrNoProgram
}

// Follow opens a window with Lines in it.
func (p *Pod) Follow(context.Context, string) (run.Window, error) {
	if err := p.lab.fails("follow %s", p.Ref_); err != nil {
		return nil, err
	}
	p.lab.note("follow %s", p.Ref_)
	return window{p}, nil
}

// Sidecar is the pod's, if it has one.
func (p *Pod) Sidecar() (run.Sidecar, error) {
	if err := p.lab.fails("sidecar of %s", p.Ref_); err != nil {
		return nil, err
	}
	if len(p.Dumps) == 0 {
		return nil, fmt.Errorf("reach sidecar of %s: %w", p.Ref_, mesh.ErrNoSidecar)
	}
	return sidecar{p}, nil
}

type sidecar struct{ pod *Pod }

func (s sidecar) Pod() run.Pod { return s.pod }

func (s sidecar) Dump(context.Context) ([]byte, error) {
	if err := s.pod.lab.fails("dump %s", s.pod.Ref_); err != nil {
		return nil, err
	}
	s.pod.lab.note("dump %s", s.pod.Ref_)
	at := min(s.pod.dumped, len(s.pod.Dumps)-1)
	s.pod.dumped++
	return s.pod.Dumps[at], nil
}

func (s sidecar) Stats(_ context.Context, filter string) ([]byte, error) {
	if err := s.pod.lab.fails("stats %s", s.pod.Ref_); err != nil {
		return nil, err
	}
	s.pod.lab.note("stats %s", s.pod.Ref_)
	if s.pod.Counters != nil {
		return s.pod.Counters(filter), nil
	}
	return []byte("server.live: 1\n"), nil
}

func (s sidecar) Runtime(context.Context) ([]byte, error) {
	if err := s.pod.lab.fails("runtime %s", s.pod.Ref_); err != nil {
		return nil, err
	}
	text := []byte(`{"layers":["global config","admin"],"entries":{}}`)
	if n := len(s.pod.Runtimes); n > 0 {
		text = s.pod.Runtimes[min(s.pod.ran, n-1)]
		s.pod.ran++
	}
	return text, nil
}

func (s sidecar) Loggers(context.Context) (mesh.Levels, error) {
	return s.pod.levels, s.pod.lab.fails("loggers %s", s.pod.Ref_)
}

func (s sidecar) HoldLevels(ctx context.Context, wait func(mesh.Holder)) (*mesh.LevelLease, error) {
	if err := s.pod.lab.fails("hold levels %s", s.pod.Ref_); err != nil {
		return nil, err
	}
	select {
	case s.pod.alone <- struct{}{}:
	default:
		wait(mesh.Holder{Host: "another"})
		select {
		case s.pod.alone <- struct{}{}:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	s.pod.lab.note("hold levels %s", s.pod.Ref_)
	return &mesh.LevelLease{ID: "held", Levels: s.pod.levels}, nil
}

func (s sidecar) AwaitFree(context.Context, func(mesh.Holder)) error {
	if err := s.pod.lab.fails("await %s", s.pod.Ref_); err != nil {
		return err
	}
	s.pod.lab.note("await %s", s.pod.Ref_)
	return nil
}

func (s sidecar) SetLevel(_ context.Context, level string) error {
	if err := s.pod.lab.fails("level %s", s.pod.Ref_); err != nil {
		return err
	}
	s.pod.lab.note("level %s %s", s.pod.Ref_, level)
	next := mesh.Levels{}
	for logger := range s.pod.levels {
		next[logger] = level
	}
	s.pod.levels = next
	return nil
}

func (s sidecar) LowerLevels(_ context.Context, _ string, levels mesh.Levels) error {
	if err := s.pod.lab.fails("lower levels %s", s.pod.Ref_); err != nil {
		return err
	}
	s.pod.lab.note("lower levels %s", s.pod.Ref_)
	s.pod.levels = levels
	return nil
}

func (s sidecar) Identity(context.Context) (mesh.Identity, error) {
	if err := s.pod.lab.fails("identity %s", s.pod.Ref_); err != nil {
		return mesh.Identity{}, err
	}
	return mesh.Identity{
		Version: "commit/1.40.0/Clean/RELEASE/BoringSSL", Container: fmt.Sprintf("container %d", s.pod.restarts+1),
		Workers: 2, Started: time.Unix(1700000000, 0),
	}, nil
}

func (s sidecar) InUse(context.Context, string) (active, began uint64, err error) {
	return s.pod.Active, s.pod.Began, s.pod.UseErr
}

func (s sidecar) Reads() []mesh.Read {
	return []mesh.Read{{Path: "/config_dump", Bytes: 7, Took: time.Millisecond}}
}

func (s sidecar) Fence(context.Context, run.Window) error {
	return s.pod.lab.fails("fence %s", s.pod.Ref_)
}

func (s sidecar) Quit(context.Context) error {
	s.pod.restarts++
	return nil
}

func (s sidecar) Close() error { return nil }
