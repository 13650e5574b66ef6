package existing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/components"
	"github.com/flowproof/lab/harness/exit"
	"github.com/flowproof/lab/harness/kube"
	"github.com/flowproof/lab/harness/progress"
	"github.com/flowproof/lab/harness/workshop"
	"github.com/flowproof/lab/manifests"
)

// installDeadline bounds the whole of an installation; on somebody's cluster images may have to be pulled.
const installDeadline = 6 * time.Minute

// Parts are what can be installed.
var Parts = []string{cluster.Istio, cluster.Workshop}

func checkParts(parts []string) error {
	for _, part := range parts {
		if !slices.Contains(Parts, part) {
			return exit.Usagef("install %q: there is no such part (there are: %s)", part, strings.Join(Parts, ", "))
		}
	}
	return nil
}

// An installer puts parts into the cluster and remembers what it made.
type installer struct {
	*site
	progress progress.Reporter
	clock    *cluster.Stopwatch
	mu       sync.Mutex
	created  []cluster.Object // or about to be
}

// install puts the wanted parts into the cluster. made says whether anything was missing. What a failed call has created is
// deleted again, unless opts.Retain.
func (s *site) install(ctx context.Context, opts cluster.Options, p progress.Reporter, clock *cluster.Stopwatch) (made bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, installDeadline, exit.Environmentf("not done within %s", installDeadline))
	defer cancel()
	i := &installer{site: s, progress: p, clock: clock}
	err = i.parts(ctx, opts)
	if err != nil && !opts.Retain {
		err = errors.Join(err, i.takeBack(context.WithoutCancel(ctx)))
	}
	return len(i.created) > 0, err
}

// parts plans everything before the first object is made, so that a conflict costs nothing.
func (i *installer) parts(ctx context.Context, opts cluster.Options) error {
	plan, err := i.plan(ctx, opts)
	if err != nil {
		return err
	}
	if err := i.conflicts(ctx, slices.Concat(plan.istio, plan.services, plan.pods)); err != nil {
		return err
	}
	if plan.istio != nil {
		if err := i.step("Installing Istio", "Istio installed", func() error {
			return errors.Join(i.ensureAll(ctx, plan.istio), kube.WaitEstablished(ctx, i.config))
		}); err != nil {
			return err
		}
	}
	if plan.pods == nil {
		return i.step("Waiting for istiod", "istiod ready", func() error {
			namespace, name, _ := strings.Cut(plan.istiod, "/")
			return kube.WaitDeploymentReady(ctx, i.client, namespace, name)
		})
	}
	if err := i.step("Creating the workshop's Services", "Services created", func() error { return i.ensureAll(ctx, plan.services) }); err != nil {
		return err
	}
	create := func(ctx context.Context) error { return i.ensureAll(ctx, plan.pods) }
	return workshop.InstallOn(ctx, workshop.Site{Kubeconfig: i.kubeconfig, Context: i.context, Istiod: plan.istiod, Create: create}, i.progress, i.clock)
}

func (i *installer) step(title, stage string, work func() error) error {
	task := i.progress.Start(title)
	err := work()
	task.Done(err)
	if err == nil {
		i.clock.Reached(stage)
	}
	return err
}

// A plan is what is to be there.
type plan struct {
	istio, services, pods []*unstructured.Unstructured // nil: not asked for
	istiod                string                       // "namespace/name" of the deployment that is, or will be, there
}

// plan reads the manifests and looks at which Istio the cluster has.
func (i *installer) plan(ctx context.Context, opts cluster.Options) (plan, error) {
	var p plan
	wanted := func(part string) bool { return slices.Contains(opts.Install, part) }
	there, err := i.istiod(ctx)
	if err != nil {
		return p, err
	}
	switch p.istiod = istiodName; {
	case wanted(cluster.Istio) && there != nil && there.Labels[labLabel] != i.lab:
		return p, exit.Environmentf("install istio: there is one already, %s/%s, and this lab did not make it (leave istio out of --install to use it)",
			there.Namespace, there.Name)
	case wanted(cluster.Istio):
		if p.istio, err = i.istioObjects(ctx, opts); err != nil {
			return p, err
		}
	case there == nil:
		return p, exit.Environmentf("install workshop: there is no istiod in this cluster (install it too: --install istio,workshop)")
	default:
		p.istiod = there.Namespace + "/" + there.Name
	}
	if !wanted(cluster.Workshop) {
		return p, nil
	}
	if p.services, err = i.objectsOf(cluster.Workshop, manifests.WorkshopServices()); err != nil {
		return p, err
	}
	p.pods, err = i.objectsOf(cluster.Workshop, manifests.WorkshopPods())
	if there != nil {
		askRevision(there.Labels["istio.io/rev"], slices.Concat(p.services, p.pods))
	}
	return p, err
}

// askRevision asks the istiod of a revision for sidecars: it does not hear the label istio-injection, nor a namespace that has it.
// Source: Istio's documentation, "Canary Upgrades".
func askRevision(revision string, objects []*unstructured.Unstructured) {
	if revision == "" || revision == "default" {
		return
	}
	for _, o := range objects {
		labels := o.GetLabels()
		switch {
		case o.GetKind() == "Namespace" && labels["istio-injection"] != "":
			delete(labels, "istio-injection")
			labels["istio.io/rev"] = revision
		case o.GetKind() == "Pod":
			labels["istio.io/rev"] = revision
		}
		o.SetLabels(labels)
	}
}

// istiodName is where Istio's manifest puts istiod.
const istiodName = "istio-system/istiod"

// istiod returns the deployment of the cluster's istiod, whatever its revision and namespace; nil when there is none.
func (s *site) istiod(ctx context.Context) (*metav1.ObjectMeta, error) {
	list, err := s.client.AppsV1().Deployments("").List(ctx, metav1.ListOptions{LabelSelector: "app=istiod"})
	if err != nil {
		return nil, exit.Environmentf("look for istiod: %w", err)
	}
	for n := range list.Items {
		if list.Items[n].Labels[labLabel] != s.lab || len(list.Items) == 1 {
			return &list.Items[n].ObjectMeta, nil
		}
	}
	return nil, nil
}

// istioNamespace is what istioctl's manifest leaves to its installer.
var istioNamespace = []byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: istio-system}\n---\n")

// istioObjects renders Istio's manifest for the images that the cluster can have.
func (i *installer) istioObjects(ctx context.Context, opts cluster.Options) ([]*unstructured.Unstructured, error) {
	options := components.Options{Images: opts.Images, Istio: opts.Istio, IstioValues: manifests.IstioValues()}
	if opts.Images != components.Registry && !i.hasImage(ctx, components.PilotImage) {
		i.progress.Say("No node of this cluster has the lab's own images: it pulls the published ones.")
		options.Images = components.Registry
	}
	if options.Images == components.Registry {
		options.IstioValues = manifests.PublishedIstioValues()
	}
	manifest, err := components.IstioManifest(ctx, options, i.progress)
	if err != nil {
		return nil, err
	}
	return i.objectsOf(cluster.Istio, slices.Concat(istioNamespace, manifest))
}

// hasImage says whether a node tells that it has an image.
func (s *site) hasImage(ctx context.Context, image string) bool {
	nodes, err := s.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return false
	}
	for _, node := range nodes.Items {
		for _, i := range node.Status.Images {
			if slices.Contains(i.Names, image) {
				return true
			}
		}
	}
	return false
}

// objectsOf reads a manifest's objects and makes them the lab's: labelled, and without what only a cluster of the lab's own can
// promise.
func (s *site) objectsOf(part string, manifest []byte) ([]*unstructured.Unstructured, error) {
	objects, err := kube.Decode(manifest)
	if err != nil {
		return nil, err
	}
	for _, o := range objects {
		labels := o.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels[labLabel], labels[partLabel] = s.lab, part
		if part == cluster.Workshop && o.GetKind() == "Pod" {
			labels["sidecar.istio.io/inject"] = "true" // the namespace may be somebody else's, without the label that asks for sidecars
		}
		o.SetLabels(labels)
		if part == cluster.Workshop && o.GetKind() == "Service" {
			withoutNumbers(o)
		}
	}
	return objects, nil
}

// withoutNumbers lets the cluster choose a Service's address and node ports: the workshop's may be taken, or out of range.
func withoutNumbers(service *unstructured.Unstructured) {
	unstructured.RemoveNestedField(service.Object, "spec", "clusterIP")
	ports, _, _ := unstructured.NestedSlice(service.Object, "spec", "ports")
	for _, p := range ports {
		if port, ok := p.(map[string]any); ok {
			delete(port, "nodePort")
		}
	}
	_ = unstructured.SetNestedSlice(service.Object, ports, "spec", "ports")
}

// shared are kinds of which one that is there already is used as it is, and stays when the lab goes.
func shared(o *unstructured.Unstructured) bool {
	return o.GetKind() == "Namespace" || o.GetKind() == "CustomResourceDefinition"
}

// conflicts refuses to go on where an object that is to be made is somebody else's already.
func (i *installer) conflicts(ctx context.Context, objects []*unstructured.Unstructured) error {
	var taken []string
	var mu sync.Mutex
	err := kube.InOrder(ctx, objects, func(ctx context.Context, o *unstructured.Unstructured) error {
		there, err := kube.Find(ctx, i.config, o)
		if err != nil || there == nil || shared(o) || there.GetLabels()[labLabel] == i.lab {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		taken = append(taken, describe(o))
		return nil
	})
	if err != nil || len(taken) == 0 {
		return err
	}
	slices.Sort(taken)
	const most = 4
	more := ""
	if len(taken) > most {
		more = fmt.Sprintf(" and %d more", len(taken)-most)
	}
	return exit.Environmentf("install: %s%s are there already, and this lab did not make them (leave the part out of --install to use them, or remove them)",
		strings.Join(taken[:min(most, len(taken))], ", "), more)
}

func describe(o *unstructured.Unstructured) string {
	return cluster.Object{Kind: o.GetKind(), Namespace: o.GetNamespace(), Name: o.GetName()}.String()
}

// ensureAll makes what is missing, in an order in which it can be made.
func (i *installer) ensureAll(ctx context.Context, objects []*unstructured.Unstructured) error {
	return kube.InOrder(ctx, objects, i.ensure)
}

// ensure makes an object when there is none, and renews one of the lab's own by applying it on the server side. An object that
// does not exist is created rather than applied: should somebody make it at this very moment, theirs is not changed.
func (i *installer) ensure(ctx context.Context, o *unstructured.Unstructured) error {
	there, err := kube.Find(ctx, i.config, o)
	switch {
	case err != nil:
		return err
	case there == nil:
		i.note(o)
		err := kube.Create(ctx, i.config, o.DeepCopy())
		if apierrors.IsAlreadyExists(err) && shared(o) {
			return nil
		}
		if err != nil {
			return exit.Environmentf("install: %w", err)
		}
		return nil
	case there.GetLabels()[labLabel] != i.lab:
		if !shared(o) {
			return exit.Environmentf("install: somebody else has made %s meanwhile", describe(o))
		}
		return nil
	case o.GetKind() == "Pod":
		return nil // hardly anything of a pod can be changed
	}
	return kube.ApplyObject(ctx, i.config, o.DeepCopy())
}

// note remembers an object before it is made: when the call breaks off, nobody knows whether the server has done it.
func (i *installer) note(o *unstructured.Unstructured) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.created = append(i.created, cluster.Object{Kind: o.GetKind(), Namespace: o.GetNamespace(), Name: o.GetName(), Part: o.GetLabels()[partLabel]})
}
