//go:build linux && amd64

package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/bpf/kernel"
	"github.com/flowproof/lab/bpf/probe"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/harness/observe/trace/capture"
	"github.com/flowproof/lab/internal/envoybinary"
)

// A mode is one set of probes whose cost is measured.
type mode struct {
	name string
	what string
	// µs of CPU a request that are promised of an Envoy that takes referenceBase; 0: nothing that
	// can be measured; none: nothing is promised
	limit float64
	peer  string // name of the mode of ours that a peer's is compared with
	start func(ctx context.Context) (watch, error)
}

// A watch goes on until it is stopped.
type watch interface {
	// cpu is what the watching program itself has used so far.
	cpu() time.Duration
	stop() (outcome, error)
}

// An outcome is what a watch counted.
type outcome struct {
	emitted uint64 // by the probes
	read    uint64
	lost    uint64 // did not fit
	missed  uint64 // probes that the kernel did not run
}

// none marks a mode without a promise.
const none = -1

// modes are ours, and the peer's.
func (l *lab) modes(ctx context.Context, o options) ([]mode, error) {
	cache, err := envoybinary.DefaultCache()
	if err != nil {
		return nil, fault.Environmentf("%w", err)
	}
	start := func(opts capture.Options) func(context.Context) (watch, error) {
		opts.Pods, opts.Data, opts.Cache = l.pods, kernel.DefaultData, cache
		return func(ctx context.Context) (watch, error) {
			s, err := capture.Start(ctx, opts)
			if err != nil {
				return nil, err
			}
			return session{s}, nil
		}
	}
	modes := []mode{
		{
			name: "states", what: "the kernel's state probes alone", limit: 0,
			start: start(capture.Options{Without: []string{"sys_enter", "sys_exit"}}),
		},
		{name: "kernel", what: "all kernel probes", limit: 10, start: start(capture.Options{})},
		{name: "join", what: "kernel probes, values and exact join", limit: 40,
			start: start(capture.Options{Envoy: true, Without: []string{"statements"}})},
		{name: "debug", what: "all of that and the log trace of level debug", limit: 90,
			start: start(capture.Options{Envoy: true, Statements: trace.LevelDebug})},
		{name: "trace", what: "all of that and all log statements", limit: none,
			start: start(capture.Options{Envoy: true})},
	}
	if o.peer {
		peers, err := l.peers(ctx, cache)
		if err != nil {
			return nil, err
		}
		modes = append(modes, peers...)
	}
	if o.only == "" {
		return modes, nil
	}
	wanted := strings.Split(o.only, ",")
	for _, name := range wanted {
		if !slices.ContainsFunc(modes, func(m mode) bool { return m.name == name }) {
			return nil, fault.Usagef("choose mode %q: there is none of that name", name)
		}
	}
	return slices.DeleteFunc(modes, func(m mode) bool {
		return !slices.Contains(wanted, m.name) && !slices.Contains(wanted, m.peer)
	}), nil
}

// session is a watch of ours.
type session struct{ *capture.Session }

func (s session) cpu() time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func (s session) stop() (outcome, error) {
	r, err := s.Stop()
	if err != nil {
		return outcome{}, err
	}
	if r.Problem != "" {
		return outcome{}, fault.Incompletef("trace: %s", r.Problem)
	}
	for _, p := range r.Probes {
		if !p.Attached && p.Problem != probe.LeftOff {
			return outcome{}, fault.Environmentf("trace: probe %s is off: %s", p.Name, p.Problem)
		}
	}
	for _, envoy := range r.Envoys {
		for name, why := range envoy.Off {
			if !strings.HasPrefix(why, probe.LeftOff) {
				return outcome{}, fault.Environmentf("trace: %s is off in %s: %s", name, envoy.Pod, why)
			}
		}
	}
	o := outcome{emitted: r.Counts.Emitted, lost: r.Counts.Lost, missed: r.Counts.Missed}
	for i := range r.Events {
		if r.Events[i].Kind != trace.Redirected { // that one no probe tells
			o.read++
		}
	}
	return o, nil
}
