package mesh

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
)

// SidecarContainer is the name that Istio's injector gives to the sidecar.
const SidecarContainer = flow.SidecarContainer

// ErrNoPod is in the chain of the error about a pod that does not exist.
var ErrNoPod = errors.New("there is no such pod")

// A Pod is a running pod of the mesh as the apiserver described it when it was looked up.
type Pod struct {
	mesh *Mesh
	obj  *v1.Pod
}

// Pod looks up a pod by "name" (in the mesh's own namespace) or "name.namespace", as
// istioctl writes it. When there is none, the error lists the pods that there are; it is
// of the kind fault.Usage.
func (m *Mesh) Pod(ctx context.Context, ref string) (*Pod, error) {
	name, namespace := SplitRef(ref, m.namespace)
	if name == "" {
		return nil, fault.Usagef("find pod: no name given (write POD or POD.NAMESPACE)")
	}
	obj, err := m.core.Pods(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, m.noSuchPod(ctx, name, namespace)
	}
	if err != nil {
		return nil, fault.Environmentf("find pod %s.%s: %w (is the lab up? see `lab status`)", name, namespace, err)
	}
	if obj.Status.Phase != v1.PodRunning {
		return nil, fault.Environmentf("find pod %s.%s: it is %s, not Running (%s)", name, namespace, obj.Status.Phase,
			pendingReason(obj))
	}
	return &Pod{mesh: m, obj: obj}, nil
}

// PodAt looks up the running pod with a sidecar that has an address; nil when there is none.
func (m *Mesh) PodAt(ctx context.Context, ip string) (*Pod, error) {
	list, err := m.core.Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: "status.podIP=" + ip})
	if err != nil {
		return nil, fault.Environmentf("find the pod at %s: %w", ip, err)
	}
	for n := range list.Items {
		pod := &Pod{mesh: m, obj: &list.Items[n]}
		if pod.obj.Status.Phase == v1.PodRunning && slices.Contains(pod.Containers(), SidecarContainer) {
			return pod, nil
		}
	}
	return nil, nil
}

// SplitRef splits "name.namespace"; without a namespace it is the given one. Names of pods may hold
// dots, and namespaces may not, so the last dot decides.
func SplitRef(ref, own string) (name, namespace string) {
	if i := strings.LastIndexByte(ref, '.'); i >= 0 {
		return ref[:i], ref[i+1:]
	}
	return ref, own
}

// Pods lists "name.namespace" of all running pods, those of the mesh's own namespace by their
// bare name and first.
func (m *Mesh) Pods(ctx context.Context) ([]string, error) {
	list, err := m.core.Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fault.Environmentf("list pods: %w (is the lab up? see `lab status`)", err)
	}
	var own, others []string
	for _, pod := range list.Items {
		switch {
		case pod.Status.Phase != v1.PodRunning:
		case pod.Namespace == m.namespace:
			own = append(own, pod.Name)
		default:
			others = append(others, pod.Name+"."+pod.Namespace)
		}
	}
	slices.Sort(own)
	slices.Sort(others)
	return append(own, others...), nil
}

func (m *Mesh) noSuchPod(ctx context.Context, name, namespace string) error {
	pods, err := m.Pods(ctx)
	if err != nil || len(pods) == 0 {
		return fault.Usagef("find pod %s.%s: %w, nor any other that runs", name, namespace, ErrNoPod)
	}
	return fault.Usagef("find pod %s.%s: %w (running: %s)", name, namespace, ErrNoPod, strings.Join(pods, ", "))
}

func pendingReason(pod *v1.Pod) string {
	for _, statuses := range [][]v1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, status := range statuses {
			if w := status.State.Waiting; w != nil {
				return fmt.Sprintf("container %s waits: %s %s", status.Name, w.Reason, w.Message)
			}
		}
	}
	return "see `lab kubectl describe pod`"
}

// Ref is "name.namespace".
func (p *Pod) Ref() string { return p.obj.Name + "." + p.obj.Namespace }

// Name is the pod's name.
func (p *Pod) Name() string { return p.obj.Name }

// Namespace is the pod's namespace.
func (p *Pod) Namespace() string { return p.obj.Namespace }

// IP is the pod's first address.
func (p *Pod) IP() string { return p.obj.Status.PodIP }

// Node is the name of the node that the pod runs on.
func (p *Pod) Node() string { return p.obj.Spec.NodeName }

// Ready returns how many of the pod's containers are ready, sidecars that are native init
// containers included.
func (p *Pod) Ready() (ready, total int) {
	for _, status := range p.longLived() {
		total++
		if status.Ready {
			ready++
		}
	}
	return ready, total
}

// Containers names the long-lived containers of the pod, the application's first and those that
// were added for debugging last.
func (p *Pod) Containers() []string {
	var names []string
	for _, status := range p.longLived() {
		names = append(names, status.Name)
	}
	for _, status := range p.obj.Status.EphemeralContainerStatuses {
		if status.State.Running != nil {
			names = append(names, status.Name)
		}
	}
	return names
}

// App is the name of the pod's first container that is not the sidecar.
func (p *Pod) App() string {
	for _, name := range p.Containers() {
		if name != SidecarContainer {
			return name
		}
	}
	return ""
}

// longLived are the containers and the native sidecars, which are init containers
// that restart always.
func (p *Pod) longLived() []v1.ContainerStatus {
	statuses := slices.Clone(p.obj.Status.ContainerStatuses)
	for _, c := range p.obj.Spec.InitContainers {
		if c.RestartPolicy == nil || *c.RestartPolicy != v1.ContainerRestartPolicyAlways {
			continue
		}
		for _, status := range p.obj.Status.InitContainerStatuses {
			if status.Name == c.Name {
				statuses = append(statuses, status)
			}
		}
	}
	return statuses
}

// refresh reads the pod again.
func (p *Pod) refresh(ctx context.Context) error {
	obj, err := p.mesh.core.Pods(p.obj.Namespace).Get(ctx, p.obj.Name, metav1.GetOptions{})
	if err != nil {
		return fault.Environmentf("find pod %s again: %w", p.Ref(), err)
	}
	p.obj = obj
	return nil
}
