// Package kubetest is for tests that have to leave a cluster as they found it.
package kubetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"

	"github.com/flowproof/lab/internal/kube"
)

// An Inventory is every object of a cluster, as "kind namespace/name", with its uid and version.
type Inventory map[string]string

// uncounted are kinds and single objects that come, go and change by themselves, with the reason.
var uncounted = map[string]string{
	"Event": "each thing that happens is told by one, and each is forgotten after an hour",
	"Lease": "kubelets, API servers and leaders take one when they come to it, and renew it every few seconds",
	"ConfigMap istio-system/istio-ip-autoallocate":               "istiod tells in it who leads",
	"ConfigMap istio-system/istio-leader":                        "istiod tells in it who leads",
	"ConfigMap istio-system/istio-namespace-controller-election": "istiod tells in it who leads",
}

// reported are kinds to whose status others report, with the reason; what people write counts:
// spec, labels, annotations.
var reported = map[string]string{
	"Node": "the kubelet writes that it is alive, and which images it has",
	"Pod":  "the kubelet writes what the readiness probes say, which fail now and then on a busy machine",
}

// Take lists every object of every kind that can be listed.
func Take(ctx context.Context, kubeconfig string) (Inventory, error) {
	config, err := kube.Config(kubeconfig)
	if err != nil {
		return nil, err
	}
	d, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	client, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	lists, err := d.ServerPreferredResources()
	if err != nil {
		return nil, fmt.Errorf("list kinds: %w", err)
	}
	all := Inventory{}
	for _, list := range lists {
		group, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, r := range list.APIResources {
			if strings.Contains(r.Name, "/") || !slices.Contains(r.Verbs, "list") || uncounted[r.Kind] != "" {
				continue
			}
			if err := all.add(ctx, client, group.WithResource(r.Name), r.Kind); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

func (all Inventory) add(ctx context.Context, client metadata.Interface, resource schema.GroupVersionResource,
	kind string) error {
	found, err := client.Resource(resource).List(ctx, metav1.ListOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list %s: %w", resource.Resource, err)
	}
	for _, o := range found.Items {
		key := kind + " " + strings.TrimPrefix(o.Namespace+"/"+o.Name, "/")
		if uncounted[key] != "" {
			continue
		}
		all[key] = fmt.Sprintf("%s version %s", o.UID, o.ResourceVersion)
		if reported[kind] != "" {
			all[key] = fmt.Sprintf("%s generation %d labels %v annotations %v", o.UID, o.Generation, o.Labels,
				o.Annotations)
		}
	}
	return nil
}

// Changes says what is not in both inventories, or is another or newer in the second.
func Changes(before, after Inventory) []string {
	var changes []string
	for _, key := range slices.Sorted(maps.Keys(before)) {
		switch now, there := after[key]; {
		case !there:
			changes = append(changes, "gone: "+key)
		case now != before[key]:
			changes = append(changes, fmt.Sprintf("changed: %s was %s, is %s", key, before[key], now))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(after)) {
		if _, there := before[key]; !there {
			changes = append(changes, "new: "+key)
		}
	}
	return changes
}
