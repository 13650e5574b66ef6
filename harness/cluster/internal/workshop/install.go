// Package workshop puts the workshop on a cluster that has Istio: netshoot, fortio-server and
// fortio-server-l2, ready and answering through both sidecars. It is the same for every backend.
package workshop

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/internal/kube"
	"github.com/flowproof/lab/internal/progress"
	"github.com/flowproof/lab/internal/wait"
	"github.com/flowproof/lab/manifests"
)

// pods have to be ready before the workshop is.
var pods = []string{"netshoot", "fortio-server", "fortio-server-l2"}

// A Site is a cluster with Istio's manifests applied.
type Site struct {
	Kubeconfig string
	Context    string // of the kubeconfig; empty: the current one
	Istiod     string // "namespace/name" of istiod's deployment; empty: istio-system/istiod
	// Create creates the workshop's pods; nil: they are applied as the manifests have them. It is
	// called again when it fails.
	Create func(context.Context) error
	// Held says that the workshop's pods are there already, before the gate (see Hold).
	Held bool
}

// A step is a part of the installation, and the stage that is reached when it is done.
type step struct {
	title, stage string
	work         func(context.Context) error
}

// An installer takes a Site to the first answer through both sidecars.
type installer struct {
	site     Site
	config   *rest.Config
	client   kubernetes.Interface
	progress progress.Reporter
	clock    *progress.Stopwatch
}

// Install waits for istiod, creates the workshop's pods, waits until they are ready, and
// asks fortio-server from netshoot until the answer is 200. Each stage is noted on clock.
// ctx bounds all of it.
func Install(ctx context.Context, kubeconfig string, p progress.Reporter, clock *progress.Stopwatch) error {
	return InstallOn(ctx, Site{Kubeconfig: kubeconfig}, p, clock)
}

// InstallOn is Install for a cluster of any kind.
func InstallOn(ctx context.Context, site Site, p progress.Reporter, clock *progress.Stopwatch) error {
	config, err := kube.ContextConfig(site.Kubeconfig, site.Context)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make a client of the cluster: %w", err)
	}
	i := &installer{site: site, config: config, client: client, progress: p, clock: clock}
	for _, step := range i.steps() {
		task := p.Start(step.title)
		err := step.work(ctx)
		task.Done(err)
		if err != nil {
			return err
		}
		clock.Reached(step.stage)
	}
	return nil
}

// steps is the order of the installation. Pods that are there start beside istiod; others cannot be
// created before it injects.
func (i *installer) steps() []step {
	node := step{"Waiting for the node", "node ready", i.nodeReady}
	istiod := step{"Waiting for istiod", "istiod ready", i.istiodReady}
	ready := step{"Waiting for the pods with their sidecars", "pods ready", i.podsReady}
	answer := step{"Asking fortio-server through both sidecars", "first 200 through both sidecars", i.firstAnswer}
	if i.site.Held {
		start := step{"Starting istiod and the workshop's pods", "pods started", i.openGate}
		return []step{node, start, istiod, ready, answer}
	}
	return []step{node, istiod, {"Creating the workshop's pods", "pods created", i.createPods}, ready, answer}
}

func (i *installer) nodeReady(ctx context.Context) error {
	return kube.WaitNodeReady(ctx, i.client, "")
}

func (i *installer) istiodReady(ctx context.Context) error {
	namespace, name := i.istiod()
	return kube.WaitDeploymentReady(ctx, i.client, namespace, name)
}

// istiod is the namespace and the name of istiod's deployment.
func (i *installer) istiod() (namespace, name string) {
	if i.site.Istiod == "" {
		return "istio-system", "istiod"
	}
	namespace, name, _ = strings.Cut(i.site.Istiod, "/")
	return namespace, name
}

// createPods creates the pods. The injector's webhook may refuse for a moment after istiod is
// ready, and the namespace's service account appears when its controller comes to it.
func (i *installer) createPods(ctx context.Context) error {
	create := i.site.Create
	if create == nil {
		create = func(ctx context.Context) error { return kube.Apply(ctx, i.config, manifests.WorkshopPods()) }
	}
	return wait.Retry(ctx, pause, func() error { return create(ctx) })
}

func (i *installer) podsReady(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, name := range pods {
		group.Go(func() error { return kube.WaitPodReady(ctx, i.client, mesh.Workshop, name) })
	}
	return group.Wait()
}

// firstAnswer sends the workshop's request until it is answered with 200: a ready pod's endpoint
// reaches the client's sidecar a moment later.
func (i *installer) firstAnswer(ctx context.Context) error {
	m, err := mesh.ConnectContext(i.site.Kubeconfig, i.site.Context)
	if err != nil {
		return err
	}
	for _, name := range pods { // one without a sidecar would answer too
		pod, err := m.Pod(ctx, name)
		if err != nil {
			return err
		}
		if _, err := pod.Sidecar(); err != nil {
			return err
		}
	}
	netshoot, err := m.Pod(ctx, "netshoot")
	if err != nil {
		return err
	}
	const ask = `until code=$(curl -s -m 2 -o /dev/null -w '%{http_code}' http://fortio-server:8080/); [ "$code" = ` +
		`200 ]; do sleep 0.02; done`
	out, err := netshoot.Exec(ctx, "main-app", []string{"timeout", "60", "sh", "-c", ask}, nil)
	if err != nil {
		return err
	}
	if out.Code != 0 {
		return fault.Environmentf("ask fortio-server from netshoot: no answer with status 200 within 60 s %s",
			out.Stderr)
	}
	return nil
}

// pause is between two attempts at what the cluster refuses for a moment.
const pause = 50 * time.Millisecond
