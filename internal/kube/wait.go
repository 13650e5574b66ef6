package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

// WaitNodeReady waits until the named node, or any when name is empty, is Ready.
func WaitNodeReady(ctx context.Context, c kubernetes.Interface, name string) error {
	lw := cache.NewListWatchFromClient(c.CoreV1().RESTClient(), "nodes", "", selector(name))
	return wait(ctx, lw, &corev1.Node{}, "node "+name, func(o runtime.Object) string {
		node := o.(*corev1.Node)
		for _, c := range node.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
				return ""
			}
			if c.Type == corev1.NodeReady {
				return c.Message
			}
		}
		return "it has no Ready condition yet"
	})
}

// WaitDeploymentReady waits until a deployment has a ready replica of its newest revision.
func WaitDeploymentReady(ctx context.Context, c kubernetes.Interface, namespace, name string) error {
	lw := cache.NewListWatchFromClient(c.AppsV1().RESTClient(), "deployments", namespace, selector(name))
	return wait(ctx, lw, &appsv1.Deployment{}, "deployment "+namespace+"/"+name, func(o runtime.Object) string {
		d := o.(*appsv1.Deployment)
		if d.Status.ObservedGeneration >= d.Generation && d.Status.UpdatedReplicas > 0 && d.Status.ReadyReplicas > 0 {
			return ""
		}
		return fmt.Sprintf("%d of %d replicas are ready", d.Status.ReadyReplicas, d.Status.Replicas)
	})
}

// WaitPodReady waits until a pod is Ready. Its error says what the pod waits for.
func WaitPodReady(ctx context.Context, c kubernetes.Interface, namespace, name string) error {
	lw := cache.NewListWatchFromClient(c.CoreV1().RESTClient(), "pods", namespace, selector(name))
	return wait(ctx, lw, &corev1.Pod{}, "pod "+namespace+"/"+name, func(o runtime.Object) string {
		return podTrouble(o.(*corev1.Pod))
	})
}

// WaitPodStarted waits until all containers of a pod with these labels have started.
func WaitPodStarted(ctx context.Context, c kubernetes.Interface, namespace, labels string) error {
	lw := cache.NewFilteredListWatchFromClient(c.CoreV1().RESTClient(), "pods", namespace,
		func(o *metav1.ListOptions) { o.LabelSelector = labels })
	return wait(ctx, lw, &corev1.Pod{}, "a pod "+labels+" of "+namespace, func(o runtime.Object) string {
		p := o.(*corev1.Pod)
		if p.Status.Phase == corev1.PodRunning {
			return ""
		}
		return podTrouble(p)
	})
}

// podTrouble says in one line why a pod is not ready; "" when it is.
func podTrouble(p *corev1.Pod) string {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return ""
		}
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return "not scheduled: " + c.Message
		}
	}
	var waits []string
	for _, s := range append(append([]corev1.ContainerStatus{}, p.Status.InitContainerStatuses...),
		p.Status.ContainerStatuses...) {
		switch {
		case s.State.Waiting != nil:
			waits = append(waits, strings.TrimSpace(s.Name+": "+s.State.Waiting.Reason+" "+s.State.Waiting.Message))
		case s.State.Terminated != nil && s.State.Terminated.ExitCode != 0:
			waits = append(waits, fmt.Sprintf("%s: exit status %d", s.Name, s.State.Terminated.ExitCode))
		case s.State.Running != nil && !s.Ready:
			waits = append(waits, s.Name+": running, not ready")
		}
	}
	if len(waits) == 0 {
		return "phase " + string(p.Status.Phase)
	}
	return strings.Join(waits, "; ")
}

func selector(name string) fields.Selector {
	if name == "" {
		return fields.Everything()
	}
	return fields.OneTermEqualSelector(metav1.ObjectNameField, name)
}

// wait watches objects until trouble returns "" for one of them.
func wait(ctx context.Context, lw cache.ListerWatcher, kind runtime.Object, what string,
	trouble func(runtime.Object) string) error {
	last := "it does not exist"
	_, err := watchtools.UntilWithSync(ctx, lw, kind, nil, func(e watch.Event) (bool, error) {
		if e.Type == watch.Deleted {
			last = "it was deleted"
			return false, nil
		}
		last = trouble(e.Object)
		return last == "", nil
	})
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.DeadlineExceeded) {
		return fmt.Errorf("wait for %s: %w", what, cause)
	}
	return fmt.Errorf("wait for %s to be ready: %w: %s", what, err, last)
}

// WaitEstablished waits until the server serves every custom resource that is defined.
func WaitEstablished(ctx context.Context, c *rest.Config) error {
	client, err := dynamic.NewForConfig(c)
	if err != nil {
		return err
	}
	definitions := client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1",
		Resource: "customresourcedefinitions"})
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return definitions.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return definitions.Watch(ctx, o)
		},
	}
	waiting := map[string]bool{}
	_, err = watchtools.UntilWithSync(ctx, lw, &unstructured.Unstructured{}, func(store cache.Store) (bool, error) {
		for _, o := range store.List() {
			if d := o.(*unstructured.Unstructured); !established(d) {
				waiting[d.GetName()] = true
			}
		}
		return len(waiting) == 0, nil
	}, func(e watch.Event) (bool, error) {
		if d, ok := e.Object.(*unstructured.Unstructured); ok && established(d) {
			delete(waiting, d.GetName())
		}
		return len(waiting) == 0, nil
	})
	if err != nil {
		return fmt.Errorf("wait for %d custom resource definitions to be served: %w", len(waiting), err)
	}
	return nil
}

func established(definition *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(definition.Object, "status", "conditions")
	for _, c := range conditions {
		if m, ok := c.(map[string]any); ok && m["type"] == "Established" && m["status"] == "True" {
			return true
		}
	}
	return false
}

// WaitGone waits until the object of a name and uid is gone. One of the same name that came
// after it does not count.
func WaitGone(ctx context.Context, c metadata.ResourceInterface, name string, uid types.UID) error {
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = selector(name).String()
			return c.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = selector(name).String()
			return c.Watch(ctx, o)
		},
	}
	same := func(o any) bool {
		m, ok := o.(*metav1.PartialObjectMetadata)
		return ok && m.UID == uid
	}
	_, err := watchtools.UntilWithSync(ctx, lw, &metav1.PartialObjectMetadata{}, func(store cache.Store) (bool, error) {
		return !slices.ContainsFunc(store.List(), same), nil
	}, func(e watch.Event) (bool, error) {
		return e.Type == watch.Deleted && same(e.Object) || e.Type != watch.Deleted && !same(e.Object), nil
	})
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return err
}
