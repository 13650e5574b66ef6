package script

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/process"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/internal/exit"
	"github.com/flowproof/lab/internal/outside"
	"github.com/flowproof/lab/internal/removal"
	"github.com/flowproof/lab/internal/undo"
)

// A Lab is what scenarios run on.
type Lab struct {
	Mesh    *mesh.Mesh
	Cluster *cluster.Lab
	Backend cluster.Backend // that the Cluster is of
	Guard   []string        // command line of the undo guard; empty: none
}

// restoreTimeout bounds what is done after a scenario to restore the lab.
const restoreTimeout = 30 * time.Second

// listenersTimeout bounds how long a sidecar may take to hear from istiod.
const listenersTimeout = 10 * time.Second

// A session is one run of a scenario: what its commands have found out so far.
type session struct {
	ctx      context.Context
	lab      Lab
	undo     *undo.List
	note     func(string, ...any)
	restored func(what string)
	out      strings.Builder // of the command that runs
	dir      string          // where the scenario's own files are
	sidecars map[string]*mesh.Sidecar
	dumps    map[string][]byte

	inferredFrom map[string][]byte // dumps that inference read, by "pod.namespace"
	dumpsAfter   map[string][]byte // dumps of the same sidecars after the request

	changed map[string]bool // pods whose listeners apply has changed
	windows map[string]*window
	tables  tables

	counters   counters
	netfilters netfilters

	outsiders map[string]*outside.Client // clients outside of the mesh, by the names that the script gave them
	services  map[string]*mesh.Service   // that show has read, by "name.namespace"

	sent      *sent
	variables map[string]string // of the script, as commands have set them
	control   flow.Call         // that shows that the instruments were watching; its URL is empty when there is none
	trace     *trace.Session    // nil: none goes on
	traced    *trace.Recording  // what a trace that has ended told; nil: none has
	traceable *error            // why eBPF cannot watch; nil: nobody has asked
	recording observe.Recording
	question  infer.Question // that was asked last of inference; zero: none was
	run       flow.Run
	verdict   *flow.RunVerdict
}

func newSession(ctx context.Context, lab Lab, events Events) *session {
	s := &session{
		ctx: ctx, lab: lab, note: events.Note, restored: events.Restored,
		sidecars: map[string]*mesh.Sidecar{}, dumps: map[string][]byte{}, changed: map[string]bool{}, windows: map[string]*window{},
		tables:    tables{before: map[string][]byte{}, after: map[string][]byte{}},
		counters:  counters{before: map[string][]byte{}, after: map[string][]byte{}},
		variables: map[string]string{},
		outsiders: map[string]*outside.Client{}, services: map[string]*mesh.Service{},
		netfilters: netfilters{before: map[string]observe.Netfilter{}, after: map[string]observe.Netfilter{}},
		run:        flow.Run{Schema: flow.RunSchema},
	}
	if lab.Cluster != nil {
		s.run.Backend = lab.Cluster.Backend
	}
	s.undo = undo.NewList(UndoKinds, lab.Guard, func(err error) { events.Note("%v", err) })
	return s
}

// workDir makes the run's own directory, which is removed at the end, also of a killed run: it holds config dumps.
func (s *session) workDir() (string, error) {
	dir, err := os.MkdirTemp("", "flowproof-run-")
	if err != nil {
		return "", exit.Environmentf("make work directory: %w (is the disk full? TMPDIR names another)", err)
	}
	if _, err := s.undo.Add(undoRemove, "remove "+dir, dir); err != nil {
		_ = removal.All(dir)
		return "", err
	}
	return dir, nil
}

// kubeconfig is what programs that a script runs find the lab by, in the form of the variable KUBECONFIG. Where the lab is another
// context than the current one, a file before it in the run's own directory says so; it holds nothing else.
func (s *session) kubeconfig(dir string) (string, error) {
	path, name := s.lab.Mesh.Kubeconfig(), s.lab.Mesh.Context()
	if name == "" {
		return path, nil
	}
	text, err := json.Marshal(map[string]string{"apiVersion": "v1", "kind": "Config", "current-context": name})
	if err != nil {
		return "", err
	}
	choice := filepath.Join(dir, "context.json")
	return choice + string(filepath.ListSeparator) + path, os.WriteFile(choice, text, 0o600)
}

// without notes an instrument that cannot take part, once for each pod; an empty pod stands for all.
func (s *session) without(instrument flow.Instrument, pod string, reason error) {
	for _, a := range s.run.Absences {
		if a.Instrument == instrument && a.Pod == pod {
			return
		}
	}
	s.run.Absences = append(s.run.Absences, flow.Absence{Instrument: instrument, Pod: pod, Reason: reason.Error()})
}

// processes are those of a pod's container on this host, its entry point first.
func (s *session) processes(pod *mesh.Pod, container string) ([]int, error) {
	return s.lab.processes(s.ctx, pod, container)
}

func (l Lab) processes(ctx context.Context, pod *mesh.Pod, container string) ([]int, error) {
	if l.Backend == nil || l.Cluster == nil {
		return nil, process.ErrElsewhere
	}
	pids, err := l.Backend.Processes(ctx, l.Cluster, pod.Namespace(), pod.Name(), container)
	if err == nil && len(pids) == 0 {
		err = process.ErrElsewhere
	}
	return pids, err
}

// call runs one command of the table and returns what it wrote.
func (s *session) call(c Command, args []string) (string, error) {
	s.out.Reset()
	if err := s.ctx.Err(); err != nil {
		return "", context.Cause(s.ctx)
	}
	if err := c.run(s, args); err != nil {
		if usage := (usageError{}); asUsage(err, &usage) {
			return s.out.String(), exit.Usagef("%s: %s (usage: %s)", c.Name, usage.message, c.Usage)
		}
		return s.out.String(), err
	}
	return s.out.String(), nil
}

// print writes one line of a command's result. The first line is its summary.
func (s *session) print(format string, args ...any) {
	fmt.Fprintf(&s.out, format, args...)
	s.out.WriteByte('\n')
}

// sidecar finds a pod and prepares its sidecar, once a session.
func (s *session) sidecar(ref string) (*mesh.Sidecar, error) {
	name, namespace := mesh.SplitRef(ref)
	key := name + "." + namespace
	if sidecar := s.sidecars[key]; sidecar != nil {
		return sidecar, nil
	}
	pod, err := s.lab.Mesh.Pod(s.ctx, ref)
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

// close restores what was changed, whatever has happened before and even when the run's context has ended.
func (s *session) close() error {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(s.ctx), restoreTimeout,
		exit.Environmentf("not done within %s", restoreTimeout))
	defer cancel()
	pending := s.undo.Pending()
	err := s.undo.Undo(ctx)
	s.awaitListeners(ctx)
	for _, action := range slices.Backward(pending) {
		left := slices.ContainsFunc(s.undo.Pending(), func(a undo.Action) bool { return a.ID == action.ID })
		if !left && action.Kind != undoRemove { // its own temporary files are nobody's concern
			s.restored(action.What)
		}
	}
	if s.trace != nil {
		_ = s.trace.Close()
	}
	for _, w := range s.windows {
		_ = w.Close()
	}
	for _, sidecar := range s.sidecars {
		_ = sidecar.Close()
	}
	_ = s.undo.Close() // what the guard could not do either, Undo has reported
	return err
}

// awaitListeners returns when the sidecars whose listeners an applied object had changed have heard that it is gone. One that
// hears nothing costs its patience and is no error: the object is gone, and the next dump tells the truth.
func (s *session) awaitListeners(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, listenersTimeout)
	defer cancel()
	pause := time.NewTicker(retryPause)
	defer pause.Stop()
	for pod := range s.changed {
		for {
			dump, err := s.sidecars[pod].Dump(ctx)
			if err != nil || !slices.Equal(listenerVersions(dump), listenerVersions(s.dumps[pod])) {
				break
			}
			select {
			case <-pause.C:
			case <-ctx.Done():
				return
			}
		}
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// fill puts what the session found into the result.
func (s *session) fill(r *Result) {
	r.Dumps, r.Verdict, r.Question = maps.Clone(s.dumps), s.verdict, s.question
	maps.Copy(r.Dumps, s.inferredFrom) // a later one is not what was inferred from
	r.DumpsAfter = maps.Clone(s.dumpsAfter)
	if s.run.Call.URL != "" {
		r.Run = &s.run
	}
	r.Recording = s.recording
}
