// Package flowtest asks in a test which way a request goes through an Istio mesh, and whether it
// went so. Trace is the whole of it: the way is inferred from the sidecars' configuration, the
// request is sent from a pod, instruments watch it, and each hop is judged. What comes back has
// assertions in the words of the domain:
//
//	p := flowtest.Trace(t, config, "netshoot.mark", "http://fortio-server:8080/")
//	p.Verified()
//	p.Status(200)
//	p.Hop(flow.Route).Decides("cluster outbound|8080||fortio-server.mark.svc.cluster.local")
//
// Nothing in the cluster is changed unless an Option asks for it. Then it is restored when Trace
// returns, and not when the test's process is killed meanwhile: `lab reset` does that.
package flowtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/report"
	"github.com/flowproof/lab/harness/run"
	"github.com/flowproof/lab/harness/verify"
	"github.com/flowproof/lab/internal/kube"
)

// Kubeconfig reads a context of a kubeconfig ("": the current one) as Trace takes it. A list of
// paths, as the variable KUBECONFIG has it, is one too.
func Kubeconfig(t testing.TB, path, context string) *rest.Config {
	t.Helper()
	config, err := kube.ContextConfig(path, context)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// An Option says more of a request, or allows a change of the cluster.
type Option func(*options)

type options struct {
	method  string
	headers flow.Headers
	body    []byte
	timeout time.Duration
	asked   []flow.TouchKind
}

// Method is the request's method; the default is GET.
func Method(method string) Option { return func(o *options) { o.method = method } }

// Header adds a header to the request.
func Header(name, value string) Option { return func(o *options) { o.headers.Add(name, value) } }

// Body is the request's body.
func Body(body []byte) Option { return func(o *options) { o.body = body } }

// Within bounds how long Trace may take; the default is two minutes.
func Within(d time.Duration) Option { return func(o *options) { o.timeout = d } }

// Cold ends the pooled connections on the way first, unless requests are in flight on them, so that
// the whole way can be seen.
func Cold() Option {
	return func(o *options) { o.asked = append(o.asked, flow.TouchConnections) }
}

// DebugLogs lets the sidecars on the way log every decision meanwhile.
func DebugLogs() Option {
	return func(o *options) { o.asked = append(o.asked, flow.TouchLogLevel) }
}

// A Path is a request that was sent, with the way that was inferred and the verdict on it.
type Path struct {
	flow.Run
	Verdict flow.RunVerdict
	Answer  flow.Answer
	t       testing.TB
}

// Trace infers the way of one request, sends it from a pod (POD.NAMESPACE, with /CONTAINER where it
// is not the pod's first), watches it, and judges. A failed request is no error. The test ends
// where there is no result at all.
func Trace(t testing.TB, config *rest.Config, from, url string, opts ...Option) *Path {
	t.Helper()
	o := options{timeout: 2 * time.Minute}
	for _, opt := range opts {
		opt(&o)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), o.timeout, fmt.Errorf("not done within %s", o.timeout))
	defer cancel()
	m, err := mesh.Of(config)
	if err != nil {
		t.Fatal(err)
	}
	plan, lab, err := o.plan(m, from, url)
	if err != nil {
		t.Fatal(err)
	}
	result, err := run.Do(ctx, lab, plan, t.Logf)
	if err != nil {
		t.Fatalf("trace %s: %v", url, err)
	}
	return &Path{Run: result.Run, Verdict: verify.Judge(result.Run), Answer: verify.Answered(result.Run), t: t}
}

// plan is the request, and what may be changed for it.
func (o options) plan(m *mesh.Mesh, from, url string) (run.Plan, run.Lab, error) {
	call, err := run.NewCall(from, url, m.Namespace())
	if err != nil {
		return run.Plan{}, run.Lab{}, err
	}
	if o.method != "" {
		call.Method = o.method
	}
	call.Headers, call.Body = o.headers, o.body
	plan := run.Plan{Call: call, Keep: !slices.Contains(o.asked, flow.TouchConnections)}
	if !slices.Contains(o.asked, flow.TouchLogLevel) {
		plan.Without, plan.Unasked = []flow.Instrument{flow.EnvoyLog}, true
	}
	lab := run.Lab{
		Mesh:    run.Of(m),
		Restore: run.RestoreIn(m),
		Bounds: &run.Bounds{Asked: o.asked, How: func(kind flow.TouchKind) string {
			return map[flow.TouchKind]string{flow.TouchConnections: "flowtest.Cold",
				flow.TouchLogLevel: "flowtest.DebugLogs"}[kind]
		}},
	}
	return plan, lab, nil
}

// String is the report of the run.
func (p *Path) String() string {
	var b strings.Builder
	if err := report.Write(&b, "text", p.Run, p.Verdict, report.Options{Fold: true}); err != nil {
		return err.Error()
	}
	return b.String()
}

// Verified fails the test unless every hop is confirmed. unseen are hops that may stay without a
// witness: "route", or "server/route". Without DebugLogs, and far from the pods' node, more hops
// than one may have none.
func (p *Path) Verified(unseen ...string) {
	p.t.Helper()
	if err := verify.Passes(p.Verdict, unseen); err != nil {
		p.t.Errorf("%v\n%s", err, p)
	}
}

// AsInferred fails the test if anything that was seen speaks against the inferred way. Hops that no
// instrument could see do not fail it.
func (p *Path) AsInferred() {
	p.t.Helper()
	if p.Verdict.Refuted > 0 {
		p.t.Errorf("%d hops are refuted\n%s", p.Verdict.Refuted, p)
	}
}

// Status fails the test unless the client was told this HTTP status.
func (p *Path) Status(want int) {
	p.t.Helper()
	if p.Answer.Status != want {
		p.t.Errorf("%s, want %d\n%s", verify.AnswerText(p.Answer), want, p)
	}
}

// Fails fails the test unless the way was inferred to fail so, such as flow.NoHealthyEndpoint.
func (p *Path) Fails(want flow.Failure) {
	p.t.Helper()
	if p.Path.Outcome != flow.Failed || p.Path.Failure != want {
		p.t.Errorf("inferred %s %s, want %s\n%s", p.Path.Outcome, p.Path.Failure, want, p)
	}
}

// A Hop is one hop of a Path.
type Hop struct {
	flow.Hop
	Verdict flow.HopVerdict
	t       testing.TB
}

// Hop returns a hop of the way: the first of its kind, which is the client's where both sidecars
// have one, or that of a side. The test ends where the way has none.
func (p *Path) Hop(kind flow.HopKind, side ...flow.Side) *Hop {
	p.t.Helper()
	taken := p.Verdict.TakenPath(p.Path)
	for i, h := range taken.Hops {
		if h.Kind != kind || len(side) > 0 && !slices.Contains(side, h.Side) {
			continue
		}
		hop := &Hop{Hop: h, t: p.t}
		for _, v := range p.Verdict.Hops {
			if v.Hop == i {
				hop.Verdict = v
			}
		}
		return hop
	}
	p.t.Fatalf("the way has no hop %s\n%s", strings.Trim(fmt.Sprint(side, " ", kind), "[] "), p)
	return nil
}

// Decides fails the test unless this was inferred.
func (h *Hop) Decides(want string) {
	h.t.Helper()
	if h.Decision != want {
		h.t.Errorf("%s %s: %q (%s), want %q", h.Side, h.Kind, h.Decision, h.Why, want)
	}
}

// Confirmed fails the test unless the hop was seen as it was inferred.
func (h *Hop) Confirmed() {
	h.t.Helper()
	if h.Verdict.State != flow.Confirmed {
		h.t.Errorf("%s %s: %s: %s", h.Side, h.Kind, h.Verdict.State, h.Verdict.Reason)
	}
}

// Saw fails the test unless an instrument saw a fact of the hop with this value, such as
// flow.FactCluster.
func (h *Hop) Saw(fact, want string) {
	h.t.Helper()
	var seen []string
	for _, e := range h.Verdict.Evidence {
		if e.Fact == fact && e.Seen == want {
			return
		}
		if e.Fact == fact {
			seen = append(seen, e.Seen)
		}
	}
	h.t.Errorf("%s %s: %s was seen as %q, want %q", h.Side, h.Kind, fact, seen, want)
}
