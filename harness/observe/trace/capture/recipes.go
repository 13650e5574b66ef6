//go:build linux && amd64

package capture

import (
	"slices"

	"github.com/flowproof/lab/bpf/envoy"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/internal/envoybinary"
)

// split tells the names of probes on Envoy from those of the kernel's.
func split(names []string) (onEnvoy, onKernel []string) {
	for _, name := range names {
		if slices.Contains(trace.Costly, name) {
			onEnvoy = append(onEnvoy, name)
		} else {
			onKernel = append(onKernel, name)
		}
	}
	return onEnvoy, onKernel
}

// all says whether all statements are traced: the others can be left off only where the kernel
// attaches many probes by one link.
func all(level trace.Level) bool { return level != trace.LevelDebug || envoy.HaveMulti() != nil }

// wanted are the statements that are traced at a level, each by a probe of its own; nil: all of
// them, by one probe.
func wanted(level trace.Level) func(envoybinary.Statement) bool {
	if all(level) {
		return nil
	}
	return debugged
}

// debugged says whether a statement is among those of LevelDebug. One whose level could not be told
// is, and so are those that tell which filters ran. What only fails an assertion is left out: Envoy
// ends there.
func debugged(s envoybinary.Statement) bool {
	switch {
	case trace.Evident(s.Format):
		return true
	case trace.NamesFilter(s.File, s.Format):
		return s.Level != "critical"
	}
	return !slices.Contains([]string{"trace", "critical"}, s.Level)
}
