package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/flowproof/lab/harness/cluster/process"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/observe/instrument"
)

// A watched pod is one that instruments look at: the Target that they are given.
type watched struct {
	Pod
	session    *Session
	side       flow.Side     // as it was said; "": it follows from the call
	window     Window        // onto its sidecar's log; nil: none was opened
	started    mesh.Identity // of the Envoy that wrote into the window when it was opened
	parts      map[string][]byte
	incomplete map[flow.Instrument]error
	lacks      map[string]bool // programs that a container does not have, as "container/program"
	found      found
}

// watch finds a pod for instruments, once a session.
func (s *Session) watch(ctx context.Context, ref string) (*watched, error) {
	key := s.FullName(ref)
	if w := s.pods[key]; w != nil {
		return w, nil
	}
	pod, err := s.Lab.Mesh.Pod(ctx, ref)
	if err != nil {
		return nil, err
	}
	w := &watched{Pod: pod, session: s, parts: map[string][]byte{}, incomplete: map[flow.Instrument]error{},
		lacks: map[string]bool{}}
	s.pods[key] = w
	return w, nil
}

// Side is the client's where the pod sends the request. It is asked when it is known who does.
func (w *watched) Side() flow.Side {
	if w.side != "" {
		return w.side
	}
	if call := w.session.Flow.Call; !call.Outside && w.Ref() == Caller(call) {
		return flow.Client
	}
	return flow.Server
}

// HasSidecar says whether a sidecar takes the request there: not where the
// sidecar's own user sends it.
func (w *watched) HasSidecar() bool {
	if call := w.session.Flow.Call; w.Side() == flow.Client && !captured(call) {
		return false
	}
	return slices.Contains(w.Containers(), mesh.SidecarContainer)
}

// Run runs a command on this host in the pod's network, where the pod is on this host and the host
// has the program: what the kernel says is the same, no program of a pod's image is believed, and
// no process is started in the pod. Else it is run in the pod's containers.
func (w *watched) Run(ctx context.Context, command instrument.Command) ([]byte, error) {
	text, outside := w.runOutside(ctx, command)
	if outside == nil {
		return text, nil
	}
	containers := []string{w.App()}
	if command.Where == instrument.InSidecar {
		containers = slices.DeleteFunc(w.Containers(), func(name string) bool { return name == mesh.SidecarContainer })
		if w.HasSidecar() {
			containers = slices.Insert(containers, 0, mesh.SidecarContainer)
		}
	}
	inside := w.runInside(ctx, containers, command.Words)
	if inside.err == nil {
		return inside.text, nil
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	way := ""
	if errors.Is(outside, process.ErrElsewhere) {
		way = fmt.Sprintf(" (add a container that has it: "+
			"kubectl debug -n %s %s --image docker.io/nicolaka/netshoot -c tools -- sleep 1d)",
			w.Namespace(), w.Name())
	}
	return nil, fmt.Errorf("%w: %w; nor from the host: %w%s", instrument.ErrUnavailable, inside.err, outside, way)
}

// runOutside runs a command on this host in the pod's network.
func (w *watched) runOutside(ctx context.Context, command instrument.Command) ([]byte, error) {
	container := w.App()
	if slices.Contains(w.Containers(), mesh.SidecarContainer) {
		container = mesh.SidecarContainer // whose processes eBPF asks for too
	}
	pids, err := w.processesOf(ctx, container)
	if err != nil {
		return nil, err
	}
	if command.Read != nil && os.Geteuid() == 0 {
		if text, err := command.Read(pids[0]); err == nil {
			return text, nil
		}
	}
	return commandFromHost(ctx, pids[0], command)
}

// ran is what became of a command.
type ran struct {
	text []byte
	err  error
}

// runInside runs a command in the first container that has it. A container that was asked before
// and does not is not asked again.
func (w *watched) runInside(ctx context.Context, containers, command []string) ran {
	for _, container := range containers {
		program := container + "/" + command[0]
		if w.lacks[program] {
			continue
		}
		out, err := w.Exec(ctx, container, command, nil)
		switch {
		case errors.Is(err, mesh.ErrNoProgram):
			w.lacks[program] = true
			continue
		case err != nil:
			return ran{err: err}
		case out.Code != 0:
			return ran{err: fmt.Errorf("%s in %s/%s ended with %d: %s", command[0], w.Ref(), container, out.Code,
				firstLine(out.Stderr))}
		}
		return ran{text: append([]byte{}, out.Stdout...)}
	}
	return ran{err: fmt.Errorf("there is no %s in any of its containers", command[0])}
}

func (w *watched) Stats(ctx context.Context, filter string) ([]byte, error) {
	sidecar, err := w.session.Sidecar(ctx, w.Ref())
	if err != nil {
		return nil, err
	}
	return sidecar.Stats(ctx, filter)
}

// Runtime reads the sidecar's runtime values.
func (w *watched) Runtime(ctx context.Context) ([]byte, error) {
	sidecar, err := w.session.Sidecar(ctx, w.Ref())
	if err != nil {
		return nil, err
	}
	return sidecar.Runtime(ctx)
}

// Log opens a window onto the sidecar's log when it is first called.
func (w *watched) Log(ctx context.Context) (instrument.Log, error) {
	if w.window != nil {
		return log{w}, nil
	}
	sidecar, err := w.session.Sidecar(ctx, w.Ref())
	if err != nil {
		return nil, err
	}
	if w.started, err = sidecar.Identity(ctx); err != nil {
		return nil, err
	}
	if w.window, err = w.Follow(ctx, mesh.SidecarContainer); err != nil {
		return nil, err
	}
	return log{w}, nil
}

func (w *watched) Processes(ctx context.Context) ([]int, error) {
	pids, err := w.processesOf(ctx, mesh.SidecarContainer)
	if errors.Is(err, process.ErrElsewhere) {
		return nil, fmt.Errorf("%w: %w", instrument.ErrElsewhere, err)
	}
	return pids, err
}

func (w *watched) Keep(part string, text []byte) { w.parts[part] = text }

func (w *watched) Kept(part string) []byte { return w.parts[part] }

func (w *watched) Absent(name flow.Instrument, reason error) {
	pod := w.Ref()
	if name == flow.Trace {
		pod = "" // its probes are on all pods or none
	}
	w.session.Absent(name, pod, reason)
}

func (w *watched) Incomplete(name flow.Instrument, reason error) { w.incomplete[name] = reason }

// log is the window onto the log of a watched pod's sidecar.
type log struct{ *watched }

func (l log) Text() []byte { return l.window.Text() }

func (l log) WaitFor(ctx context.Context, texts ...string) error {
	return l.window.WaitFor(ctx, texts...)
}

// Whole waits until everything that Envoy has logged so far is in the window, and says how the
// window is not whole: lines were lost, or Envoy was restarted in between, so that its ids and
// pools are not those of before.
func (l log) Whole(ctx context.Context) (quiet bool, problem error) {
	sidecar, err := l.session.Sidecar(ctx, l.Ref())
	if err != nil {
		return false, err
	}
	levels, err := sidecar.Loggers(ctx)
	if quiet = err == nil && levels["admin"] != "debug" && levels["admin"] != "trace"; !quiet {
		problem = sidecar.Fence(ctx, l.window)
	}
	identity, err := sidecar.Identity(ctx)
	restart := l.started.Changed(identity)
	switch {
	case ctx.Err() != nil:
		return quiet, context.Cause(ctx)
	case err != nil && identity.Container == l.started.Container:
		return quiet, fault.Incompletef("watch %s: Envoy answers no more: %w", l.Ref(), err)
	case restart != "":
		return quiet, fault.Incompletef("watch %s: Envoy was restarted in the middle: %s (run it again)",
			l.Ref(), restart)
	}
	return quiet, problem
}

// record closes the pod's log window and returns what was recorded there. A log that is not whole
// is kept with the reason.
func (w *watched) record(ctx context.Context) (observe.Pod, error) {
	p := observe.Pod{Name: w.Ref(), IP: w.IP(), Parts: w.parts, Problems: map[flow.Instrument]string{}}
	if w.window != nil {
		quiet, err := log{w}.Whole(ctx)
		if p.Quiet = quiet; err != nil {
			if fault.Of(err) == fault.Interrupted {
				return p, err
			}
			p.LogProblem = err.Error()
		}
		if err := w.window.Close(); err != nil && p.LogProblem == "" {
			p.LogProblem = err.Error()
		}
		w.parts[instrument.LogText] = w.window.Text()
		if w.parts[instrument.LogText] == nil {
			w.parts[instrument.LogText] = []byte{} // an empty window is a log that was read
		}
		p.Workers = w.started.Workers
	}
	if reason := w.incomplete[flow.AccessLog]; reason != nil {
		p.AccessLogProblem = reason.Error()
	}
	for name, reason := range w.incomplete {
		if name != flow.AccessLog {
			p.Problems[name] = reason.Error()
		}
	}
	return p, nil
}

// FollowLog opens the window onto the log of a pod's sidecar and says whose log it is; opened is
// false where it was open already.
func (s *Session) FollowLog(ctx context.Context, ref string) (pod string, identity mesh.Identity,
	opened bool, err error) {
	sidecar, err := s.Sidecar(ctx, ref) // a pod without one is an error
	if err != nil {
		return "", mesh.Identity{}, false, err
	}
	w, err := s.watch(ctx, ref)
	if err != nil {
		return "", mesh.Identity{}, false, err
	}
	opened = w.window == nil
	_, err = w.Log(ctx)
	return sidecar.Pod().Ref(), w.started, opened, err
}
