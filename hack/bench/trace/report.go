//go:build linux && amd64

package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"

	"github.com/flowproof/lab/harness/fault"
)

// What is promised besides a mode's CPU.
const (
	maxAttach   = 1000. // ms
	maxDetach   = 2000. // ms
	maxSlowdown = 1.10  // of p50 and p99 at the steady rate, with the kernel probes
	noteworthy  = 0.02  // of the CPU without probes: less than that is nothing measurable, were it ever so certain
)

// report prints what was measured, then each promise, and fails when one is broken.
func (b *bench) report(w io.Writer) error {
	fmt.Fprintf(w, "\n%d pairs of %s for each mode and load, over %d connections. CPU is in µs a request. A "+
		"difference is the median of the\n"+
		"pairs' differences; behind it stands the interval that holds the true median with 95 %% confidence. "+
		"\"nothing\" compares each\n"+
		"load without probes with the next one: that is how quiet the machine was. bpftrace says of losses only what "+
		"it notices:\n"+
		"compare its events with ours.\n", b.rounds, b.duration, b.connections)
	fmt.Fprintf(w, "\n%d requests/s:\n\n", b.rate)
	b.print(w, steady)
	fmt.Fprintf(w, "\nas many requests as the mesh answers:\n\n")
	b.print(w, unlimited)
	return b.judge(w)
}

func (b *bench) print(w io.Writer, kind int) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "mode\tclient's Envoy\tserver's "+
		"Envoy\tratio\trequests/s\tratio\tp50\tp99\tevents\tlost\tmissed\treader")
	b.control[kind].print(t, "nothing")
	for i, m := range b.modes {
		b.results[i].loads[kind].print(t, m.name)
	}
	t.Flush()
}

// print prints one line; latencies as ratios, events and the reader's CPU a request.
func (s *series) print(w io.Writer, name string) {
	fmt.Fprintf(w, "%s\t%s\t%s\t%.2f\t%.0f\t%.2f\t%.2f\t%.2f\t%.1f\t%d\t%d\t%.0f\n", name, s.added(0), s.added(1),
		s.ratio(func(s sample) float64 {
			return s.cpu[0] + s.cpu[1]
		}), median(each(s.pairs, func(p pair) float64 {
			return p.traced.rate
		})), s.ratio(rate), s.ratio(p50), s.ratio(p99),
		float64(s.counts.emitted+s.counts.lost)/float64(max(s.requests, 1)), s.counts.lost, s.counts.missed,
		median(each(s.pairs, func(p pair) float64 { return p.reader })))
}

// added says what a mode adds to one Envoy: "70 +6.2 [5.0, 7.9]".
func (s *series) added(envoy int) string {
	d := s.differences(envoy)
	low, high := interval(d)
	return fmt.Sprintf("%.0f %+.1f [%.1f, %.1f]", s.base(envoy), median(d), low, high)
}

// base is one Envoy's CPU without probes, differences are what each pair added to it.
func (s *series) base(envoy int) float64 {
	return median(each(s.pairs, func(p pair) float64 { return p.base.cpu[envoy] }))
}

func (s *series) differences(envoy int) []float64 {
	return each(s.pairs, func(p pair) float64 { return p.traced.cpu[envoy] - p.base.cpu[envoy] })
}

// dearer is the Envoy to which more is added: a promise is for each.
func (s *series) dearer() int {
	if median(s.differences(1)) > median(s.differences(0)) {
		return 1
	}
	return 0
}

func rate(s sample) float64 { return s.rate }
func p50(s sample) float64  { return s.p50 }
func p99(s sample) float64  { return s.p99 }

// ratio is the median of the pairs' ratios.
func (s *series) ratio(of func(sample) float64) float64 { return median(s.ratios(of)) }

func (s *series) ratios(of func(sample) float64) []float64 {
	return each(s.pairs, func(p pair) float64 { return of(p.traced) / of(p.base) })
}

// A verdict is one promise held against what was measured.
type verdict struct {
	promise, measured, peer, ratio string
	broken                         bool
	doubtful                       bool // what was measured is beyond the promise, but the interval is not
}

// judge prints the promises; the error names those that are broken.
func (b *bench) judge(w io.Writer) error {
	var broken []error
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "promise\tmeasured\tbpftrace\tratio\t")
	for i, m := range b.modes {
		if m.peer != "" {
			continue
		}
		for _, v := range b.promises(m, &b.results[i], b.peerOf(m)) {
			word := "kept"
			if v.doubtful {
				word = "not certain"
			}
			if v.broken {
				word = "BROKEN"
				broken = append(broken, fmt.Errorf("%s: %s", v.promise, v.measured))
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", v.promise, v.measured, v.peer, v.ratio, word)
		}
	}
	t.Flush()
	if len(broken) > 0 {
		return fault.Mismatchf("keep promises: %d broken:\n%w", len(broken), errors.Join(broken...))
	}
	return nil
}

// peerOf is what was measured of the peer of a mode; nil without one.
func (b *bench) peerOf(m mode) *result {
	if i := slices.IndexFunc(b.modes, func(p mode) bool { return p.peer == m.name }); i >= 0 {
		return &b.results[i]
	}
	return nil
}

// promises are all that is promised of one mode.
func (b *bench) promises(m mode, r, peer *result) []verdict {
	calm := &r.loads[steady]
	all := []verdict{
		cost(m, &r.loads[unlimited], peer),
		compared(m.name+": attached in less than 1 s", "%.0f ms", median(r.attach), peer, func(p *result) float64 {
			return median(p.attach)
		}, median(r.attach) >= maxAttach),
		compared(m.name+": detached in less than 2 s", "%.0f ms", median(r.detach), peer, func(p *result) float64 {
			return median(p.detach)
		}, median(r.detach) >= maxDetach),
		compared(fmt.Sprintf("%s: no event lost at %d/s", m.name, b.rate), "%.0f",
			float64(calm.counts.lost+calm.counts.missed), peer,
			func(p *result) float64 {
				return float64(p.loads[steady].counts.lost)
			}, calm.counts.lost+calm.counts.missed > 0),
		counted(m, r.loads[unlimited].counts),
	}
	if m.name != "kernel" {
		return all
	}
	for _, latency := range []struct {
		name string
		of   func(sample) float64
	}{{"p50", p50}, {"p99", p99}} {
		// What "nothing" adds is the machine's own doing: only what goes beyond it is the probes'.
		noise := b.control[steady].ratio(latency.of)
		slower := calm.ratio(latency.of) / max(1, noise)
		low, high := interval(calm.ratios(latency.of))
		v := compared(fmt.Sprintf("kernel: %s at %d/s at most 1.10 times", latency.name, b.rate), "%.2f", slower, peer,
			func(p *result) float64 {
				return p.loads[steady].ratio(latency.of) / max(1, noise)
			}, low/max(1, noise) > maxSlowdown)
		v.measured += fmt.Sprintf(" in [%.2f, %.2f] (nothing alone: %.2f)", low, high, noise)
		v.doubtful = slower > maxSlowdown
		all = append(all, v)
	}
	return all
}

// referenceBase is the CPU, in µs a request, of an Envoy on the machine for which the promises
// about CPU were made. Processors differ, and what a trap costs differs with them: a cost is held
// against its promise as a share of what Envoy itself takes in the same run.
const referenceBase = 70.

// cost is the promise about the CPU of each Envoy. It is held against the load without a limit,
// where CPU is what there is too little of; at the steady rate a good part of it goes into waking
// up. Of a mode whose limit is 0 nothing may be measurable: either the interval reaches down to 0,
// or the difference is too small to be of note.
func cost(m mode, s *series, peer *result) verdict {
	d := s.differences(s.dearer())
	low, high := interval(d)
	switch {
	case m.limit == none:
		return compared(m.what+": no promise", "%.1f µs", s.scaled(), peer, func(p *result) float64 {
			return p.loads[unlimited].scaled()
		}, false)
	case m.limit > 0:
		v := compared(fmt.Sprintf("%s: less than %.0f µs of CPU a request to an Envoy that takes %.0f", m.what, m.limit,
			referenceBase), "%.1f µs", s.scaled(), peer,
			func(p *result) float64 {
				return p.loads[unlimited].scaled()
			}, low*referenceBase/s.base(s.dearer()) >= m.limit)
		v.measured += fmt.Sprintf(" (here %.1f in [%.1f, %.1f] to %.0f)", median(d), low, high, s.base(s.dearer()))
		v.doubtful = s.scaled() >= m.limit
		return v
	}
	return verdict{promise: m.what + ": nothing measurable", measured: fmt.Sprintf("%+.1f µs in [%.1f, %.1f]",
		median(d), low, high),
		peer: "-", ratio: "-", broken: low > 0 && median(d) > noteworthy*s.base(s.dearer())}
}

// scaled is what a mode adds to the Envoy to which it adds more, were that Envoy's own
// CPU the reference's.
func (s *series) scaled() float64 {
	return median(s.differences(s.dearer())) * referenceBase / s.base(s.dearer())
}

// counted is the promise that nothing is lost in silence: what the probes say they emitted was
// read, or counted as lost because a watch keeps no more.
func counted(m mode, counts outcome) verdict {
	return verdict{promise: m.name + ": every loss at saturation counted", peer: "-", ratio: "-",
		measured: fmt.Sprintf("%d emitted, %d read, %d lost", counts.emitted, counts.read, counts.lost),
		broken:   counts.read > counts.emitted || counts.emitted > counts.read+counts.lost}
}

// compared is a promise about one number that the peer has too.
func compared(promise, format string, ours float64, peer *result, of func(*result) float64, broken bool) verdict {
	v := verdict{promise: promise, measured: fmt.Sprintf(format, ours), peer: "-", ratio: "-", broken: broken ||
		math.IsNaN(ours)}
	if peer != nil {
		theirs := of(peer)
		v.peer = fmt.Sprintf(format, theirs)
		if ours > 0 {
			v.ratio = fmt.Sprintf("%.2g", theirs/ours)
		}
	}
	return v
}
