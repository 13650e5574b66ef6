package scenarios_test

import (
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

	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/flowproof/lab/bpf/kernel"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/observe/accesslog"
	"github.com/flowproof/lab/harness/observe/curl"
	"github.com/flowproof/lab/harness/observe/trace/capture"
	runs "github.com/flowproof/lab/harness/run"
	"github.com/flowproof/lab/harness/verify"
	"github.com/flowproof/lab/internal/envoybinary"
	"github.com/flowproof/lab/internal/kube"
)

var requests = flag.Bool("requests", false, "send every kind of request too")

// TestRequests sends every kind of request, first by curl alone and then by lab, on the shared lab.
// What curl was told and what the client's access log says of the first is what lab has to say of
// the second.
func TestRequests(t *testing.T) {
	switch {
	case missing != "":
		t.Skip(missing)
	case !*requests:
		t.Skip("it takes minutes, and is asked for by make requests")
	}
	suite.Test(t, features.New("requests").Assess("are told right", func(ctx context.Context, t *testing.T, _ *envconf.Config) context.Context {
		m := newMatrix(ctx, t)
		for _, k := range requestKinds {
			t.Run(k.name, func(t *testing.T) { m.hold(ctx, t, k) })
		}
		return ctx
	}).Feature())
}

// A matrix is the lab with everything that the kinds of requests are sent to.
type matrix struct {
	mesh  *mesh.Mesh
	lab   runs.Lab
	cache envoybinary.Cache
	names *strings.Replacer
	log   runs.Window // of the client's sidecar
}

// newMatrix makes what the kinds need, and takes it away when the test is over.
func newMatrix(ctx context.Context, t *testing.T) *matrix {
	kubeconfig := provider.GetKubeconfig()
	m := &matrix{}
	var err error
	if m.mesh, err = mesh.Connect(kubeconfig); err != nil {
		t.Fatal(err)
	}
	m.lab = runs.Lab{Mesh: runs.Of(m.mesh), Cluster: provider.Lab(), Backend: backend, Guard: []string{os.Args[0], "__undo"}}
	if m.cache, err = envoybinary.DefaultCache(); err != nil {
		t.Fatal(err)
	}
	m.apply(ctx, t, kubeconfig)
	nodes, err := m.mesh.Nodes(ctx)
	if err != nil || len(nodes) == 0 {
		t.Fatalf("nodes %v, %v", nodes, err)
	}
	var node string
	for _, node = range nodes {
		break
	}
	m.names = strings.NewReplacer("{pod}", m.ip(ctx, t, "fortio-server"), "{l2}", m.ip(ctx, t, "fortio-server-l2"),
		"{plain}", m.ip(ctx, t, "plain.requests"), "{naked}", m.ip(ctx, t, "naked.requests"), "{node}", node)
	m.await(ctx, t)
	pod, err := m.lab.Mesh.Pod(ctx, "netshoot")
	if err != nil {
		t.Fatal(err)
	}
	if m.log, err = pod.Follow(ctx, mesh.SidecarContainer); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.log.Close() })
	return m
}

// apply applies the manifest, in which the address of a pod stands that is only known when it runs.
func (m *matrix) apply(ctx context.Context, t *testing.T, kubeconfig string) {
	text, err := os.ReadFile("testdata/requests.yaml")
	if err != nil {
		t.Fatal(err)
	}
	config, err := kube.Config(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := kube.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for i := len(objects) - 1; i >= 0; i-- {
			if err := kube.Delete(context.WithoutCancel(ctx), config, objects[i]); err != nil {
				t.Errorf("delete %s %s: %v", objects[i].GetKind(), objects[i].GetName(), err)
			}
		}
	})
	first, last, _ := strings.Cut(string(text), "apiVersion: networking.istio.io/v1\nkind: ServiceEntry")
	if err := kube.Apply(ctx, config, []byte(first)); err != nil {
		t.Fatal(err)
	}
	for _, pod := range []string{"naked", "plain"} {
		if err := kube.WaitPodReady(ctx, client, "requests", pod); err != nil {
			t.Fatal(err)
		}
	}
	last = strings.ReplaceAll("apiVersion: networking.istio.io/v1\nkind: ServiceEntry"+last, "PLAIN", m.ip(ctx, t, "plain.requests"))
	if err := kube.Apply(ctx, config, []byte(last)); err != nil {
		t.Fatal(err)
	}
}

func (m *matrix) ip(ctx context.Context, t *testing.T, ref string) string {
	pod, err := m.mesh.Pod(ctx, ref)
	if err != nil {
		t.Fatal(err)
	}
	return pod.IP()
}

// await returns when each of the sidecars knows the last of what was applied.
func (m *matrix) await(ctx context.Context, t *testing.T) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for _, k := range requestKinds {
		want, _, _ := strings.Cut(k.says, " ")
		for k.refused == "" && k.verdict == flow.Verified && want != "no" {
			told := m.plain(ctx, t, k, "")
			if strconv.Itoa(told.Status) == want {
				break
			}
			if ctx.Err() != nil {
				t.Fatalf("%s: curl was told %d, want %s", k.name, told.Status, want)
			}
		}
	}
}

// call is the request of a kind, with what curl has to be told beside it.
func (m *matrix) call(ctx context.Context, t *testing.T, k requestKind) (call, told flow.Call, args []string) {
	from, err := m.mesh.Sender(ctx, cmpOr(k.from, "netshoot"))
	if err != nil {
		t.Fatal(err)
	}
	if call, err = runs.NewCall(from, m.names.Replace(k.to), m.mesh.Namespace()); err != nil {
		t.Fatal(err)
	}
	for _, a := range k.curl {
		args = append(args, m.names.Replace(a))
	}
	options, err := curl.Options(args)
	if err != nil {
		t.Fatal(err)
	}
	told = call
	told.Headers = call.Headers.Clone()
	if err := curl.Apply(options, &told, nil); err != nil {
		t.Fatal(err)
	}
	return call, told, args
}

func cmpOr(a, b string) string {
	if a == "" {
		return b
	}
	return a
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
	container := cmpOr(call.Container, pod.App())
	out, err := pod.Exec(ctx, container, command.Line, strings.NewReader(string(command.Input)))
	if err != nil {
		t.Fatal(err)
	}
	told, err := curl.Parse(out.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	return told
}

// hold sends a kind of request twice, and holds what lab says against what curl alone and the access log say.
func (m *matrix) hold(ctx context.Context, t *testing.T, k requestKind) {
	if k.refused != "" {
		_, err := m.trace(ctx, t, k)
		if err == nil || !strings.Contains(err.Error(), k.refused) {
			t.Errorf("got error %v, want %q", err, k.refused)
		}
		return
	}
	const id = "aaaaaaaa-0000-4000-8000-%012d"
	told := m.plain(ctx, t, k, fmt.Sprintf(id, slices.IndexFunc(requestKinds, func(o requestKind) bool { return o.name == k.name })))
	run, err := m.trace(ctx, t, k)
	if err != nil {
		t.Fatal(err)
	}
	verdict, answer := verify.Judge(run), verify.Answered(run)
	says := elapsed.ReplaceAllString(verify.AnswerText(answer), "")
	if !strings.HasPrefix(says, m.names.Replace(k.says)) {
		t.Errorf("the result line says %q, want %q", says, m.names.Replace(k.says))
	}
	if answer.Status != told.Status {
		t.Errorf("lab was told %d, and curl alone %d", answer.Status, told.Status)
	}
	m.holdLog(t, fmt.Sprintf(id, slices.IndexFunc(requestKinds, func(o requestKind) bool { return o.name == k.name })), answer)
	if verdict.Result != k.verdict {
		t.Errorf("%s, want %s: %s\n%s", verdict.Result, k.verdict, verify.Summary(verdict), reasons(verdict))
	}
	if verdict.Result == flow.Verified {
		holdVariants(t, run, verdict)
	}
}

// elapsed is the time in a result line.
var elapsed = regexp.MustCompile(` after [0-9.]+[µm]?s`)

// holdLog holds an answer of the client's sidecar against the line that it wrote about curl's own request.
func (m *matrix) holdLog(t *testing.T, id string, answer flow.Answer) {
	if answer.By != "netshoot.mark" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := m.log.WaitFor(ctx, accesslog.Mark(id)); err != nil {
		t.Errorf("the access log has no line of curl's own request: %v", err)
		return
	}
	lines, _ := accesslog.Parse(m.log.Text())
	for _, line := range lines {
		if !flow.SameRequestID(line.RequestID(), id) {
			continue
		}
		var told struct {
			Details string `json:"response_code_details"`
			Flags   string `json:"response_flags"`
		}
		if err := json.Unmarshal([]byte(line.Text), &told); err != nil {
			t.Error(err)
		}
		if told.Details != answer.Details || !slices.Equal(flow.SplitFlags(told.Flags), answer.Flags) {
			t.Errorf("lab says %s %v, and the access log of curl's own request %s %s", answer.Details, answer.Flags, told.Details, told.Flags)
		}
	}
}

// trace is `lab trace` of a kind of request.
func (m *matrix) trace(ctx context.Context, t *testing.T, k requestKind) (flow.Run, error) {
	from, err := m.mesh.Sender(ctx, cmpOr(k.from, "netshoot"))
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

// holdVariants changes one fact at a time that an instrument confirmed, and no such run may be verified.
func holdVariants(t *testing.T, run flow.Run, verdict flow.RunVerdict) {
	changed := 0
	for i, hop := range verdict.Hops {
		for _, e := range hop.Evidence {
			at := slices.IndexFunc(run.Path.Hops[i].Expect, func(f flow.Fact) bool {
				return f.Name == e.Fact && f.Value == e.Expected && !f.Absent && !f.May && flow.FactOf(f.Name).Number == flow.One
			})
			if at < 0 || !e.Agrees {
				continue
			}
			variant := run
			variant.Path.Hops = slices.Clone(run.Path.Hops)
			variant.Path.Hops[i].Expect = slices.Clone(run.Path.Hops[i].Expect)
			variant.Path.Hops[i].Expect[at].Value += "-other"
			changed++
			if verify.Judge(variant).Result == flow.Verified {
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
