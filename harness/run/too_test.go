package run_test

import (
	"slices"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/run"
	"github.com/flowproof/lab/internal/undo"
)

// TestInstrumentsThatNoCommandNames holds that each instrument takes part in a script's steps
// where no command looks with it: it looks at the pods that others look at, and its watches are
// those that it has where a command asks for it.
func TestInstrumentsThatNoCommandNames(t *testing.T) {
	for _, name := range []flow.Instrument{flow.Stats, flow.Netfilter, flow.Sockets} {
		t.Run(string(name), func(t *testing.T) {
			var but []flow.Instrument
			for _, i := range observe.Instruments() {
				if i.Name() != name {
					but = append(but, i.Name())
				}
			}
			other := flow.Stats
			if name == other {
				other = flow.Netfilter
			}
			lab := recorded(t, "inbound").Run()
			list := undo.NewList(lab.Restore, nil, nil)
			s := run.NewSession(lab, list)
			defer s.Close()
			steps := []func() error{
				func() error { return s.Look(t.Context(), other, "netshoot", "fortio-server") },
				func() (err error) {
					s.Flow.Call, err = s.NewCall("netshoot", "http://fortio-server:8080/")
					return err
				},
				func() error { return s.LookToo(t.Context(), but...) },
				func() error { _, err := s.Send(t.Context()); return err },
				func() error { return s.Look(t.Context(), other, "netshoot", "fortio-server") },
				func() error { return s.Observe(t.Context()) },
			}
			for n, step := range steps {
				if err := step(); err != nil {
					t.Fatalf("step %d: %v", n, err)
				}
			}
			for _, side := range []flow.Side{flow.Client, flow.Server} {
				if !slices.ContainsFunc(s.Flow.Watches, func(w flow.Watch) bool {
					return w.Instrument == name && w.Side == side && w.Complete
				}) {
					t.Errorf("%s did not look at the %s: %+v", name, side, s.Flow.Watches)
				}
			}
		})
	}
}
