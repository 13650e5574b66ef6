package script

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/internal/exit"
)

var observeCommand = Command{
	Name:    "observe",
	Usage:   "observe",
	Summary: "Read what the instruments recorded around the request, and keep what they saw",
	Detail: "It waits until both sidecars' logs hold everything that was logged before and, where the mesh declares an access log in JSON, the\n" +
		"request's line in it, closes the windows and reads them together with what else was recorded and with curl's own account. No\n" +
		"instrument looks at a config dump. Before it both sidecars are dumped once more: where on the request's way anything is not as\n" +
		"inference read it, nothing that was inferred is verified. An Envoy that was restarted in between, or a log that broke off, makes its instrument incomplete, and then\n" +
		"no run is verified.",
	run: func(s *session, args []string) error {
		if len(args) != 0 {
			return badUsage("it takes no argument")
		}
		if s.sent == nil {
			return badUsage("there is nothing to observe before request")
		}
		if err := s.holdConfiguration(); err != nil {
			return err
		}
		recording, err := s.record()
		if err != nil {
			return err
		}
		seen, watches, err := recording.Observe()
		if err != nil {
			return exit.Incompletef("observe: %w", err)
		}
		recording.Redact() // from here on it may be kept
		s.recording, s.run.Observations, s.run.Watches = recording, seen, watches
		s.print("%s", plural(len(s.run.Observations), "observation"))
		for _, w := range s.run.Watches {
			s.print("%s", watchLine(w, s.run.Observations))
		}
		for _, c := range s.run.Configuration {
			s.print("%s", configurationLine(c))
		}
		return nil
	},
}

func watchLine(w flow.Watch, seen []flow.Observation) string {
	n := 0
	for _, o := range seen {
		if o.Instrument == w.Instrument && o.Side == w.Side {
			n++
		}
	}
	line := strings.TrimSpace(string(w.Instrument)+" "+string(w.Side)) + ": " + plural(n, "observation")
	if !w.Complete {
		line += ", incomplete: " + w.Problem
	}
	return line
}

// record collects the raw evidence of the run.
func (s *session) record() (observe.Recording, error) {
	target, err := url.Parse(s.run.Call.URL)
	if err != nil {
		return observe.Recording{}, err
	}
	r := observe.Recording{
		RequestID: s.run.Call.RequestID, Authority: target.Host, Path: target.EscapedPath(),
		Sent: s.sent.since, Answered: s.sent.until, Curl: s.sent.out.Stderr, Cold: s.tables.cold, Warm: s.tables.warm,
	}
	if r.Path == "" {
		r.Path = "/"
	}
	server, port, err := s.destination()
	if err != nil {
		return r, err
	}
	r.Port = port
	if s.reachesHTTP() || s.control.URL != "" {
		if r.AccessLog, err = s.lab.Mesh.AccessLog(s.ctx); err != nil {
			s.note("no access log is read: %v", err)
		}
	}
	r.Translated = slices.ContainsFunc(s.run.Path.Hops, func(hop flow.Hop) bool { return hop.Kind == flow.NodePort })
	if s.run.Call.Outside {
		r.Client = observe.Pod{Name: s.run.Call.From, IP: s.outsiders[s.run.Call.From].IP}
	} else if r.Client, err = s.recordPod(callerOf(s.run.Call), r.AccessLog); err != nil {
		return r, err
	}
	if server != "" {
		if r.Server, err = s.recordPod(server, r.AccessLog); err != nil {
			return r, err
		}
	}
	r.Trace, err = s.endTrace()
	return r, err
}

// reachesHTTP says whether the server's sidecar is to read a request at all: one that ends before has no x-request-id by which
// a line of the access log could be found.
func (s *session) reachesHTTP() bool {
	return slices.ContainsFunc(s.run.Path.Hops, func(hop flow.Hop) bool { return hop.Side == flow.Server && hop.Kind == flow.HTTPFilters })
}

// destination is the pod and port that the request has to reach, as inferred: where to point the instruments. A way that ends
// in the client's sidecar has none.
func (s *session) destination() (pod string, port uint16, err error) {
	for _, hop := range s.run.Path.Hops {
		if hop.Side == flow.Server && hop.Proxy != "" {
			pod = hop.Proxy
		}
		for _, fact := range hop.Expect {
			if address, err := netip.ParseAddrPort(fact.Value); err == nil && port == 0 && (fact.Name == flow.FactEndpoint || hop.Side == flow.Server && fact.Name == flow.FactOriginalDst) {
				port = address.Port()
			}
		}
	}
	if pod == "" && s.run.Path.Outcome != flow.Forwarded {
		return "", 0, nil
	}
	if pod == "" || port == 0 {
		return "", 0, badUsage("the path that was inferred ends before a server's sidecar, and there is nothing to watch there")
	}
	return pod, port, nil
}

// recordPod closes the pod's log window and collects what was recorded of the pod. A log that is not whole is kept with
// the reason. accessLog is the form in which the mesh writes its access log.
func (s *session) recordPod(ref, accessLog string) (observe.Pod, error) {
	pod, err := s.lab.Mesh.Pod(s.ctx, ref)
	if err != nil {
		return observe.Pod{}, err
	}
	p := observe.Pod{Name: pod.Ref(), IP: pod.IP(), Before: s.tables.before[pod.Ref()], After: s.tables.after[pod.Ref()],
		StatsBefore: s.counters.before[pod.Ref()], StatsAfter: s.counters.after[pod.Ref()],
		NetfilterBefore: s.netfilters.before[pod.Ref()], NetfilterAfter: s.netfilters.after[pod.Ref()]}
	w := s.windows[pod.Ref()]
	if w == nil {
		return p, nil
	}
	quiet, err := w.finish(s)
	if p.Quiet = quiet; err != nil {
		if exit.Code(err) == exit.Interrupted {
			return p, err
		}
		p.LogProblem = err.Error()
	}
	p.AccessLogProblem = s.awaitAccessLog(w, accessLog)
	if err := w.Close(); err != nil && p.LogProblem == "" {
		p.LogProblem = err.Error()
	}
	p.Log = slices.Concat([]byte{}, w.Text()) // an empty window is a log that was read
	p.Workers = w.started.Workers
	return p, nil
}
