package scenarios_test

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/flowproof/lab/bpf/kernel"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/accesslog"
	"github.com/flowproof/lab/harness/observe/curl"
	"github.com/flowproof/lab/harness/observe/trace/capture"
	runs "github.com/flowproof/lab/harness/run"
	"github.com/flowproof/lab/harness/verify"
)

var requests = flag.Int("requests", 0, "how often every kind of request is sent; 0: once in a CI, else not at all")

// TestRequests sends every kind of request, first by curl alone and then by lab, on the shared lab.
// What curl was told and what the client's access log says of the first is what lab has to say of
// the second.
func TestRequests(t *testing.T) {
	switch {
	case missing != "":
		t.Skip(missing)
	case *backendName != "node" && *requests == 0:
		t.Skip("the kinds are held on the embedded node; -requests N asks for them here")
	case times() == 0:
		t.Skip("it takes minutes; make requests and make test ask for it")
	}
	suite.Test(t, features.New("requests").Assess("are told right", func(ctx context.Context, t *testing.T,
		_ *envconf.Config) context.Context {
		m := newMatrix(ctx, t)
		for _, k := range requestKinds {
			t.Run(k.name, func(t *testing.T) {
				for round := range times() {
					t.Run(strconv.Itoa(round+1), func(t *testing.T) { m.hold(ctx, t, k) })
				}
			})
		}
		return ctx
	}).Feature())
}

// times is how often every kind is sent.
func times() int {
	if *requests == 0 && os.Getenv("CI") == "true" {
		return 1
	}
	return *requests
}

// plain sends a kind of request by curl alone.
func (m *matrix) plain(ctx context.Context, t *testing.T, k requestKind, id string) curl.Result {
	call, _, args := m.call(ctx, t, k)
	call.RequestID = id
	command, err := curl.Send(call, 1, args...)
	if err != nil {
		t.Fatal(err)
	}
	pod, err := m.lab.Mesh.Pod(ctx, call.From+"."+call.Namespace)
	if err != nil {
		t.Fatal(err)
	}
	container := cmp.Or(call.Container, pod.App())
	out, err := pod.Exec(ctx, container, command.Line, strings.NewReader(string(command.Input)))
	if err != nil {
		t.Fatalf("%s: %v", k.name, err)
	}
	told, err := curl.Parse(out.Stderr)
	if err != nil {
		t.Fatalf("%s: %v", k.name, err)
	}
	return told
}

// hold sends a kind of request twice, and holds what lab says against what curl alone and
// the access log say.
func (m *matrix) hold(ctx context.Context, t *testing.T, k requestKind) {
	if k.refused != "" {
		_, err := m.trace(ctx, t, k)
		if err == nil || !strings.Contains(err.Error(), k.refused) {
			t.Errorf("got error %v, want %q", err, k.refused)
		}
		return
	}
	if k.noise {
		defer m.disturb(ctx, t, m.names.Replace(k.to))()
	}
	const id = "aaaaaaaa-0000-4000-8000-%012d"
	told := m.plain(ctx, t, k, fmt.Sprintf(id, slices.IndexFunc(requestKinds, func(o requestKind) bool {
		return o.name == k.name
	})))
	run, verdict := m.judged(ctx, t, k)
	answer := verify.Answered(run)
	says := elapsed.ReplaceAllString(verify.AnswerText(answer), "")
	if !strings.HasPrefix(says, m.names.Replace(k.says)) {
		t.Errorf("the result line says %q, want %q", says, m.names.Replace(k.says))
	}
	if k.attempts > 0 && answer.Attempts != k.attempts {
		t.Errorf("%d attempts, want %d", answer.Attempts, k.attempts)
	}
	if tried := triedText(answer); k.tried != "" && tried != k.tried {
		t.Errorf("attempts %s, want %s: %+v", tried, k.tried, answer.Tried)
	}
	if next := nextText(answer); next != k.next {
		t.Errorf("the application called on %q, want %q: %+v", next, k.next, answer.Next)
	}
	if answer.Status != told.Status {
		t.Errorf("lab was told %d, and curl alone %d", answer.Status, told.Status)
	}
	m.holdLog(t, fmt.Sprintf(id, slices.IndexFunc(requestKinds, func(o requestKind) bool {
		return o.name == k.name
	})), answer)
	if verdict.Result != k.verdict {
		t.Errorf("%s, want %s: %s\n%s", verdict.Result, k.verdict, verify.Summary(verdict), reasons(verdict))
	}
	if verdict.Result == flow.Verified || verdict.Result == flow.Consistent {
		holdVariants(t, run, verdict)
	}
}

// triedText is what each attempt was answered with.
func triedText(a flow.Answer) string {
	var all []string
	for _, attempt := range a.Tried {
		if attempt.Failure != "" {
			all = append(all, "failed")
		} else {
			all = append(all, strconv.Itoa(attempt.Status))
		}
	}
	return strings.Join(all, " ")
}

// nextText is what the application called on, and what it was answered with.
func nextText(a flow.Answer) string {
	var all []string
	for _, c := range a.Next {
		all = append(all, fmt.Sprintf("%s %s %d", c.Method, c.URL, c.Status))
	}
	return strings.Join(all, ", ")
}

// patience is how often a kind is sent again whose run is incomplete and must not be, where no
// number of them was asked for: an instrument may lose something on a machine that has no time for
// it. What is refuted, or verified and must not be, is so at once.
const patience = 2

// judged is a kind of request as lab sends and judges it.
func (m *matrix) judged(ctx context.Context, t *testing.T, k requestKind) (flow.Run, flow.RunVerdict) {
	for again := 0; ; again++ {
		run, err := m.trace(ctx, t, k)
		if err != nil {
			t.Fatal(err)
		}
		verdict := verify.Judge(run)
		if verdict.Result != flow.Incomplete || k.verdict == flow.Incomplete || *requests > 0 || again == patience {
			return run, verdict
		}
		t.Logf("again: %s: %s\n%s", verdict.Result, verify.Summary(verdict), reasons(verdict))
	}
}

// elapsed is the time, and what it was for, in a result line.
var elapsed = regexp.MustCompile(` after [0-9.]+[µm]?s( and [0-9]+ attempts)?`)

// holdLog holds an answer of the client's sidecar against the line that it wrote about
// curl's own request.
func (m *matrix) holdLog(t *testing.T, id string, answer flow.Answer) {
	if answer.By != "netshoot.mark" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := m.log.WaitFor(ctx, accesslog.Marks(id)...); err != nil {
		t.Errorf("the access log has no line of curl's own request: %v", err)
		return
	}
	for _, line := range accesslog.Of(m.log.Text(), id) {
		var told struct {
			Details string `json:"response_code_details"`
			Flags   string `json:"response_flags"`
		}
		if err := json.Unmarshal([]byte(line.Text), &told); err != nil {
			t.Error(err)
		}
		if told.Details != answer.Details || !slices.Equal(flow.SplitFlags(told.Flags), answer.Flags) {
			t.Errorf("lab says %s %v, and the access log of curl's own request %s %s", answer.Details, answer.Flags,
				told.Details, told.Flags)
		}
	}
}

// trace is `lab trace` of a kind of request.
func (m *matrix) trace(ctx context.Context, t *testing.T, k requestKind) (flow.Run, error) {
	from, err := m.mesh.Sender(ctx, cmp.Or(k.from, "netshoot"))
	if err != nil {
		return flow.Run{}, err
	}
	call, told, args := m.call(ctx, t, k)
	result, err := runs.Do(ctx, m.lab, runs.Plan{Call: call, Told: told, Curl: args,
		Trace: capture.Options{Data: kernel.DefaultData, Envoy: true, Cache: m.cache}}, func(string, ...any) {})
	if err != nil {
		return result.Run, fmt.Errorf("trace from %s: %w", from, err)
	}
	return result.Run, nil
}

// holdVariants changes one fact at a time that an instrument confirmed on the way that was taken,
// and no such run may be verified, or consistent.
func holdVariants(t *testing.T, run flow.Run, verdict flow.RunVerdict) {
	run.Path = verdict.TakenPath(run.Path)
	run.Path.Variants = nil
	changed := 0
	for i, hop := range verdict.Hops {
		for _, e := range hop.Evidence {
			at := slices.IndexFunc(run.Path.Hops[i].Expect, func(f flow.Fact) bool {
				return f.Name == e.Fact && f.Value == e.Expected && !f.Absent && !f.May &&
					flow.FactOf(f.Name).Number == flow.One
			})
			if at < 0 || !e.Agrees {
				continue
			}
			variant := run
			variant.Path.Hops = slices.Clone(run.Path.Hops)
			variant.Path.Hops[i].Expect = slices.Clone(run.Path.Hops[i].Expect)
			variant.Path.Hops[i].Expect[at].Value += "-other"
			changed++
			if got := verify.Judge(variant).Result; got == flow.Verified || got == flow.Consistent {
				t.Errorf("verified with %s of %s %s", variant.Path.Hops[i].Expect[at].Value, hop.Side, hop.Kind)
			}
		}
	}
	if changed < 5 {
		t.Errorf("only %d facts could be changed", changed)
	}
}

// reasons are why a run is not verified.
func reasons(v flow.RunVerdict) string {
	all := slices.Clone(v.Problems)
	for _, h := range v.Hops {
		if h.State != flow.Confirmed {
			all = append(all, fmt.Sprintf("%s %s %s: %s", h.Side, h.Kind, h.State, h.Reason))
		}
	}
	return strings.Join(all, "\n")
}
