package run

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/flowproof/lab/bpf/kernel"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/observe/curl"
	"github.com/flowproof/lab/harness/observe/instrument"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/harness/observe/trace/capture"
	"github.com/flowproof/lab/internal/undo"
)

// A Session is one request from plan to evidence, step by step. Do takes all steps in their order;
// scenarios take them one by one. It is for one goroutine. What it changed is restored by its undo
// list, and Close ends what it has opened.
type Session struct {
	Lab   Lab
	Undo  *undo.List
	Force bool                             // connections that are in use are ended too
	Note  func(format string, args ...any) // says something beside the run; nil: it is not said
	Trace capture.Options                  // how eBPF watches; its Pods follow from what is watched

	Flow      flow.Run          // what was inferred and seen so far
	Recording observe.Recording // raw evidence, without secrets; zero before Observe

	dumps        map[string][]byte // newest dump of each sidecar, by "pod.namespace"
	inferredFrom map[string][]byte // dumps that inference read
	dumpsAfter   map[string][]byte // dumps of the same sidecars after the request

	mu        sync.Mutex     // over sidecars and absences: pods are looked at at once
	question  infer.Question // that inference was asked last; zero: it was not
	sidecars  map[string]Sidecar
	pods      map[string]*watched         // pods that an instrument looks at, by "pod.namespace"
	leases    map[string]*mesh.LevelLease // on sidecars, by "pod.namespace"
	outer     *Session                    // whose leases are this one's too; nil: there is none
	outsiders map[string]Outsider         // clients outside of the mesh, by name
	services  map[string]*mesh.Service
	sent      *sent
	control   flow.Call // that shows that the instruments were watching; its URL is empty when there is none
	tracer    *capture.Instrument
	too       []observe.Instrument    // that look beside those that a script asks for, see LookToo
	tooAt     []instrument.Target     // where they look
	taken     string                  // endpoint that was seen to take the request; "": not known, or not asked yet
	cold      bool                    // the socket tables showed that no connection of the way was pooled
	warm      bool                    // they showed that every worker had one
	proven    []Pool                  // of which they showed it
	unknown   bool                    // they were asked for cold or warm, and it is not known whether they are
	workers   int                     // worker threads of the client's sidecar, where the pools are warm
	insist    bool                    // a pool that is in use ends the run, instead of being kept
	body      int                     // bytes of the answer's body that are wanted
	args      []string                // more arguments of curl's, as the plan has them
	curls     map[string]curl.Version // of the curls that send, by "pod.namespace/container"
	touches   []touched               // what was changed outside the run
}

// sent is a request that was sent and what came back.
type sent struct {
	since, until time.Time
	curl         []byte // what curl wrote to its standard error
	code         int    // that curl ended with
	body         []byte // beginning of the answer's body, where it was asked for
	local        string // the client's end of its connection, as curl says it
}

// An Outsider is a client outside of the mesh, which no sidecar speaks for.
type Outsider interface {
	Exec(ctx context.Context, command []string, stdin []byte) (*mesh.Output, error)
	Address() string
}

// NewSession begins a run in a lab. The undo list stays the caller's.
func NewSession(lab Lab, list *undo.List) *Session {
	s := &Session{Lab: lab, Undo: list, Flow: flow.Run{Schema: flow.RunSchema},
		Trace: capture.Options{Data: kernel.DefaultData, Envoy: true},
		dumps: map[string][]byte{}, sidecars: map[string]Sidecar{}, pods: map[string]*watched{},
		leases: map[string]*mesh.LevelLease{}, outsiders: map[string]Outsider{},
		services: map[string]*mesh.Service{}}
	if lab.Cluster != nil {
		s.Flow.Backend = lab.Cluster.Backend
	}
	return s
}

// Inside makes the session one that runs while another one waits: what the other has
// alone, this one has too.
func (s *Session) Inside(outer *Session) { s.outer = outer }

// lease is the lease on a sidecar that the session or the one around it holds; nil: neither does.
func (s *Session) lease(pod string) *mesh.LevelLease {
	if held := s.leases[pod]; held != nil || s.outer == nil {
		return held
	}
	return s.outer.lease(pod)
}

// Close ends what the session has opened: windows, probes, tunnels. It restores nothing.
func (s *Session) Close() error {
	var all []error
	for _, lease := range s.leases {
		lease.Stop()
	}
	if s.tracer != nil {
		all = append(all, s.tracer.Close())
	}
	for _, w := range s.pods {
		if w.window != nil {
			_ = w.window.Close() // why it is not whole was asked when it was read
		}
	}
	for _, sidecar := range s.sidecars {
		all = append(all, sidecar.Close())
	}
	return errors.Join(all...)
}

func (s *Session) note(format string, args ...any) {
	if s.Note != nil {
		s.Note(format, args...)
	}
}

// Sidecar finds a pod and prepares its sidecar, once a session.
func (s *Session) Sidecar(ctx context.Context, ref string) (Sidecar, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := s.FullName(ref)
	if sidecar := s.sidecars[key]; sidecar != nil {
		return sidecar, nil
	}
	pod, err := s.Lab.Mesh.Pod(ctx, ref)
	if err != nil {
		return nil, err
	}
	sidecar, err := pod.Sidecar()
	if err != nil {
		return nil, err
	}
	s.sidecars[key] = sidecar
	return sidecar, nil
}

// Replay goes on after a request that was sent and traced before: what is asked of the trace is
// answered from the recording.
func (s *Session) Replay(call flow.Call, r *trace.Recording) {
	s.Flow.Call, s.sent, s.tracer = call, &sent{}, &capture.Instrument{Recording: r}
}

// Sent says whether the request has been sent.
func (s *Session) Sent() bool { return s.sent != nil }

// Dumps are the newest dump of each sidecar that was dumped, by "pod.namespace"; where
// inference read one, that.
func (s *Session) Dumps() map[string][]byte {
	all := maps.Clone(s.dumps)
	maps.Copy(all, s.inferredFrom)
	return all
}

// Question is what inference was asked last; zero: it was not asked.
func (s *Session) Question() infer.Question { return s.question }

// DumpsAfter are the dumps of the sidecars that inference read, after the request;
// nil before Observe.
func (s *Session) DumpsAfter() map[string][]byte { return maps.Clone(s.dumpsAfter) }

// AddOutsider names a client outside of the mesh, for calls that it sends.
func (s *Session) AddOutsider(name string, client Outsider) { s.outsiders[name] = client }

// Outside says whether a name is a client's outside of the mesh.
func (s *Session) Outside(name string) bool { return s.outsiders[name] != nil }

// AddService keeps what the cluster says of a Service: what stands behind its ports on the nodes.
func (s *Session) AddService(service *mesh.Service) {
	s.services[service.Name+"."+service.Namespace] = service
}

// Absent notes an instrument that cannot take part, once for each pod; an empty pod stands for all.
func (s *Session) Absent(name flow.Instrument, pod string, reason error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.Flow.Absences {
		if a.Instrument == name && a.Pod == pod {
			return
		}
	}
	s.Flow.Absences = append(s.Flow.Absences, flow.Absence{Instrument: name, Pod: pod, Reason: reason.Error()})
}

// FullName is "name.namespace" of a pod as a person names it.
func (s *Session) FullName(ref string) string {
	name, namespace := mesh.SplitRef(ref, s.namespace())
	return name + "." + namespace
}

// namespace is that of a pod that is named without one.
func (s *Session) namespace() string {
	if s.Lab.Mesh == nil {
		return mesh.Workshop // without a lab there are recorded dumps, which are the workshop's
	}
	return s.Lab.Mesh.Namespace()
}

// instrumentOf returns a new instrument by its name.
func instrumentOf(name flow.Instrument) (observe.Instrument, error) {
	all := observe.Instruments()
	i := slices.IndexFunc(all, func(i observe.Instrument) bool { return i.Name() == name })
	if i < 0 {
		return nil, fault.Usagef("look with %s: there is no such instrument", name)
	}
	return all[i], nil
}

// Look lets one instrument look at pods: before the request for the first time,
// after it for the last.
func (s *Session) Look(ctx context.Context, name flow.Instrument, refs ...string) error {
	i, err := instrumentOf(name)
	if err != nil {
		return err
	}
	targets, err := s.targets(ctx, refs)
	if err != nil {
		return err
	}
	if s.sent == nil {
		return i.Before(ctx, targets)
	}
	return i.After(ctx, targets, instrument.Sent{RequestID: s.Flow.Call.RequestID, Peer: s.sent.local})
}

// LookToo lets all instruments but some begin to look, at every pod that another one looks at
// already. They look for the last time, and tell, when the run is observed. It is for the steps of
// a script, whose commands name the instruments that are left out.
func (s *Session) LookToo(ctx context.Context, but ...flow.Instrument) error {
	s.too = slices.DeleteFunc(observe.Instruments(), func(i observe.Instrument) bool {
		return slices.Contains(but, i.Name())
	})
	var err error
	if s.tooAt, err = s.targets(ctx, sortedKeys(s.pods)); err != nil {
		return err
	}
	for _, i := range s.too {
		if err := i.Before(ctx, s.tooAt); err != nil {
			return err
		}
	}
	return nil
}

// endLookToo lets those instruments look for the last time.
func (s *Session) endLookToo(ctx context.Context, sent instrument.Sent) error {
	for _, i := range s.too {
		if err := i.After(ctx, s.tooAt, sent); err != nil {
			return err
		}
	}
	s.too = nil
	return nil
}

// targets are pods as instruments are given them.
func (s *Session) targets(ctx context.Context, refs []string) ([]instrument.Target, error) {
	var all []instrument.Target
	for _, ref := range refs {
		w, err := s.watch(ctx, ref)
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return all, nil
}

// Kept is a part of the raw evidence of a pod, "pod.namespace"; nil: it is not kept.
func (s *Session) Kept(pod, part string) []byte {
	if w := s.pods[pod]; w != nil {
		return w.parts[part]
	}
	return nil
}

// WhyAbsent says why an instrument does not take part at a pod; "": it does.
func (s *Session) WhyAbsent(name flow.Instrument, pod string) string {
	for _, a := range s.Flow.Absences {
		if a.Instrument == name && (a.Pod == pod || a.Pod == "") {
			return a.Reason
		}
	}
	return ""
}
