//go:build linux && amd64

package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/flowproof/lab/internal/progress"
)

// A bench measures every mode of a lab.
type bench struct {
	options
	lab     *lab
	modes   []mode
	results []result // of the modes, in their order
	control [2]series
}

// A result is all that was measured of one mode.
type result struct {
	attach, detach []float64 // ms, without load
	loads          [2]series // of the two kinds of load
}

// Kinds of load.
const (
	steady    = iota // a rate that leaves the machine time: what a request waits for
	unlimited        // as many requests as the mesh answers: what it costs, and what is lost
)

// A series is what one mode was measured at one kind of load.
type series struct {
	pairs    []pair
	counts   outcome
	requests int
}

// A pair is a load with the probes, and what the loads before and after it were without: their
// mean, so that a slow drift of the machine cancels out.
type pair struct {
	base, traced sample
	reader       float64 // µs of CPU a request of the watching program itself
}

func (b *bench) reporter() progress.Reporter { return progress.New(os.Stderr, false, false) }

// attachments measures how long attaching and detaching take when one request passes in between.
func (b *bench) attachments(ctx context.Context) (err error) {
	task := b.reporter().Start("Attaching and detaching")
	defer func() { task.Done(err) }()
	b.results = make([]result, len(b.modes))
	tries := min(b.rounds, 5)
	task.Total(int64(tries))
	for try := range tries {
		task.Set(int64(try))
		for i, m := range b.modes {
			start := time.Now()
			w, err := m.start(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			attached := time.Since(start)
			_, err = b.lab.load(ctx, b.rate, 1, 10*time.Millisecond)
			start = time.Now()
			if _, stopErr := w.stop(); err == nil {
				err = stopErr
			}
			if err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			r := &b.results[i]
			r.attach = append(r.attach, milliseconds(attached))
			r.detach = append(r.detach, milliseconds(time.Since(start)))
		}
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

// measure measures all modes by turns at one kind of load, each between two loads without probes.
func (b *bench) measure(ctx context.Context, title string, kind, rate int, duration time.Duration) (err error) {
	task := b.reporter().Start(title)
	defer func() { task.Done(err) }()
	task.Total(int64(b.rounds * len(b.modes)))
	without := func() (sample, error) { return b.lab.load(ctx, rate, b.connections, duration) }
	if _, err := without(); err != nil { // the pools fill
		return err
	}
	before, err := without()
	if err != nil {
		return err
	}
	for round := range b.rounds {
		for turn := range b.modes {
			i := (turn + round) % len(b.modes) // none is always the first after the same
			task.Set(int64(round*len(b.modes) + turn))
			task.Note("round %d, %s", round+1, b.modes[i].name)
			traced, reader, counts, err := b.watched(ctx, b.modes[i], rate, duration)
			if err != nil {
				return fmt.Errorf("%s: %w", b.modes[i].name, err)
			}
			after, err := without()
			if err != nil {
				return err
			}
			b.control[kind].pairs = append(b.control[kind].pairs, pair{base: before, traced: after})
			s := &b.results[i].loads[kind]
			s.pairs = append(s.pairs, pair{mean(before, after), traced, reader})
			s.counts.add(counts)
			s.requests += traced.requests
			before = after
		}
	}
	return nil
}

// watched is a load with the probes of a mode.
func (b *bench) watched(ctx context.Context, m mode, rate int, duration time.Duration) (s sample, reader float64,
	counts outcome, err error) {
	w, err := m.start(ctx)
	if err != nil {
		return s, 0, counts, err
	}
	used := w.cpu()
	s, err = b.lab.load(ctx, rate, b.connections, duration)
	used = w.cpu() - used
	counts, stopErr := w.stop()
	if err == nil {
		err = stopErr
	}
	return s, float64(used.Nanoseconds()) / 1e3 / float64(max(s.requests, 1)), counts, err
}

func (o *outcome) add(other outcome) {
	o.emitted += other.emitted
	o.read += other.read
	o.lost += other.lost
	o.missed += other.missed
}

func mean(a, b sample) sample {
	half := func(x, y float64) float64 { return (x + y) / 2 }
	return sample{requests: (a.requests + b.requests) / 2, rate: half(a.rate, b.rate),
		cpu: [2]float64{half(a.cpu[0], b.cpu[0]), half(a.cpu[1], b.cpu[1])}, p50: half(a.p50, b.p50),
		p99: half(a.p99, b.p99)}
}
