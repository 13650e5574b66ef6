package script

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/run"
)

// A Condition is what may stand in brackets before a command. Its answer is found when it
// is first asked for.
type Condition struct {
	Name    string `json:"name"` // "kernel:VERSION" when it takes a suffix
	Summary string `json:"summary"`
	holds   func(s *session, suffix string) (bool, error)
}

var conditionTable = []Condition{
	{"backend:NAME", "the lab's backend is NAME: node, kind or existing",
		func(s *session, suffix string) (bool, error) {
			return s.Lab.Cluster != nil && s.Lab.Cluster.Backend == suffix, nil
		}},
	{"bpf", "eBPF can watch: this process may load programs, and the pods' processes are on this host",
		func(s *session, _ string) (bool, error) {
			reason := s.whyNoTrace()
			if reason != nil && s.ctx.Err() == nil {
				s.Absent(flow.Trace, "", reason)
			}
			return reason == nil, nil
		}},
	{"istio-filters", "the sidecars have Istio's own filters (the registry's proxyv2 has, upstream Envoy has not)",
		func(s *session, _ string) (bool, error) {
			return s.istioFilters()
		}},
	{"kernel:VERSION", "the kernel is VERSION or newer, such as 5.8", func(_ *session, suffix string) (bool, error) {
		release, err := kernelRelease()
		if err != nil {
			return false, err
		}
		return atLeast(release, suffix)
	}},
	{"root", "the command runs as root", func(*session, string) (bool, error) { return os.Geteuid() == 0, nil }},
}

// Conditions returns the table of conditions, sorted by name.
func Conditions() []Condition { return slices.Clone(conditionTable) }

// condition answers for a condition of the table by the whole of what stands in the brackets.
func (s *session) condition(text string) (bool, error) {
	name, suffix, _ := strings.Cut(text, ":")
	for _, c := range conditionTable {
		known, parameter, _ := strings.Cut(c.Name, ":")
		if known != name {
			continue
		}
		if (parameter == "") != (suffix == "") {
			return false, fault.Usagef("condition [%s] is written [%s]", text, c.Name)
		}
		return c.holds(s, suffix)
	}
	names := make([]string, 0, len(conditionTable))
	for _, c := range conditionTable {
		names = append(names, "["+c.Name+"]")
	}
	return false, fault.Usagef("unknown condition [%s] (there are: %s)", text, strings.Join(names, ", "))
}

// whyNoTrace says why eBPF cannot watch; nil: it can. The first pod with a sidecar
// stands for all of them.
func (s *session) whyNoTrace() error {
	if s.traceable == nil {
		reason := s.findWhyNoTrace()
		s.traceable = &reason
	}
	return *s.traceable
}

func (s *session) findWhyNoTrace() error {
	if err := run.MayTrace(s.ctx); err != nil {
		return err
	}
	refs, err := s.Lab.Mesh.Pods(s.ctx)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		pod, err := s.Lab.Mesh.Pod(s.ctx, ref)
		if err != nil || !slices.Contains(pod.Containers(), mesh.SidecarContainer) {
			continue
		}
		_, err = s.Lab.Processes(s.ctx, pod, mesh.SidecarContainer)
		return err
	}
	return errors.New("no pod has a sidecar")
}

// kernelRelease is the running kernel's release, such as 6.18.44-generic; source: proc(5).
var kernelRelease = sync.OnceValues(func() (string, error) {
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	return strings.TrimSpace(string(text)), err
})

// atLeast compares the numbers of two versions as far as the wanted one goes.
func atLeast(have, want string) (bool, error) {
	wanted, err := numbers(want)
	if err != nil {
		return false, err
	}
	release := have
	if i := strings.IndexAny(have, "-+"); i >= 0 {
		release = have[:i]
	}
	got, err := numbers(release)
	if err != nil {
		return false, err
	}
	for len(got) < len(wanted) {
		got = append(got, 0)
	}
	return slices.Compare(got[:len(wanted)], wanted) >= 0, nil
}

func numbers(version string) ([]int, error) {
	var all []int
	for _, part := range strings.Split(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil, fmt.Errorf("version %q is not numbers and dots", version)
		}
		all = append(all, n)
	}
	return all, nil
}
