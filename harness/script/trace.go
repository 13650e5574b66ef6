package script

import (
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/envoybinary"
)

var traceCommand = Command{
	Name:    "trace",
	names:   ends,
	touches: measures,
	Usage:   "trace CLIENT -> SERVER | trace POD",
	Summary: "Watch two pods, or one, by eBPF, in the kernel and in their Envoys, until observe or events",
	Detail: "The probes are on the pods' network namespaces and Envoys and nowhere else, also on an Envoy that " +
		"starts later. What they need to\n" +
		"know about a stripped Envoy is\n" +
		"recovered from its binary and proven, once a build, which takes some seconds; what could not be proven is " +
		"off, and says so.\n" +
		"It needs root, and the pods' processes on this host: ask for it with [bpf]. Where they are elsewhere it " +
		"does not take part, and the\n" +
		"verdict says what that costs.",
	looks:  []flow.Instrument{flow.Trace},
	hand:   handTrace,
	replay: nothingRecorded,
	run: func(s *session, args []string) error {
		client, server := "", ""
		switch from, to, err := fromTo(args); {
		case err == nil && len(args) == 3:
			client, server = from, to
		case len(args) == 1:
			server = args[0]
		default:
			return badUsage("write CLIENT -> SERVER, or one pod")
		}
		switch {
		case s.Traced():
			return badUsage("a scenario has one trace")
		case s.Sent():
			return badUsage("the request has been sent already")
		}
		var err error
		if s.Trace.Cache, err = envoybinary.DefaultCache(); err != nil {
			return fault.Environmentf("trace: %w", err)
		}
		if err := s.StartTrace(s.ctx, client, server); err != nil {
			return err
		}
		if reason := s.WhyAbsent(flow.Trace, ""); reason != "" {
			s.print("not available: %s", reason)
			return nil
		}
		names := slices.DeleteFunc([]string{client, server}, func(name string) bool {
			return name == "" || s.Outside(name)
		})
		s.print("watching %s, in the kernel and in Envoy", strings.Join(names, " and "))
		return nil
	},
}

// handTrace is the author's own probes, in one line each. They need bpftrace, a kernel with BTF
// and, for what is inside of Envoy, an Envoy with its symbols, which a released one has not.
func handTrace(string, []string) []string {
	return []string{
		"bpftrace -e 'kretprobe:inet_csk_accept { $s = (struct sock *)retval; printf(\"%s accepts on %d\\n\", comm, " +
			"$s->__sk_common.skc_num); }'",
		"bpftrace -e 'kprobe:tcp_connect { $s = (struct sock *)arg0; printf(\"%s connects from %s to %s\\n\", comm, " +
			"ntop($s->__sk_common.skc_rcv_saddr), ntop($s->__sk_common.skc_daddr)); }'",
	}
}
