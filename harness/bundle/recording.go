package bundle

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/observe/accesslog"
	"github.com/flowproof/lab/harness/observe/curl"
	"github.com/flowproof/lab/harness/observe/instrument"
	"github.com/flowproof/lab/internal/lazyregexp"
	"github.com/flowproof/lab/internal/redact"
)

// recordingProblems holds what the recording says of itself against the request that was judged and
// against its own raw texts.
func (c Contents) recordingProblems(run flow.Run) []string {
	problems := said(recordingFile, "/run", c.told, circumstancesOf(run), runFile+" says that it")
	if c.Recording == nil {
		return problems
	}
	r := &recordingCheck{Recording: *c.Recording, run: run, dumps: c.Dumps}
	if !c.Old {
		r.same("sent", c.Run.Sent.Format(time.RFC3339Nano), r.Sent.Format(time.RFC3339Nano), runFile)
		r.same("pools", c.Run.Pools, pools(r.Recording), runFile)
		r.same("answered", c.Run.Answered.Format(time.RFC3339Nano), r.Answered.Format(time.RFC3339Nano), runFile)
	}
	if !c.Old && c.Run.Touched == nil {
		r.wrong("it does not say what the run changed outside itself")
	}
	if !c.written.IsZero() && c.written.Before(c.Recording.Answered.Add(-clockSlack)) {
		r.wrong("the request was answered at %s, and the bundle was written at %s, before that", r.Answered,
			c.written)
	}
	r.request()
	r.touched()
	r.times()
	r.path()
	r.connections()
	r.again()
	r.pod(flow.Client, "client", r.Client)
	r.pod(flow.Server, "server", r.Server)
	r.others()
	return append(problems, r.problems...)
}

// pools is what a recording says of the pools before the request, in the word of a run.
func pools(r observe.Recording) string {
	switch {
	case r.Cold:
		return flow.ColdPools
	case r.Warm:
		return flow.WarmPools
	}
	return ""
}

type recordingCheck struct {
	observe.Recording
	run      flow.Run
	dumps    map[string][]byte
	problems []string
}

func (r *recordingCheck) wrong(format string, args ...any) {
	r.problems = append(r.problems, "bundle: "+recordingFile+": "+fmt.Sprintf(format, args...))
}

// same holds a value of the recording against the same of somewhere else.
func (r *recordingCheck) same(what, want, got, where string) {
	if !sameText(want, got) {
		r.wrong("%s is %q, and %s says %q", what, got, where, want)
	}
}

// request holds the request that the instruments looked for against the one that was judged.
func (r *recordingCheck) request() {
	call := r.run.Call
	r.same("requestId", call.RequestID, r.RequestID, "the call")
	if target, err := call.Parsed(); err == nil {
		path, _, _ := strings.Cut(call.Target(), "?")
		r.same("authority", first(call.Headers.Get("host"), target.Host), r.Authority, "the call")
		r.same("path", redact.Text(path), r.Path, "the call's URL")
	}
	if !call.Outside || r.Client.Name != "" {
		r.same("client.name", caller(call), r.Client.Name, "the call")
	}
}

// Bounds on times: how far the clocks of two machines may be apart, and how long a request may
// take, which its sender bounds.
const (
	clockSlack = time.Minute
	longest    = 2 * time.Minute
)

// times holds the time of the request against the times that raw texts have.
func (r *recordingCheck) times() {
	took := r.Answered.Sub(r.Sent)
	switch {
	case r.Sent.IsZero() || r.Answered.IsZero():
		r.wrong("it does not say when the request was sent and answered")
		return
	case took < 0 || took > longest:
		r.wrong("the request was sent at %s and answered at %s, which no request does", r.Sent, r.Answered)
		return
	}
	if told, err := curl.Parse(r.Curl); err == nil {
		if told.Timing.Total > took {
			r.wrong("the request took %s from sent to answered, and curl's own account of it %s", took,
				told.Timing.Total)
		}
		if date, err := time.Parse(time.RFC1123, told.Headers["date"]); err == nil {
			r.within("the answer's date", date)
		}
	}
	for _, pod := range r.Pods() {
		for _, line := range accesslog.Of(pod.Part(instrument.LogText), r.RequestID) {
			if !line.Time.IsZero() {
				r.within("the access log of "+pod.Name, line.Time)
			}
		}
	}
}

func (r *recordingCheck) within(what string, at time.Time) {
	if at.Before(r.Sent.Add(-clockSlack)) || at.After(r.Answered.Add(clockSlack)) {
		r.wrong("the request was sent at %s and answered at %s, and %s has it at %s", r.Sent, r.Answered, what, at)
	}
}

// path holds what the recording says of the way against the path.
func (r *recordingCheck) path() {
	translated := slices.ContainsFunc(r.run.Path.Hops, func(h flow.Hop) bool { return h.Kind == flow.NodePort })
	if translated != r.Translated {
		r.wrong("translated is %t, and the path says %t", r.Translated, translated)
	}
	if r.Port == 0 {
		return // the way ends before a server's sidecar
	}
	ends, known := dialled(r.run.Call) == r.Port, false
	for _, hop := range r.run.Path.Hops {
		for _, fact := range hop.Expect {
			address, err := netip.ParseAddrPort(fact.Value)
			if err == nil && (fact.Name == flow.FactEndpoint ||
				hop.Side == flow.Server && fact.Name == flow.FactOriginalDst) {
				ends, known = ends || address.Port() == r.Port, true
			}
		}
	}
	if known && !ends {
		r.wrong("port is %d, and neither the URL nor an endpoint of the path has it", r.Port)
	}
}

// dialled is the port that the URL of a call has; 0 where it has none.
func dialled(call flow.Call) uint16 {
	target, err := call.Parsed()
	if err != nil {
		return 0
	}
	port, err := strconv.ParseUint(target.Port(), 10, 16)
	if err != nil {
		return 0
	}
	return uint16(port)
}

// pod holds what the recording says of one end against its dump and its texts.
func (r *recordingCheck) pod(side flow.Side, at string, pod observe.Pod) {
	if pod.Name == "" {
		return
	}
	if text, dumped := r.dumps[pod.Name]; dumped {
		if dump, err := configdump.Parse(text); err == nil && !slices.Contains(dump.Node().IPs, pod.IP) {
			r.wrong("%s.ip is %s, and its dump says %s", at, pod.IP, strings.Join(dump.Node().IPs, ", "))
		}
	}
	if told, err := curl.Parse(r.Curl); err == nil && side == flow.Client && told.Local.IsValid() &&
		!told.Local.Addr().IsLoopback() {
		r.same(at+".ip", told.Local.Addr().String(), pod.IP, curlFile)
	}
	if workers := workersIn(pod.Part(instrument.StatsAfter)); workers > 0 && pod.Workers > 0 && workers != pod.Workers {
		r.wrong("%s.workers is %d, and its statistics are of %d", at, pod.Workers, workers)
	}
	if pod.Part(instrument.LogText) != nil && pod.Workers == 0 {
		r.wrong("%s.workers is 0, and its log was followed", at)
	}
	if pod.Quiet && debugLine.Match(pod.Part(instrument.LogText)) {
		r.wrong("%s.quiet says that no log level was raised, and its log has lines of the level debug", at)
	}
	r.moments(pod.Name, pod.Part(instrument.LogText))
	lines := accesslog.Of(pod.Part(instrument.LogText), r.RequestID)
	if pod.AccessLogProblem != "" && len(lines) > 0 {
		r.wrong("%s.accessLogProblem says %q, and its log has the request's line", at, pod.AccessLogProblem)
	}
	if len(lines) > 0 && r.AccessLog != lines[0].Form {
		r.wrong("accessLog is %q, and the log of %s has the request's line in %s", r.AccessLog, pod.Name, lines[0].Form)
	}
}

// others holds that each other pod is one, and that something of it was recorded: one that nothing
// was seen of was not watched.
func (r *recordingCheck) others() {
	named := map[string]bool{r.Client.Name: true, r.Server.Name: true}
	for i, pod := range r.Others {
		at := fmt.Sprintf("others[%d]", i)
		switch {
		case pod.Name == "" || len(pod.Parts) == 0:
			r.wrong("%s is %q, and nothing was recorded of it", at, pod.Name)
		case named[pod.Name]:
			r.wrong("%s is %s, which is there already", at, pod.Name)
		}
		named[pod.Name] = true
		r.pod(flow.Server, at, pod)
	}
}

var (
	// debugLine is a line of Envoy's own log at debug or trace, in the format that Istio gives it:
	// time, level, "envoy", logger.
	debugLine = lazyregexp.New(`(?m)^[0-9TZ:.-]+\t(debug|trace)\tenvoy `)
	// workerStat is a counter that a listener has for each worker thread.
	workerStat = lazyregexp.New(`(?m)^listener\..*\.worker_([0-9]+)\.downstream_cx_total: `)
)

// workersIn counts the worker threads of which a sidecar has statistics; 0 where it
// has none of any.
func workersIn(stats []byte) int {
	seen := map[string]bool{}
	for _, m := range workerStat.FindAllSubmatch(stats, -1) {
		seen[string(m[1])] = true
	}
	return len(seen)
}
