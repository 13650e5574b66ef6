package script

import (
	"bytes"
	"maps"
	"slices"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/instrument"
	"github.com/flowproof/lab/harness/observe/stats"
	"github.com/flowproof/lab/internal/lazyregexp"
)

// mostMoved bounds how many counters are printed.
const mostMoved = 20

var statsCommand = Command{
	Name:    "stats",
	names:   every,
	touches: measures,
	Usage:   "stats POD...",
	Summary: "Read the counters of the pods' sidecars; after the request, print which of them went up",
	Detail: "What is read is kept: before the request as the state of before, after it as the state of after. Envoy " +
		"shows the counters that\n" +
		"the mesh's proxyStatsMatcher lets it keep. A counter names no request, so it proves something only when it " +
		"alone went up, and by one.",
	looks: []flow.Instrument{flow.Stats},
	hand: func(ns string, args []string) []string {
		return eachPod(ns, args, func(pod, ns string) string {
			return admin(ns, pod, "'localhost:15000/stats?usedonly'")
		})
	},
	replay: (*replay).stats,
	run: func(s *session, args []string) error {
		if len(args) == 0 {
			return badUsage("it needs a pod")
		}
		for _, ref := range args {
			if err := s.showStats(ref); err != nil {
				return err
			}
		}
		return nil
	},
}

// showStats reads a sidecar's counters and prints what moved.
func (s *session) showStats(ref string) error {
	sidecar, err := s.Sidecar(s.ctx, ref) // a pod without one is an error
	if err != nil {
		return err
	}
	pod := sidecar.Pod().Ref()
	if err := s.Look(s.ctx, flow.Stats, ref); err != nil {
		return err
	}
	was, is := s.Kept(pod, instrument.StatsBefore), s.Kept(pod, instrument.StatsAfter)
	before, _ := stats.Parse(bytes.NewReader(was)) // what is kept can be read
	after, _ := stats.Parse(bytes.NewReader(is))
	switch {
	case !s.Sent():
		s.print("%s: %s", pod, plural(len(before), "counter"))
	case was == nil:
		s.print("%s: %s, and none from before the request", pod, plural(len(after), "counter"))
	default:
		s.printMoved(pod, before, after)
	}
	return nil
}

// ownCounters are those of the sidecar's own ports, which go up all the time: health, metrics, and
// the admin interface that is asked for the counters. They are kept and not printed.
var ownCounters = lazyregexp.New(`^(http|listener)\.(admin|agent|stats)\.|^listener\.[^;]*_(15021|15090)\.`)

// printMoved prints the counters that went up.
func (s *session) printMoved(pod string, before, now stats.Counters) {
	var moved []string
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if now[name] > before[name] && !ownCounters.MatchString(name) {
			moved = append(moved, name)
		}
	}
	s.print("%s: %s went up", pod, plural(len(moved), "counter"))
	for _, name := range moved[:min(len(moved), mostMoved)] {
		s.print("  %s: %d → %d", name, before[name], now[name])
	}
	if len(moved) > mostMoved {
		s.print("  and %d more", len(moved)-mostMoved)
	}
}

// stats shows the recorded counters: before the request's line how many, after it which went up.
func (r *replay) stats(refs []string) error {
	shown := false
	for _, ref := range refs {
		pod := r.pod(ref)
		if pod == nil || pod.Part(instrument.StatsBefore) == nil {
			continue
		}
		shown = true
		before, _ := stats.Parse(bytes.NewReader(pod.Part(instrument.StatsBefore))) // what is kept can be read
		after, _ := stats.Parse(bytes.NewReader(pod.Part(instrument.StatsAfter)))
		if r.sent {
			r.session.printMoved(pod.Name, before, after)
		} else {
			r.session.print("%s: %s", pod.Name, plural(len(before), "counter"))
		}
	}
	if !shown {
		return errNothing
	}
	return nil
}
