package bundle

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/flowproof/lab/bpf/probe"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/observe/trace"
)

// withoutTrace is a run without what eBPF recorded.
func (c Contents) withoutTrace() Contents {
	c = c.clone()
	c.Recording.Trace = nil
	return c
}

// and is the evidence with what eBPF recorded.
func (e evidence) and(r *observe.Recording) evidence {
	if r.Trace != nil {
		seen, watches := r.Trace.Observe(trace.Selection{RequestID: r.RequestID})
		e.seen, e.watches = slices.Concat(e.seen, seen), slices.Concat(e.watches, watches)
	}
	return e
}

// changed is a mutation of what eBPF recorded.
func changed(name string, change func(r *trace.Recording)) mutation {
	return mutation{name, func(c *Contents) {
		r := *c.Recording.Trace
		r.Events, r.Probes, r.Envoys = slices.Clone(r.Events), slices.Clone(r.Probes), slices.Clone(r.Envoys)
		change(&r)
		c.Recording.Trace = &r
	}}
}

// withoutProbes are the mutations that take the instrument away, or a part of it, or
// have it miss something.
func withoutProbes(c Contents) []mutation {
	all := []mutation{
		{"all events taken away", func(c *Contents) { c.Recording.Trace = nil }},
		changed("nothing seen", func(r *trace.Recording) { r.Events, r.Counts = nil, probe.Counts{} }),
		changed("one event lost", func(r *trace.Recording) { r.Counts.Lost++ }),
		changed("a probe skipped once", func(r *trace.Recording) { r.Counts.Missed++ }),
		changed("a reader failed", func(r *trace.Recording) { r.Problem = "read ring buffer: broken" }),
	}
	for _, name := range []string{"sys_exit", "sys_enter", "open_sockets"} {
		all = append(all, changed("probe "+name+" off", func(r *trace.Recording) {
			i := slices.IndexFunc(r.Probes, func(p probe.Status) bool { return p.Name == name })
			r.Probes[i].Attached, r.Probes[i].Problem = false, "it was refused"
		}))
	}
	for i, envoy := range c.Recording.Trace.Envoys {
		all = append(all, changed("statements of "+envoy.Pod+" not proven", func(r *trace.Recording) {
			r.Envoys[i].Statements = nil
		}))
	}
	for i, pod := range c.Recording.Trace.Pods {
		all = append(all, changed("all events of "+pod.Name+" dropped", func(r *trace.Recording) {
			r.Events = slices.DeleteFunc(r.Events, func(e trace.Event) bool { return e.Pod == r.Pods[i].Name })
			r.Counts.Emitted = 0
			for _, e := range r.Events {
				if e.Kind != trace.Redirected {
					r.Counts.Emitted++
				}
			}
		}))
	}
	return all
}

// evident are the events from which something was observed, by their index.
func evident(c Contents) []int {
	var all []int
	for i, e := range c.Recording.Trace.Events {
		if slices.ContainsFunc(c.Run.Observations, func(o flow.Observation) bool {
			return o.Instrument == flow.Trace && o.Time.Equal(e.Time) && o.Raw == e.String() && o.Where.Pod == e.Pod
		}) {
			all = append(all, i)
		}
	}
	return all
}

// withoutEvents are the mutations that drop one event: each that is evidence, with a count that
// fits, as a forger would who knows the format, and each twentieth of all, of which the count
// tells.
func withoutEvents(c Contents) []mutation {
	var all []mutation
	for _, i := range evident(c) {
		all = append(all, changed(fmt.Sprintf("event %d dropped: %s", i, &c.Recording.Trace.Events[i]),
			func(r *trace.Recording) {
				r.Events = slices.Delete(r.Events, i, i+1)
				r.Counts.Emitted--
			}))
	}
	for i := 0; i < len(c.Recording.Trace.Events); i += 20 {
		if c.Recording.Trace.Events[i].Kind != trace.Redirected {
			all = append(all, changed(fmt.Sprintf("event %d dropped: %s", i, &c.Recording.Trace.Events[i]),
				func(r *trace.Recording) {
					r.Events = slices.Delete(r.Events, i, i+1)
				}))
		}
	}
	return all
}

// alteredEvents are the mutations that change what an event that is evidence says.
func alteredEvents(c Contents) []mutation {
	elsewhere := netip.MustParseAddrPort("192.0.2.1:1")
	var all []mutation
	for _, i := range evident(c) {
		alter := func(what string, change func(e *trace.Event)) {
			all = append(all, changed(fmt.Sprintf("%s of event %d altered: %s", what, i, &c.Recording.Trace.Events[i]),
				func(r *trace.Recording) {
					change(&r.Events[i])
				}))
		}
		alter("thread", func(e *trace.Event) { e.Thread = "wrk:worker_9" })
		switch e := c.Recording.Trace.Events[i]; {
		case e.HTTP != nil:
			alter("head", func(e *trace.Event) {
				head := *e.HTTP
				head.Line += "?altered"
				e.HTTP = &head
			})
		case e.Hello != nil:
			alter("hello", func(e *trace.Event) {
				hello := *e.Hello
				hello.ServerName += ".altered"
				hello.Cipher++
				e.Hello = &hello
			})
		case e.Kind == trace.Value || e.Kind == trace.Statement:
			alter("text", func(e *trace.Event) { e.Text += " altered" })
		case e.Kind == trace.PoolReady:
			for what, change := range map[string]func(*trace.Ends){
				"client's end": func(e *trace.Ends) {
					e.Downstream = elsewhere
				}, "own end": func(e *trace.Ends) { e.Local = elsewhere },
				"other end": func(e *trace.Ends) {
					e.Remote = elsewhere
				}, "cluster": func(e *trace.Ends) { e.Cluster += "x" },
			} {
				alter(what, func(e *trace.Event) {
					ends := *e.Ends
					change(&ends)
					e.Ends = &ends
				})
			}
		default:
			alter("address", func(e *trace.Event) { e.Local, e.Remote, e.Address = elsewhere, elsewhere, elsewhere })
		}
	}
	return all
}
