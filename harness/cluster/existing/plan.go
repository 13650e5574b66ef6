package existing

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/components"
	"github.com/flowproof/lab/internal/kube"
	"github.com/flowproof/lab/manifests"
)

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
		return p, fault.Environmentf("install istio: there is one already, %s/%s, and this lab did not make it (leave "+
			"istio out of --install to use it)",
			there.Namespace, there.Name)
	case wanted(cluster.Istio):
		if p.istio, err = i.istioObjects(ctx, opts); err != nil {
			return p, err
		}
	case there == nil:
		return p, fault.Environmentf("install workshop: there is no istiod in this cluster (install it too: " +
			"--install istio,workshop)")
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

// askRevision asks the istiod of a revision for sidecars: it does not hear the label
// istio-injection, nor a namespace that has it. Source: Istio's documentation, "Canary Upgrades".
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

// istiod returns the deployment of the cluster's istiod, of any revision and namespace; nil when
// there is none.
func (s *site) istiod(ctx context.Context) (*metav1.ObjectMeta, error) {
	list, err := s.client.AppsV1().Deployments("").List(ctx, metav1.ListOptions{LabelSelector: "app=istiod"})
	if err != nil {
		return nil, fault.Environmentf("look for istiod: %w", err)
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
	options := components.Options{Images: opts.Images, Istio: opts.Istio}
	if options.Images == components.Auto {
		options.Images = components.Built
	}
	if !components.PublishedImages(opts.Images) && !i.hasImage(ctx, components.PilotImage) {
		i.progress.Say("No node of this cluster has the lab's own images: it pulls the published ones.")
		options.Images = components.Registry
	}
	manifest, err := components.IstioManifest(ctx, options.WithValues(), i.progress)
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

// objectsOf reads a manifest's objects and makes them the lab's: labelled, and without what only a
// cluster of the lab's own can promise.
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
			// the namespace may be another's, without the label that asks for sidecars
			labels["sidecar.istio.io/inject"] = "true"
		}
		o.SetLabels(labels)
		if part == cluster.Workshop && o.GetKind() == "Service" {
			withoutNumbers(o)
		}
	}
	return objects, nil
}

// withoutNumbers lets the cluster choose a Service's address and node ports: the workshop's may be
// taken, or out of range.
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
