//go:build linux && amd64

package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"

	"github.com/flowproof/lab/harness/exit"
)

// What is promised besides a mode's CPU.
const (
	maxAttach    = 1000. // ms
	maxDetach    = 2000. // ms
	maxSlowdown  = 1.10  // of p50 and p99 at the steady rate, with the kernel probes
	noteworthy   = 0.02  // of the CPU without probes: less than that is nothing measurable, were it ever so certain
	microseconds = "%.1f µs"
)

// report prints what was measured, then each promise, and fails when one is broken.
func (b *bench) report(w io.Writer) error {
	b.printSteady(w)
	b.printSaturated(w)
	return b.judge(w)
}

func (b *bench) printSteady(w io.Writer) {
	low, high := interval(b.control)
	fmt.Fprintf(w, "\n%d pairs of %s at %d requests/s over %d connections; µs of CPU a request. A difference is the median of the pairs'\n"+
		"differences, and behind it the interval that holds the true median with 95 %% confidence. Between one load without probes\n"+
		"and the next, the differences had a median of %.1f µs in [%.1f, %.1f]: that is how quiet the machine was.\n\n",
		b.rounds, b.duration, b.rate, b.connections, median(b.control), low, high)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "mode\tclient's Envoy\tserver's Envoy\tratio\tp50\tp99\tevents\tlost\tmissed\treader\tattach\tdetach")
	for i, m := range b.modes {
		r := b.results[i]
		fmt.Fprintf(t, "%s\t%s\t%s\t%.2f\t%.2f\t%.2f\t%.0f\t%d\t%d\t%.0f\t%.0f ms\t%.0f ms\n", m.name, r.added(0), r.added(1),
			median(each(r.pairs, func(p pair) float64 { return (p.traced.cpu[0] + p.traced.cpu[1]) / (p.base.cpu[0] + p.base.cpu[1]) })),
			r.slowdown(p50), r.slowdown(p99), float64(r.counts.emitted)/float64(r.requests), r.counts.lost, r.counts.missed,
			median(each(r.pairs, func(p pair) float64 { return p.reader })), median(r.attach), median(r.detach))
	}
	t.Flush()
}

// added says what a mode adds to one Envoy: "70.1 +6.2 [5.0, 7.9]".
func (r *result) added(envoy int) string {
	d := r.differences(envoy)
	low, high := interval(d)
	return fmt.Sprintf("%.0f %+.1f [%.1f, %.1f]", median(each(r.pairs, func(p pair) float64 { return p.base.cpu[envoy] })), median(d), low, high)
}

// differences are those of one Envoy's CPU in each pair.
func (r *result) differences(envoy int) []float64 {
	return each(r.pairs, func(p pair) float64 { return p.traced.cpu[envoy] - p.base.cpu[envoy] })
}

func p50(s sample) float64 { return s.p50 }
func p99(s sample) float64 { return s.p99 }

// slowdown is the median of the pairs' ratios.
func (r *result) slowdown(of func(sample) float64) float64 {
	return median(each(r.pairs, func(p pair) float64 { return of(p.traced) / of(p.base) }))
}

func (b *bench) printSaturated(w io.Writer) {
	if b.saturation <= 0 {
		return
	}
	fmt.Fprintf(w, "\nAs many requests as the mesh answers, over %d connections:\n\n", b.connections)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "mode\trequests/s without\twith\tratio\tevents/s\tread\tlost\tmissed")
	for i, m := range b.modes {
		all := b.results[i].saturated
		var counts outcome
		for _, s := range all {
			counts.add(s.counts)
		}
		fmt.Fprintf(t, "%s\t%.0f\t%.0f\t%.2f\t%.0f\t%d\t%d\t%d\n", m.name,
			median(each(all, func(s saturation) float64 { return s.base.rate })), median(each(all, func(s saturation) float64 { return s.traced.rate })),
			median(each(all, func(s saturation) float64 { return s.traced.rate / s.base.rate })),
			float64(counts.emitted+counts.lost)/float64(len(all))/b.saturation.Seconds(), counts.read, counts.lost, counts.missed)
	}
	t.Flush()
}

// A verdict is one promise held against what was measured.
type verdict struct {
	promise, measured, peer, ratio string
	broken                         bool
}

// judge prints the promises; the error names those that are broken.
func (b *bench) judge(w io.Writer) error {
	var broken []error
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "promise\tmeasured\tbpftrace\tratio\t")
	for i, m := range b.modes {
		if m.limit == unlimited {
			continue
		}
		for _, v := range b.promises(m, &b.results[i], b.peerOf(m)) {
			word := "kept"
			if v.broken {
				word = "BROKEN"
				broken = append(broken, fmt.Errorf("%s: %s", v.promise, v.measured))
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", v.promise, v.measured, v.peer, v.ratio, word)
		}
	}
	t.Flush()
	if len(broken) > 0 {
		return exit.Mismatchf("keep promises: %d broken:\n%w", len(broken), errors.Join(broken...))
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
	all := []verdict{
		r.cost(m, peer),
		compared(m.name+": attached in less than 1 s", "%.0f ms", median(r.attach), peer, func(p *result) float64 { return median(p.attach) }, median(r.attach) >= maxAttach),
		compared(m.name+": detached in less than 2 s", "%.0f ms", median(r.detach), peer, func(p *result) float64 { return median(p.detach) }, median(r.detach) >= maxDetach),
		compared(fmt.Sprintf("%s: no event lost at %d/s", m.name, b.rate), "%.0f", float64(r.counts.lost+r.counts.missed), peer,
			func(p *result) float64 { return float64(p.counts.lost) }, r.counts.lost+r.counts.missed > 0),
	}
	if m.name == "kernel" {
		for _, p := range []struct {
			name string
			of   func(sample) float64
		}{{"p50", p50}, {"p99", p99}} {
			slower := r.slowdown(p.of)
			all = append(all, compared(fmt.Sprintf("kernel: %s at %d/s at most 1.10 times", p.name, b.rate), "%.2f", slower, peer,
				func(q *result) float64 { return q.slowdown(p.of) }, slower > maxSlowdown))
		}
	}
	if b.saturation > 0 {
		all = append(all, r.counted(m))
	}
	return all
}

// cost is the promise about the CPU of each Envoy. Of a mode whose limit is 0 nothing may be measurable: either the
// interval reaches down to 0, or the difference is too small to be of note.
func (r *result) cost(m mode, peer *result) verdict {
	dearer := 0
	if median(r.differences(1)) > median(r.differences(0)) {
		dearer = 1
	}
	d := r.differences(dearer)
	if m.limit > 0 {
		return compared(fmt.Sprintf("%s: less than %.0f µs of an Envoy's CPU a request", m.what, m.limit), microseconds, median(d), peer,
			func(p *result) float64 { return max(median(p.differences(0)), median(p.differences(1))) }, median(d) >= m.limit)
	}
	low, high := interval(d)
	base := median(each(r.pairs, func(p pair) float64 { return p.base.cpu[dearer] }))
	return verdict{promise: m.what + ": nothing measurable", measured: fmt.Sprintf("%+.1f µs in [%.1f, %.1f]", median(d), low, high),
		peer: "-", ratio: "-", broken: low > 0 && median(d) > noteworthy*base}
}

// counted is the promise that nothing is lost in silence: what the probes say they emitted was read, or counted as lost
// because a watch keeps no more.
func (r *result) counted(m mode) verdict {
	var counts outcome
	for _, s := range r.saturated {
		counts.add(s.counts)
	}
	return verdict{promise: m.name + ": every loss at saturation counted", peer: "-", ratio: "-",
		measured: fmt.Sprintf("%d emitted, %d read, %d lost", counts.emitted, counts.read, counts.lost),
		broken:   counts.read > counts.emitted || counts.emitted > counts.read+counts.lost}
}

// compared is a promise about one number that the peer has too.
func compared(promise, format string, ours float64, peer *result, of func(*result) float64, broken bool) verdict {
	v := verdict{promise: promise, measured: fmt.Sprintf(format, ours), peer: "-", ratio: "-", broken: broken || math.IsNaN(ours)}
	if peer != nil {
		theirs := of(peer)
		v.peer = fmt.Sprintf(format, theirs)
		if ours > 0 {
			v.ratio = fmt.Sprintf("%.2g", theirs/ours)
		}
	}
	return v
}
