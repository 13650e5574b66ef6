package observe

import (
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/accesslog"
)

// JSONAccessLog is the Recording's AccessLog of a mesh that declares an access log in JSON, the form that can be read.
const JSONAccessLog = "JSON"

// accessLog observes what a sidecar wrote into its access log, which comes with its log. A mesh that declares none, or one
// in another form, has no such instrument.
func (r Recording) accessLog(side flow.Side) ([]flow.Observation, []flow.Watch, error) {
	pod := r.pod(side)
	if pod.Log == nil || r.AccessLog != JSONAccessLog {
		return nil, nil, nil
	}
	problem := pod.AccessLogProblem
	if problem == "" {
		problem = pod.LogProblem
	}
	lines, damaged := accesslog.Parse(pod.Log)
	seen, watch := accesslog.Observe(lines, damaged, accesslog.Selection{RequestID: r.RequestID, Peer: r.peer(side), Pod: pod.Name, Side: side,
		Answered: r.Answered, Problem: problem})
	return seen, []flow.Watch{watch}, nil
}
