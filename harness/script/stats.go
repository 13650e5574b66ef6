package script

import (
	"bytes"
	"maps"
	"regexp"
	"slices"

	"github.com/flowproof/lab/harness/observe/stats"
	"github.com/flowproof/lab/internal/exit"
)

// counters are the counters of sidecars as their admin interface printed them, before and after the request, by
// "pod.namespace".
type counters struct{ before, after map[string][]byte }

// statsFilter names the counters that are read, as a regular expression for the admin interface: connections and handshakes
// of listeners, what their filters found, answers of connection managers, and connections, requests and answers of clusters.
const statsFilter = `^listener\..*(downstream_cx_total|ssl\.handshake|ssl\.versions\..*|no_filter_chain_match)$` +
	`|^(tls|http)_inspector\.` +
	`|^http\..*downstream_rq_[1-5]xx$|^tcp\..*downstream_cx_total$` +
	`|^cluster\..*(upstream_cx_(total|connect_fail|none_healthy)|upstream_rq_(total|[0-9]{3})|ssl\.handshake)$` +
	`|` + stats.FilterCounters

// mostMoved bounds how many counters are printed.
const mostMoved = 20

var statsCommand = Command{
	Name:    "stats",
	Usage:   "stats POD...",
	Summary: "Read the counters of the pods' sidecars; after the request, print which of them went up",
	Detail: "What is read is kept: before the request as the state of before, after it as the state of after. Envoy shows the counters that\n" +
		"the mesh's proxyStatsMatcher lets it keep. A counter names no request, so it proves something only when it alone went up, and by one.",
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

// showStats reads a sidecar's counters, keeps them, and prints what moved.
func (s *session) showStats(ref string) error {
	sidecar, err := s.sidecar(ref)
	if err != nil {
		return err
	}
	pod := sidecar.Pod().Ref()
	text, err := sidecar.Stats(s.ctx, statsFilter)
	if err != nil {
		return err
	}
	now, err := stats.Parse(bytes.NewReader(text))
	if err != nil {
		return exit.Environmentf("read stats of %s: %w", pod, err)
	}
	if s.sent == nil {
		s.counters.before[pod] = text
		s.print("%s: %s", pod, plural(len(now), "counter"))
		return nil
	}
	s.counters.after[pod] = text
	before, err := stats.Parse(bytes.NewReader(s.counters.before[pod]))
	if err != nil || s.counters.before[pod] == nil {
		s.print("%s: %s, and none from before the request", pod, plural(len(now), "counter"))
		return nil
	}
	s.printMoved(pod, before, now)
	return nil
}

// ownCounters are those of the sidecar's own ports, which go up all the time: health, metrics, and the admin interface that
// is asked for the counters. They are kept and not printed.
var ownCounters = regexp.MustCompile(`^(http|listener)\.(admin|agent|stats)\.|^listener\.[^;]*_(15021|15090)\.`)

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
