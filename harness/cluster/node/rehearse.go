//go:build linux

package node

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/internal/workshop"
	"github.com/flowproof/lab/internal/components"
	"github.com/flowproof/lab/internal/kube"
	"github.com/flowproof/lab/internal/progress"
)

// A cast is the pods of a node as the sidecar injector and the scheduler left them, and the replica
// sets that some belong to. It holds no key, no address and no state.
type cast struct {
	sets []appsv1.ReplicaSet
	pods []corev1.Pod
}

// rehearse brings a whole lab up once, from an empty cluster, takes note of its pods and ends it.
func rehearse(ctx context.Context, set *components.Set, objects [][]byte) (*cast, error) {
	o, err := launchBakery(ctx, set, initConfig{})
	if err != nil {
		return nil, err
	}
	defer o.Abandon()
	if _, err := install(ctx, o, cluster.Bakery, objects, false, progress.Quiet, progress.NewStopwatch()); err != nil {
		return nil, err
	}
	client, err := clientOf(o.State().Kubeconfig)
	if err != nil {
		return nil, err
	}
	sets, err := client.AppsV1().ReplicaSets("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list the node's replica sets: %w", err)
	}
	pods, err := client.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list the node's pods: %w", err)
	}
	return castOf(sets.Items, pods.Items), nil
}

// castOf takes from the objects what was this cluster's own. The pods that nothing owns are the
// workshop's, with sidecars: they wait for istiod.
func castOf(sets []appsv1.ReplicaSet, pods []corev1.Pod) *cast {
	for i := range sets {
		s := &sets[i]
		s.ObjectMeta, s.Status = unborn(s.ObjectMeta), appsv1.ReplicaSetStatus{}
	}
	for i := range pods {
		p := &pods[i]
		p.ObjectMeta, p.Status = unborn(p.ObjectMeta), corev1.PodStatus{}
		if len(p.OwnerReferences) == 0 {
			workshop.Hold(p)
		}
	}
	return &cast{sets: sets, pods: pods}
}

// unborn is what of an object's metadata is its own and not this cluster's.
func unborn(m metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: m.Name, GenerateName: m.GenerateName, Namespace: m.Namespace, Labels: m.Labels,
		Annotations: m.Annotations, OwnerReferences: m.OwnerReferences}
}

// enterFree puts the pods that nothing owns into a cluster that has no injector yet: they are
// injected already, and a webhook that nothing serves would refuse them.
func (c *cast) enterFree(ctx context.Context, client kubernetes.Interface) error {
	for _, p := range c.pods {
		if len(p.OwnerReferences) > 0 {
			continue
		}
		if err := furnishNamespace(ctx, client, p.Namespace, p.Spec.ServiceAccountName); err != nil {
			return err
		}
		if _, err := client.CoreV1().Pods(p.Namespace).Create(ctx, &p, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("create pod %s: %w", p.Name, err)
		}
	}
	return nil
}

// furnishNamespace makes what a pod needs before it can be created, where it is not there.
func furnishNamespace(ctx context.Context, client kubernetes.Interface, namespace, account string) error {
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	_, err := client.CoreV1().Namespaces().Create(ctx, n, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create namespace %s: %w", namespace, err)
	}
	a := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account}}
	_, err = client.CoreV1().ServiceAccounts(namespace).Create(ctx, a, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create service account %s/%s: %w", namespace, account, err)
	}
	return nil
}

// enterOwned puts the replica sets of the cluster's deployments into it, and their pods.
func (c *cast) enterOwned(ctx context.Context, client kubernetes.Interface) error {
	for _, s := range c.sets {
		owner := metav1.GetControllerOf(&s)
		if owner == nil {
			continue
		}
		d, err := client.AppsV1().Deployments(s.Namespace).Get(ctx, owner.Name, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("find owner of replica set %s: %w", s.Name, err)
		}
		ref := *metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind(owner.Kind))
		s.OwnerReferences = []metav1.OwnerReference{ref}
		made, err := client.AppsV1().ReplicaSets(s.Namespace).Create(ctx, &s, metav1.CreateOptions{})
		if err != nil {
			return fmt.Errorf("create replica set %s: %w", s.Name, err)
		}
		if err := c.enterPodsOf(ctx, client, made); err != nil {
			return err
		}
	}
	return nil
}

func (c *cast) enterPodsOf(ctx context.Context, client kubernetes.Interface, set *appsv1.ReplicaSet) error {
	ref := *metav1.NewControllerRef(set, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))
	for _, p := range c.pods {
		owned := slices.ContainsFunc(p.OwnerReferences, func(r metav1.OwnerReference) bool {
			return r.Kind == ref.Kind && r.Name == set.Name && p.Namespace == set.Namespace
		})
		if !owned {
			continue
		}
		p.OwnerReferences = []metav1.OwnerReference{ref}
		if _, err := client.CoreV1().Pods(p.Namespace).Create(ctx, &p, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("create pod %s: %w", p.Name, err)
		}
	}
	return nil
}

func clientOf(kubeconfig string) (kubernetes.Interface, error) {
	config, err := kube.Config(kubeconfig)
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}
