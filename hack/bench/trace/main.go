//go:build linux && amd64

// Command bench measures what tracing costs: fortio's load goes through the two sidecars of a lab,
// by turns without and with the probes of each mode, and in the same run with the same probes as a
// script of bpftrace. It prints what was promised, what was measured and the ratio to the peer, and
// fails when a promise is broken. Run it on a machine that does nothing else.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/flowproof/lab/harness/fault"
)

// options are how the measurement is made.
type options struct {
	lab         string
	name        string
	rounds      int
	duration    time.Duration
	rate        int
	connections int
	only        string
	peer        bool
}

func main() {
	var o options
	flag.StringVar(&o.lab, "lab", "lab", "the lab program")
	flag.StringVar(&o.name, "name", "bench", "name of the lab; one that is up is used and left")
	flag.IntVar(&o.rounds, "rounds", 12, "how often each mode is compared with no tracing")
	flag.DurationVar(&o.duration, "time", 2*time.Second, "of each load")
	flag.IntVar(&o.rate, "rate", 500, "requests a second of the steady load")
	flag.IntVar(&o.connections, "connections", 8, "of the load")
	flag.StringVar(&o.only, "only", "", "modes to measure, by comma: states, kernel, join, debug, trace (default all)")
	flag.BoolVar(&o.peer, "peer", true, "compare with bpftrace")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	if o.rounds < 1 || flag.NArg() > 0 {
		return fault.Usagef("read command line: %d rounds, %d arguments (at least one round, and flags only)",
			o.rounds, flag.NArg())
	}
	lab, err := openLab(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = lab.close(err) }()
	modes, err := lab.modes(ctx, o)
	if err != nil {
		return err
	}
	b := &bench{options: o, lab: lab, modes: modes}
	if err := b.attachments(ctx); err != nil {
		return err
	}
	if err := b.measure(ctx, fmt.Sprintf("Load of %d requests/s", o.rate), steady, o.rate, o.duration); err != nil {
		return err
	}
	if err := b.measure(ctx, "Load without a limit", unlimited, 0, o.duration); err != nil {
		return err
	}
	return b.report(os.Stdout)
}
