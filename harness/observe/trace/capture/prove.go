//go:build linux && amd64

package capture

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/flowproof/lab/bpf/envoy"
	"github.com/flowproof/lab/bpf/kernel"
	"github.com/flowproof/lab/bpf/probe"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/internal/envoybinary"
	"github.com/flowproof/lab/internal/envoybinary/prove"
)

// Prove tries on an Envoy of its own what was recovered from the binary at path; see package prove.
// It is what an envoybinary.Cache asks for a build that it does not know.
func Prove(ctx context.Context, path string, table *envoybinary.Table) (*envoybinary.Proof, error) {
	return prove.Prove(ctx, path, table, prove.Options{Watch: watchProcess, Statements: trace.Evidence()})
}

// raw is what a probe told that is no event of a recording: only recovery asks for it. One
// of the two is there.
type raw struct {
	time  time.Time
	call  *prove.Call
	ready *prove.Ready
}

func (w *watcher) keep(r raw) { w.raw = append(w.raw, r) }

// called keeps that a function of a class was called.
func (w *watcher) called(r *probe.Record) error {
	from, err := w.source(r)
	if err != nil {
		return err
	}
	w.keep(raw{time: head(r, w.boot).Time,
		call: &prove.Call{Recipe: from.Name, Object: r.Value, Caller: r.Socket, Arguments: envoy.Arguments(r.Data)}})
	return nil
}

// watchProcess watches an Envoy with recipes while do makes it work, and returns what was told.
// Where anything was lost it is an error: nothing can be proven then.
func watchProcess(pid int, recipes []envoy.Recipe, sources []envoybinary.Source, do func() error) (*prove.Seen, error) {
	netns, err := netnsOf(pid)
	if err != nil {
		return nil, err
	}
	w, err := newWatcher(kernel.Options{Data: kernel.DefaultData}, true)
	if err != nil {
		return nil, err
	}
	err = w.watch(netns, "proof")
	if err == nil {
		err = w.start()
	}
	if err == nil {
		err = w.attach(pid, recipes, sources)
	}
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	doErr := do()
	r, err := w.stop()
	if err := errors.Join(doErr, err); err != nil {
		return nil, err
	}
	for _, s := range r.Probes {
		if !s.Attached {
			return nil, fmt.Errorf("probe %s: %s", s.Name, s.Problem)
		}
	}
	if r.Counts.Lost > 0 || r.Counts.Missed > 0 || r.Problem != "" {
		return nil, fmt.Errorf("%d events lost, %d missed %s", r.Counts.Lost, r.Counts.Missed, r.Problem)
	}
	return w.seen(r), nil
}

// seen is what a watch told, as it is proven by.
func (w *watcher) seen(r *trace.Recording) *prove.Seen {
	seen := &prove.Seen{Connections: map[netip.AddrPort]prove.Connection{}}
	slices.SortStableFunc(w.raw, func(a, b raw) int { return a.time.Compare(b.time) })
	for _, r := range w.raw {
		if r.call != nil {
			seen.Calls = append(seen.Calls, *r.call)
		} else {
			seen.Ready = append(seen.Ready, *r.ready)
		}
	}
	served, clashes := r.Served()
	seen.Clashes = clashes
	for client, s := range served {
		c := prove.Connection{}
		for _, e := range s.Values {
			c.Values = append(c.Values, prove.Value{Name: e.Name, Text: e.Text})
		}
		for _, e := range s.Statements {
			c.Statements = append(c.Statements, e.Text)
		}
		for _, e := range s.Requests {
			c.Requests = append(c.Requests, prove.Request{Local: e.Ends.Local, Cluster: e.Ends.Cluster,
				Connection: e.Ends.Connection})
		}
		seen.Connections[client] = c
	}
	return seen
}
