package mesh

import (
	"context"
	"errors"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/flowproof/lab/harness/fault"
)

// ErrNoWorkload is in the chain of the error about a workload or Service that no
// running pod belongs to.
var ErrNoWorkload = errors.New("no running pod belongs to it")

// workloadKinds are the kinds by which a pod can be named other than by its own name, as kubectl
// has them, with the kind of the pod's owner. A Deployment owns a pod by a ReplicaSet, whose name
// is the Deployment's with a hash behind it.
var workloadKinds = map[string]string{
	"pod": "Pod", "po": "Pod", "svc": "Service", "service": "Service", "deploy": "ReplicaSet",
	"deployment": "ReplicaSet",
	"sts":        "StatefulSet", "statefulset": "StatefulSet", "ds": "DaemonSet", "daemonset": "DaemonSet",
	"rs": "ReplicaSet", "job": "Job",
}

// Sender makes of a sender as a person names it one that names a pod: deploy/NAME, svc/NAME and
// their like, with .NAMESPACE and /CONTAINER behind the name, become the first running pod of
// theirs, by name. What names a pod already stays as it is.
func (m *Mesh) Sender(ctx context.Context, ref string) (string, error) {
	kind, rest, ok := strings.Cut(ref, "/")
	owner := workloadKinds[strings.ToLower(kind)]
	if !ok || owner == "" {
		return ref, nil
	}
	rest, container, given := strings.Cut(rest, "/")
	name, namespace := SplitRef(rest, m.namespace)
	pods, err := m.workload(ctx, owner, name, namespace)
	if err != nil {
		return "", err
	}
	if len(pods) == 0 {
		return "", fault.Usagef("find %s/%s in namespace %s: %w", kind, name, namespace, ErrNoWorkload)
	}
	found := slices.Min(pods) + "." + namespace
	if given {
		found += "/" + container
	}
	return found, nil
}

// workload are the names of the running pods of a workload or Service.
func (m *Mesh) workload(ctx context.Context, owner, name, namespace string) ([]string, error) {
	options := metav1.ListOptions{}
	if owner == "Service" {
		service, err := m.core.Services(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return nil, fault.Usagef("find service %s.%s: %w", name, namespace, err)
		}
		if len(service.Spec.Selector) == 0 {
			return nil, nil
		}
		options.LabelSelector = metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: service.Spec.Selector})
	}
	list, err := m.core.Pods(namespace).List(ctx, options)
	if err != nil {
		return nil, fault.Environmentf("list pods of namespace %s: %w", namespace, err)
	}
	var names []string
	for i := range list.Items {
		if pod := &list.Items[i]; pod.Status.Phase == v1.PodRunning && belongs(pod, owner, name) {
			names = append(names, pod.Name)
		}
	}
	return names, nil
}

// belongs reports whether a pod is of a workload. A Service is no workload: its pods
// are selected before.
func belongs(pod *v1.Pod, owner, name string) bool {
	switch owner {
	case "Service":
		return true
	case "Pod":
		return pod.Name == name
	}
	return slices.ContainsFunc(pod.OwnerReferences, func(o metav1.OwnerReference) bool {
		if o.Kind != owner {
			return false
		}
		base, _, _ := cutLast(o.Name, "-")
		return o.Name == name || owner == "ReplicaSet" && base == name
	})
}

// cutLast cuts text at the last separator.
func cutLast(text, separator string) (before, after string, found bool) {
	i := strings.LastIndex(text, separator)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+len(separator):], true
}
