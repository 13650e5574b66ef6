package scenarios_test

import (
	"cmp"
	"context"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/observe/curl"
	runs "github.com/flowproof/lab/harness/run"
	"github.com/flowproof/lab/internal/envoybinary"
	"github.com/flowproof/lab/internal/kube"
)

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
	m.lab = runs.Lab{Mesh: runs.Of(m.mesh), Cluster: provider.Lab(), Backend: backend,
		Guard: []string{os.Args[0], "__undo"}}
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
	last = strings.NewReplacer("NAKED", m.ip(ctx, t, "naked.requests"), "PLAIN", m.ip(ctx, t, "plain.requests"),
		"POD", m.ip(ctx, t, "fortio-server"), "L2", m.ip(ctx, t, "fortio-server-l2")).
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
		for k.refused == "" && k.verdict != flow.Incomplete && want != "no" {
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
	from, err := m.mesh.Sender(ctx, cmp.Or(k.from, "netshoot"))
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

// connects asks for a URL from a source port of its own, and has the server end the connection, so
// that the port is free again and netfilter still knows it.
const connects = `use Socket; socket(S,PF_INET,SOCK_STREAM,0); bind(S,sockaddr_in($ARGV[0],
	INADDR_ANY)) or die "bind: $!";
connect(S,sockaddr_in($ARGV[2],inet_aton($ARGV[1]))) or die "connect: $!";
syswrite(S,"GET / HTTP/1.1\r\nhost: fortio-server\r\nconnection: close\r\n\r\n"); while(sysread(S,$b,4096)){} close S;`

// takePort makes another connection of netshoot's over a source port of its own,
// and returns the port.
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

// disturb has netshoot send 200 other requests a second until the function that it
// returns is called.
func (m *matrix) disturb(ctx context.Context, t *testing.T, url string) (stop func()) {
	pod, err := m.lab.Mesh.Pod(ctx, "netshoot")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	var sending sync.WaitGroup
	for _, connection := range []string{"keep-alive", "close"} {
		command := []string{"timeout", "60", "curl", "--silent", "--output", "/dev/null", "--rate", "6000/m",
			"--header", "connection: " + connection, url + "?n=[1-1000000]"}
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
