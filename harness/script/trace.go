package script

import (
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/cluster/process"
	"github.com/flowproof/lab/harness/exit"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/harness/symbols"
)

var traceCommand = Command{
	Name:    "trace",
	Usage:   "trace CLIENT -> SERVER",
	Summary: "Watch two pods by eBPF, in the kernel and in their Envoys, until observe",
	Detail: "The probes are on the two pods' network namespaces and Envoys and nowhere else. What they need to know about a stripped Envoy is\n" +
		"recovered from its binary and proven, once a build, which takes some seconds; what could not be proven is off, and says so.\n" +
		"It needs root, and the pods' processes on this host: ask for it with [bpf]. Where they are elsewhere it does not take part, and the\n" +
		"verdict says what that costs.",
	run: func(s *session, args []string) error {
		from, to, err := fromTo(args)
		if err != nil || len(args) != 3 {
			return badUsage("write CLIENT -> SERVER")
		}
		switch {
		case s.trace != nil:
			return badUsage("a trace goes on already")
		case s.sent != nil:
			return badUsage("the request has been sent already")
		}
		opts := trace.Options{Data: trace.DefaultData, Envoy: true}
		if opts.Cache, err = symbols.DefaultCache(); err != nil {
			return exit.Environmentf("trace: %w", err)
		}
		for side, ref := range map[flow.Side]string{flow.Client: from, flow.Server: to} {
			if s.outsiders[ref] != nil {
				continue // no sidecar, and no pod
			}
			pod, err := s.tracePod(side, ref)
			if errors.Is(err, process.ErrElsewhere) {
				s.without(flow.Trace, "", err)
				s.print("not available: %v", err)
				return nil
			}
			if err != nil {
				return err
			}
			opts.Pods = append(opts.Pods, pod)
		}
		if s.trace, err = trace.Start(s.ctx, opts); err != nil {
			return err
		}
		var watched []string
		for _, pod := range opts.Pods {
			watched = append(watched, pod.Name)
		}
		slices.Sort(watched)
		s.print("watching %s, in the kernel and in Envoy", strings.Join(watched, " and "))
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

// observeTrace ends the trace, if one goes on, and adds what it saw.
func (s *session) observeTrace() error {
	if s.trace == nil {
		return nil
	}
	session := s.trace
	s.trace = nil
	recording, err := session.Stop()
	if err != nil {
		return exit.Incompletef("%w", err)
	}
	seen, watches := recording.Observe(trace.Selection{RequestID: s.run.Call.RequestID})
	s.run.Observations = append(s.run.Observations, seen...)
	s.run.Watches = append(s.run.Watches, watches...)
	for pod, reason := range recording.Off {
		s.note("eBPF in %s: %s", pod, reason)
	}
	return nil
}
