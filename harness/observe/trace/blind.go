package trace

import (
	"fmt"
	"maps"
	"slices"

	"github.com/flowproof/lab/bpf/envoy"
)

// required are the probes without which the kernel's part of the account has holes.
// The others add to it.
var required = []string{"sys_exit", "sys_enter", "open_sockets"}

// Gaps says why something may be missing anywhere in the recording, so that the order of its events
// proves nothing; none: nothing is.
func (r *Recording) Gaps() []string {
	var gaps []string
	if r.Counts.Lost > 0 {
		gaps = append(gaps, fmt.Sprintf("%d events did not fit into the ring buffer", r.Counts.Lost))
	}
	if r.Counts.Missed > 0 {
		gaps = append(gaps, fmt.Sprintf("probes were skipped %d times", r.Counts.Missed))
	}
	if kept := r.emitted(); r.Counts.Emitted != kept {
		gaps = append(gaps, fmt.Sprintf("the probes told of %d events, and %d are here", r.Counts.Emitted, kept))
	}
	for _, name := range required {
		if ok, why := r.attached(name); !ok {
			gaps = append(gaps, fmt.Sprintf("probe %s is off: %s", name, why))
		}
	}
	if r.Problem != "" {
		gaps = append(gaps, r.Problem)
	}
	return gaps
}

// Blind says what could not be seen in a pod, named "pod.namespace": the gaps, and every probe that
// was off, in the kernel and on its Envoys. That an event is not in the recording proves nothing
// then. Which event which probe tells of is not asked, nor which process one was to be attached to:
// too many reasons cost a verdict, too few make a wrong one.
func (r *Recording) Blind(pod string) []string {
	reasons := r.Gaps()
	for _, p := range r.Probes {
		if !p.Attached && !slices.Contains(required, p.Name) {
			reasons = append(reasons, fmt.Sprintf("probe %s is off: %s", p.Name, p.Problem))
		}
	}
	if !slices.ContainsFunc(r.Envoys, func(i Inside) bool { return i.Pod == pod }) {
		return append(reasons, fmt.Sprintf("no probe was on an Envoy of %s", pod))
	}
	inside := r.inside(pod)
	for _, name := range slices.Sorted(maps.Keys(inside.Off)) {
		if name == envoy.ProbeJoinCluster || name == envoy.ProbeJoinID {
			continue // no event depends on them
		}
		reasons = append(reasons, fmt.Sprintf("%s is not observed: %s", name, inside.Off[name]))
	}
	there := slices.Clone(inside.Values)
	if inside.Join {
		there = append(there, envoy.ProbeJoin)
	}
	if len(inside.Statements) > 0 {
		there = append(there, envoy.ProbeStatements)
	}
	if inside.Level == LevelDebug {
		reasons = append(reasons, "log statements below debug are not observed in "+pod)
	}
	for _, name := range Costly {
		if _, said := inside.Off[name]; !said && !slices.Contains(there, name) {
			reasons = append(reasons, fmt.Sprintf("%s is not observed in %s", name, pod))
		}
	}
	return reasons
}
