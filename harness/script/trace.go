package script

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/cluster/process"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/internal/exit"
	"github.com/flowproof/lab/internal/symbols"
)

var traceCommand = Command{
	Name:    "trace",
	Usage:   "trace CLIENT -> SERVER | trace POD",
	Summary: "Watch two pods, or one, by eBPF, in the kernel and in their Envoys, until observe or events",
	Detail: "The probes are on the pods' network namespaces and Envoys and nowhere else, also on an Envoy that starts later. What they need to\n" +
		"know about a stripped Envoy is\n" +
		"recovered from its binary and proven, once a build, which takes some seconds; what could not be proven is off, and says so.\n" +
		"It needs root, and the pods' processes on this host: ask for it with [bpf]. Where they are elsewhere it does not take part, and the\n" +
		"verdict says what that costs.",
	run: func(s *session, args []string) error {
		ends := map[flow.Side]string{}
		switch from, to, err := fromTo(args); {
		case err == nil && len(args) == 3:
			ends[flow.Client], ends[flow.Server] = from, to
		case len(args) == 1:
			ends[flow.Server] = args[0]
		default:
			return badUsage("write CLIENT -> SERVER, or one pod")
		}
		switch {
		case s.trace != nil || s.traced != nil:
			return badUsage("a scenario has one trace")
		case s.sent != nil:
			return badUsage("the request has been sent already")
		}
		opts := trace.Options{Data: trace.DefaultData, Envoy: true}
		var err error
		if opts.Cache, err = symbols.DefaultCache(); err != nil {
			return exit.Environmentf("trace: %w", err)
		}
		var names []string
		for _, side := range slices.Sorted(maps.Keys(ends)) {
			if s.outsiders[ends[side]] != nil {
				continue // no sidecar, and no pod
			}
			pod, err := s.tracePod(side, ends[side])
			if errors.Is(err, process.ErrElsewhere) {
				s.without(flow.Trace, "", err)
				s.print("not available: %v", err)
				return nil
			}
			if err != nil {
				return err
			}
			opts.Pods = append(opts.Pods, pod)
			names = append(names, ends[side])
		}
		if s.trace, err = trace.Start(s.ctx, opts); err != nil {
			return err
		}
		s.print("watching %s, in the kernel and in Envoy", strings.Join(names, " and "))
		return nil
	},
}

// tracePod finds the processes of a pod on this host.
func (s *session) tracePod(side flow.Side, ref string) (trace.Pod, error) {
	pod, err := s.lab.Mesh.Pod(s.ctx, ref)
	if err != nil {
		return trace.Pod{}, err
	}
	address, err := netip.ParseAddr(pod.IP())
	if err != nil {
		return trace.Pod{}, exit.Environmentf("trace %s: %w", pod.Ref(), err)
	}
	t := trace.Pod{Name: pod.Ref(), Side: side, IP: address}
	t.PIDs, err = s.processes(pod, mesh.SidecarContainer)
	if err != nil {
		return t, exit.Environmentf("trace %s: %w", pod.Ref(), err)
	}
	return t, nil
}

// endTrace ends the trace, if one goes on, and returns what the last one told; nil where there was none.
func (s *session) endTrace() (*trace.Recording, error) {
	if s.trace == nil {
		return s.traced, nil
	}
	session := s.trace
	s.trace = nil
	recording, err := session.Stop()
	if err != nil {
		return nil, exit.Incompletef("%w", err)
	}
	for _, line := range recording.Off() {
		s.note("eBPF: %s", line)
	}
	s.traced = recording
	return recording, nil
}
