package mesh

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/flowproof/lab/harness/fault"
)

// Behind is what the cluster itself says about who answers at a host and port. It comes from the
// apiserver alone, so it shares nothing with what istiod tells the sidecars.
type Behind struct {
	Pods     []string // "name.namespace" of the running pods, sorted; none where the cluster knows no pod there
	Port     uint16   // that the application listens on in the pods; 0: they differ, or the Service does not say
	Service  string   // "name.namespace" of the Service by which they were found; "": by none
	NodePort bool     // the address is a node's, so the client's own address may be replaced on the way
}

// Behind finds who is behind a host and port as a pod of a namespace would dial them: the pods of a
// Service by one of its names or its ClusterIP, a pod by its address, or those behind a port of a
// node. What routes in the mesh make of it is not asked.
func (m *Mesh) Behind(ctx context.Context, host string, port uint16, namespace string) (Behind, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return m.behindAddress(ctx, ip.Unmap().String(), port)
	}
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	if len(labels) > 1 {
		namespace = labels[1]
	}
	services, err := m.core.Services(namespace).List(ctx,
		metav1.ListOptions{FieldSelector: "metadata.name=" + labels[0]})
	if err != nil {
		return Behind{}, fault.Environmentf("find who is behind %s: %w", host, err)
	}
	for i := range services.Items {
		if b, err := m.behindService(ctx, &services.Items[i], func(p v1.ServicePort) bool {
			return p.Port == int32(port)
		}); len(b.Pods) > 0 || err != nil {
			return b, err
		}
	}
	return Behind{}, nil
}

func (m *Mesh) behindAddress(ctx context.Context, ip string, port uint16) (Behind, error) {
	pods, err := m.core.Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: "status.podIP=" + ip})
	if err != nil {
		return Behind{}, fault.Environmentf("find the pod at %s: %w", ip, err)
	}
	b := Behind{Port: port}
	for _, pod := range pods.Items {
		if pod.Status.Phase == v1.PodRunning && !pod.Spec.HostNetwork {
			b.Pods = append(b.Pods, pod.Name+"."+pod.Namespace)
		}
	}
	if len(b.Pods) > 0 {
		slices.Sort(b.Pods)
		return b, nil
	}
	services, err := m.core.Services(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return Behind{}, fault.Environmentf("find the service at %s: %w", ip, err)
	}
	for i := range services.Items {
		s := &services.Items[i]
		if slices.Contains(append([]string{s.Spec.ClusterIP}, s.Spec.ClusterIPs...), ip) {
			return m.behindService(ctx, s, func(p v1.ServicePort) bool { return p.Port == int32(port) })
		}
	}
	nodes, err := m.Nodes(ctx)
	if err != nil {
		return Behind{}, err
	}
	for _, address := range nodes {
		if address != ip {
			continue
		}
		for i := range services.Items {
			b, err := m.behindService(ctx, &services.Items[i], func(p v1.ServicePort) bool {
				return p.NodePort == int32(port)
			})
			if b.NodePort = true; len(b.Pods) > 0 || err != nil {
				return b, err
			}
		}
	}
	return Behind{}, nil
}

// behindService are the running pods that a Service selects, ready or not, with the target of the
// port that is asked for.
func (m *Mesh) behindService(ctx context.Context, service *v1.Service,
	asked func(v1.ServicePort) bool) (Behind, error) {
	i := slices.IndexFunc(service.Spec.Ports, asked)
	if i < 0 || len(service.Spec.Selector) == 0 {
		return Behind{}, nil
	}
	selector := metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: service.Spec.Selector})
	pods, err := m.core.Pods(service.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return Behind{}, fault.Environmentf("list pods of service %s.%s: %w", service.Name, service.Namespace, err)
	}
	b := Behind{Service: service.Name + "." + service.Namespace}
	for n := range pods.Items {
		pod := &pods.Items[n]
		if pod.Status.Phase != v1.PodRunning {
			continue
		}
		target := uint16(targetPort(pod, service.Spec.Ports[i]))
		switch {
		case len(b.Pods) == 0:
			b.Port = target
		case b.Port != target:
			b.Port = 0
		}
		b.Pods = append(b.Pods, fmt.Sprintf("%s.%s", pod.Name, pod.Namespace))
	}
	slices.Sort(b.Pods)
	return b, nil
}

// ErrNoPort is in the chain of the error about a port that a Service does not have.
var ErrNoPort = errors.New("there is no such port")

// CheckPort says that a host names a Service that has not the port, as a pod of a namespace would
// name it. A Service without an address of its own takes any port, and of a host that names none
// nothing is said.
func (m *Mesh) CheckPort(ctx context.Context, host string, port uint16, namespace string) error {
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	if _, err := netip.ParseAddr(host); err == nil || len(labels) > 2 && labels[2] != "svc" {
		return nil
	}
	if len(labels) > 1 {
		namespace = labels[1]
	}
	services, err := m.core.Services(namespace).List(ctx,
		metav1.ListOptions{FieldSelector: "metadata.name=" + labels[0]})
	if err != nil {
		return fault.Environmentf("find service %s: %w", host, err)
	}
	for _, s := range services.Items {
		if s.Spec.ClusterIP == v1.ClusterIPNone || s.Spec.Type == v1.ServiceTypeExternalName {
			continue
		}
		var has []string
		for _, p := range s.Spec.Ports {
			if p.Port == int32(port) {
				return nil
			}
			has = append(has, strings.TrimSpace(fmt.Sprintf("%d %s", p.Port, p.Name)))
		}
		return fault.Usagef("call %s.%s at port %d: %w (it has %s)", s.Name, s.Namespace, port, ErrNoPort,
			strings.Join(has, ", "))
	}
	return nil
}

// WithSidecar lists "name.namespace" of the running pods of a namespace that have a
// sidecar, sorted.
func (m *Mesh) WithSidecar(ctx context.Context, namespace string) ([]string, error) {
	list, err := m.core.Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fault.Environmentf("list pods of namespace %s: %w", namespace, err)
	}
	var refs []string
	for n := range list.Items {
		pod := &Pod{mesh: m, obj: &list.Items[n]}
		if pod.obj.Status.Phase == v1.PodRunning && slices.Contains(pod.Containers(), SidecarContainer) {
			refs = append(refs, pod.Ref())
		}
	}
	slices.Sort(refs)
	return refs, nil
}
