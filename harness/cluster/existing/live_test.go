package existing

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/e2e"
	"github.com/flowproof/lab/harness/cluster/node"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/internal/components"
	"github.com/flowproof/lab/internal/kube"
	"github.com/flowproof/lab/internal/kube/kubetest"
	"github.com/flowproof/lab/internal/progress"
	"github.com/flowproof/lab/manifests"
)

// TestMain lets the test binary be the guard and the init of the cluster that its tests use.
func TestMain(m *testing.M) {
	e2e.Main()
	os.Exit(m.Run())
}

const host = "existing-host" // name of the cluster that stands for a person's own

// foreign brings up a cluster and takes from it what a lab of ours has: Istio, the workshop. What
// is left is a Kubernetes like any other's.
func foreign(t *testing.T) *cluster.Lab {
	t.Helper()
	if testing.Short() {
		t.Skip("a lab takes longer than -short allows")
	}
	if reason := e2e.Missing(); reason != "" {
		if os.Getenv("CI") == "true" {
			t.Fatal(reason)
		}
		t.Skip(reason)
	}
	lab, err := node.New().Up(t.Context(), cluster.Options{Name: host}, progress.Quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.New().Down(context.Background(), host, progress.Quiet) })
	adopt(t, lab)
	said := &sayings{}
	if err := New(Target{Kubeconfig: lab.Kubeconfig}).Down(t.Context(), host, said); err != nil || said.all != "" {
		t.Fatalf("%v; %s", err, said.all)
	}
	return lab
}

// adopt labels everything that the manifests made, as if a lab named host had installed it, so that
// it can be removed as such.
func adopt(t *testing.T, lab *cluster.Lab) {
	t.Helper()
	s, err := New(Target{Kubeconfig: lab.Kubeconfig}).site(host)
	if err != nil {
		t.Fatal(err)
	}
	istio, err := components.IstioManifest(t.Context(), components.Options{IstioValues: manifests.IstioValues()},
		progress.Quiet)
	if err != nil {
		t.Fatal(err)
	}
	wanted := map[string]string{}
	for part, text := range map[string][]byte{cluster.Istio: slices.Concat(istioNamespace, istio),
		cluster.Workshop: slices.Concat(manifests.WorkshopServices(), []byte("\n---\n"), manifests.WorkshopPods())} {
		objects, err := kube.Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			wanted[describe(o)] = part
		}
	}
	kinds, _, err := s.kinds()
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.list(t.Context(), kinds, "", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all.items {
		part := wanted[i.object().String()]
		if part == "" {
			continue
		}
		patch := fmt.Sprintf(`{"metadata":{"labels":{%q:%q,%q:%q}}}`, labLabel, host, partLabel, part)
		_, err := s.metadata.Resource(i.GroupVersionResource).Namespace(i.Namespace).Patch(t.Context(), i.Name,
			types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// inventory is every object of the cluster. What a namespace gets when it is made is
// there a moment later.
func inventory(t *testing.T, lab *cluster.Lab) kubetest.Inventory {
	t.Helper()
	all, err := kubetest.Take(t.Context(), lab.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func unchanged(t *testing.T, lab *cluster.Lab, before kubetest.Inventory) {
	t.Helper()
	for _, change := range kubetest.Changes(before, inventory(t, lab)) {
		t.Error(change)
	}
}

// TestOnAnothersCluster installs, refuses to install, breaks off, and removes, on a cluster with
// objects of another's; after each of these the cluster has what it had before.
func TestOnAnothersCluster(t *testing.T) {
	lab := foreign(t)
	config, err := kube.Config(lab.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	// Another has a namespace of the workshop's name, without the label that asks for sidecars.
	if err := kube.Create(t.Context(), config, object("v1", "Namespace", "", "mark")); err != nil {
		t.Fatal(err)
	}
	awaitController(t, client, "mark")
	before := inventory(t, lab)
	backend := New(Target{Kubeconfig: lab.Kubeconfig})
	both := cluster.Options{Install: Parts}

	t.Run("there is no Istio", func(t *testing.T) {
		_, err := backend.Up(t.Context(), cluster.Options{Install: []string{cluster.Workshop}}, progress.Quiet)
		refused(t, err, "there is no istiod in this cluster (install it too: --install istio,workshop)")
		unchanged(t, lab, before)
	})
	t.Run("a name is taken", func(t *testing.T) {
		taken := object("v1", "ConfigMap", "default", "taken")
		taken.SetKind("Service")
		taken.SetName("fortio-server")
		_ = unstructured.SetNestedSlice(taken.Object, []any{map[string]any{"port": int64(80)}}, "spec", "ports")
		if err := kube.Create(t.Context(), config, taken); err != nil {
			t.Fatal(err)
		}
		_, err := backend.Up(t.Context(), both, progress.Quiet)
		refused(t, err, "Service default/fortio-server are there already, and this lab did not make them")
		if err := backend.Down(t.Context(), "", progress.Quiet); err != nil {
			t.Error(err)
		}
		if there, err := kube.Exists(t.Context(), config, taken); err != nil || !there {
			t.Errorf("another's Service went: %v", err)
		}
		if err := kube.Delete(t.Context(), config, taken); err != nil {
			t.Fatal(err)
		}
		unchanged(t, lab, before)
	})
	t.Run("broken off", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		_, err := backend.Up(ctx, both, atTask{"Waiting for istiod", cancel})
		if err == nil {
			t.Error("up has gone on")
		}
		unchanged(t, lab, before)
	})
	up, err := backend.Up(t.Context(), both, progress.Quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("installed", func(t *testing.T) { installed(t, backend, up, lab, before) })
	t.Run("removed", func(t *testing.T) {
		kept := object("v1", "ConfigMap", "myprd-mark", "foreign") // made after the lab has made the namespace
		if err := kube.Create(t.Context(), config, kept); err != nil {
			t.Fatal(err)
		}
		said := &sayings{}
		if err := backend.Down(t.Context(), "", said); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(said.all, "Kept Namespace myprd-mark: it holds what this lab did not make: ConfigMap "+
			"myprd-mark/foreign.") {
			t.Errorf("said %q", said.all)
		}
		if there, err := kube.Exists(t.Context(), config, kept); err != nil || !there {
			t.Errorf("another's object went with the namespace: %v", err)
		}
		if err := kube.Delete(t.Context(), config, kept); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := backend.Down(t.Context(), "", progress.Quiet); err != nil {
				t.Error(err)
			}
		}
		unchanged(t, lab, before)
	})
}

// installed looks at a lab that is up: it names what it made, all of that and nothing else is new,
// and a request is answered.
func installed(t *testing.T, backend *Backend, up, lab *cluster.Lab, before kubetest.Inventory) {
	if up.Joined || len(up.Objects) < 30 || !slices.Contains(up.Objects, cluster.Object{Kind: "Pod", Namespace: "mark",
		Name: "netshoot", Part: cluster.Workshop}) {
		t.Errorf("joined %v, made %d objects: %v", up.Joined, len(up.Objects), up.Objects)
	}
	if slices.ContainsFunc(up.Objects, func(o cluster.Object) bool { return o.String() == "Namespace mark" }) {
		t.Error("another's namespace is claimed")
	}
	now := inventory(t, lab)
	for key, version := range before {
		if now[key] != version {
			t.Errorf("changed: %s", key)
		}
	}
	again, err := backend.Up(t.Context(), cluster.Options{Install: Parts}, progress.Quiet)
	if err != nil || !again.Joined || !slices.Equal(again.Objects, up.Objects) {
		t.Errorf("a second up: %v, %+v", err, again)
	}
	m, err := mesh.ConnectContext(up.Kubeconfig, up.Context)
	if err != nil {
		t.Fatal(err)
	}
	pod, err := m.Pod(t.Context(), "fortio-server")
	if err != nil {
		t.Fatal(err)
	}
	if pids, err := backend.Processes(t.Context(), up, "mark", "fortio-server", mesh.SidecarContainer); err != nil ||
		len(pids) < 2 || !slices.Contains(pod.Containers(), mesh.SidecarContainer) {
		t.Errorf("processes %v, %v", pids, err)
	}
}

func refused(t *testing.T, err error, want string) {
	t.Helper()
	if fault.Of(err) != fault.Environment || !strings.Contains(fmt.Sprint(err), want) {
		t.Errorf("%v (kind %q), want %q", err, fault.Of(err), want)
	}
}

func object(version, kind, namespace, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion(version)
	o.SetKind(kind)
	o.SetNamespace(namespace)
	o.SetName(name)
	return o
}

// awaitController waits for what a controller makes in a new namespace.
func awaitController(t *testing.T, client kubernetes.Interface, namespace string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	lw := cache.NewListWatchFromClient(client.CoreV1().RESTClient(), "configmaps", namespace,
		fields.OneTermEqualSelector("metadata.name", "kube-root-ca.crt"))
	there := func(e watch.Event) (bool, error) { return e.Type != watch.Deleted, nil }
	if _, err := watchtools.UntilWithSync(ctx, lw, &corev1.ConfigMap{}, nil, there); err != nil {
		t.Fatalf("the certificate of namespace %s has not come: %v", namespace, err)
	}
}

// atTask is a Reporter that does something when a task begins.
type atTask struct {
	title string
	do    func()
}

func (a atTask) Start(title string) progress.Task {
	if title == a.title {
		a.do()
	}
	return progress.Quiet.Start(title)
}
func (atTask) Say(string, ...any) {}

// sayings is a Reporter that keeps what is said beside tasks.
type sayings struct{ all string }

func (*sayings) Start(title string) progress.Task { return progress.Quiet.Start(title) }
func (s *sayings) Say(format string, args ...any) { s.all += fmt.Sprintf(format, args...) + "\n" }

// TestKubeconfigIsNotCopied looks for what the backend leaves on the disk: nothing.
func TestKubeconfigIsNotCopied(t *testing.T) {
	path := writeConfig(t, "a", "a")
	entries := func() int {
		all, err := os.ReadDir(filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	before := entries()
	if _, err := New(Target{Kubeconfig: path}).Status(t.Context(), ""); err != nil || entries() != before {
		t.Errorf("status: %v, %d files, were %d", err, entries(), before)
	}
}
