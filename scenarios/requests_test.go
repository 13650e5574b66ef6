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
	"sync"
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

var requests = flag.Int("requests", 0, "how often every kind of request is sent; 0: once in a CI, else not at all")

// TestRequests sends every kind of request, first by curl alone and then by lab, on the shared lab.
// What curl was told and what the client's access log says of the first is what lab has to say of
// the second.
func TestRequests(t *testing.T) {
	switch {
	case missing != "":
		t.Skip(missing)
	case times() == 0:
		t.Skip("it takes minutes; make requests and make test ask for it")
	}
	suite.Test(t, features.New("requests").Assess("are told right", func(ctx context.Context, t *testing.T, _ *envconf.Config) context.Context {
		m := newMatrix(ctx, t)
		for _, k := range requestKinds {
			t.Run(k.name, func(t *testing.T) {
				for range times() {
					m.hold(ctx, t, k)
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

// A matrix is the lab with everything that the kinds of requests are sent to.
type matrix struct {
	mesh  *mesh.Mesh
	lab   runs.Lab
	cache envoybinary.Cache
	names *strings.Replacer
	log   runs.Window // of the client's sidecar
	port  int         // how many source ports were taken
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
	last = strings.NewReplacer("PLAIN", m.ip(ctx, t, "plain.requests"), "POD", m.ip(ctx, t, "fortio-server"), "L2", m.ip(ctx, t, "fortio-server-l2")).
		Replace("apiVersion: networking.istio.io/v1\nkind: ServiceEntry" + last)
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
		if k.takes != "" || k.noise || strings.HasPrefix(k.to, "http://fortio-server:") {
			continue // it is sent to what the workshop has
		}
		want, _, _ := strings.Cut(k.says, " ")
		for k.refused == "" && k.verdict == flow.Verified && want != "no" {
			told := m.plain(ctx, t, k, "")
			if strconv.Itoa(told.Status) == want {
				break
			}
			if ctx.Err() != nil {
				t.Fatalf("%s: curl was told %d, want %s (%s)", k.name, told.Status, want, told.Failure)
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
	if k.takes != "" {
		args = append(args, "--local-port", m.takePort(ctx, t, k.takes))
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

// connects asks for a URL from a source port of its own, and has the server end the connection, so that the port is free again and
// netfilter still knows it.
const connects = `use Socket; socket(S,PF_INET,SOCK_STREAM,0); bind(S,sockaddr_in($ARGV[0],INADDR_ANY)) or die "bind: $!";
connect(S,sockaddr_in($ARGV[2],inet_aton($ARGV[1]))) or die "connect: $!";
syswrite(S,"GET / HTTP/1.1\r\nhost: fortio-server\r\nconnection: close\r\n\r\n"); while(sysread(S,$b,4096)){} close S;`

// takePort makes another connection of netshoot's over a source port of its own, and returns the port.
func (m *matrix) takePort(ctx context.Context, t *testing.T, target string) string {
	pod, err := m.lab.Mesh.Pod(ctx, "netshoot")
	if err != nil {
		t.Fatal(err)
	}
	m.port++
	port := strconv.Itoa(20000 + m.port) // the kernel itself chooses none of these
	host, targetPort, _ := strings.Cut(target, ":")
	out, err := pod.Exec(ctx, pod.App(), []string{"perl", "-e", connects, port, host, targetPort}, nil)
	if err != nil || out.Code != 0 {
		t.Fatalf("take port %s: %v: %s", port, err, out.Stderr)
	}
	return port
}

// disturb has netshoot send 200 other requests a second until the function that it returns is called.
func (m *matrix) disturb(ctx context.Context, t *testing.T, url string) (stop func()) {
	pod, err := m.lab.Mesh.Pod(ctx, "netshoot")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	var sending sync.WaitGroup
	for _, connection := range []string{"keep-alive", "close"} {
		command := []string{"timeout", "60", "curl", "--silent", "--output", "/dev/null", "--rate", "6000/m", "--header", "connection: " + connection, url + "?n=[1-1000000]"}
		sending.Go(func() { _, _ = pod.Exec(ctx, pod.App(), command, nil) })
	}
	return func() { // the end of an exec does not end its program
		if _, err := pod.Exec(ctx, pod.App(), []string{"pkill", "-x", "timeout"}, nil); err != nil {
			t.Error(err)
		}
		sending.Wait()
		cancel()
	}
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
		t.Fatalf("%s: %v", k.name, err)
	}
	told, err := curl.Parse(out.Stderr)
	if err != nil {
		t.Fatalf("%s: %v", k.name, err)
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
	if k.noise {
		defer m.disturb(ctx, t, m.names.Replace(k.to))()
	}
	const id = "aaaaaaaa-0000-4000-8000-%012d"
	told := m.plain(ctx, t, k, fmt.Sprintf(id, slices.IndexFunc(requestKinds, func(o requestKind) bool { return o.name == k.name })))
	run, verdict := m.judged(ctx, t, k)
	answer := verify.Answered(run)
	says := elapsed.ReplaceAllString(verify.AnswerText(answer), "")
	if !strings.HasPrefix(says, m.names.Replace(k.says)) {
		t.Errorf("the result line says %q, want %q", says, m.names.Replace(k.says))
	}
	if k.attempts > 0 && answer.Attempts != k.attempts {
		t.Errorf("%d attempts, want %d", answer.Attempts, k.attempts)
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

// patience is how often a kind is sent again whose run is incomplete and must not be, where each is sent once: an instrument may lose
// something on a machine that has no time for it. What is refuted, or verified and must not be, is so at once.
const patience = 2

// judged is a kind of request as lab sends and judges it.
func (m *matrix) judged(ctx context.Context, t *testing.T, k requestKind) (flow.Run, flow.RunVerdict) {
	for again := 0; ; again++ {
		run, err := m.trace(ctx, t, k)
		if err != nil {
			t.Fatal(err)
		}
		verdict := verify.Judge(run)
		if verdict.Result != flow.Incomplete || k.verdict == flow.Incomplete || times() > 1 || again == patience {
			return run, verdict
		}
		t.Logf("again: %s: %s\n%s", verdict.Result, verify.Summary(verdict), reasons(verdict))
	}
}

// elapsed is the time, and what it was for, in a result line.
var elapsed = regexp.MustCompile(` after [0-9.]+[µm]?s( and [0-9]+ attempts)?`)

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
