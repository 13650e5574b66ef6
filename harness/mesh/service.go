package mesh

import (
	"context"
	"fmt"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/flowproof/lab/harness/exit"
)

// A Service is what the cluster says about a Service: its address, its ports, and the endpoints behind it.
type Service struct {
	Name      string   `json:"name"`
	Namespace string   `json:"namespace"`
	ClusterIP string   `json:"clusterIP"`
	Ports     []string `json:"ports"`     // "8080 http", "8080:32463 http" with a node port
	Endpoints []string `json:"endpoints"` // "ip:port", sorted
}

// Service looks up a Service by name or "name.namespace".
func (m *Mesh) Service(ctx context.Context, ref string) (*Service, error) {
	name, namespace := SplitRef(ref)
	obj, err := m.core.Services(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, exit.Usagef("find service %s.%s: %w", name, namespace, err)
	}
	s := &Service{Name: name, Namespace: namespace, ClusterIP: obj.Spec.ClusterIP}
	for _, p := range obj.Spec.Ports {
		number := fmt.Sprint(p.Port)
		if p.NodePort != 0 {
			number += fmt.Sprintf(":%d", p.NodePort)
		}
		s.Ports = append(s.Ports, strings.TrimSpace(number+" "+p.Name))
	}
	s.Endpoints, err = m.endpoints(ctx, obj)
	return s, err
}

// endpoints are the ready pods that the Service selects, with its target ports. They are counted from the pods and
// not from EndpointSlices, so that they are a second opinion on what istiod tells the sidecars.
func (m *Mesh) endpoints(ctx context.Context, service *v1.Service) ([]string, error) {
	if len(service.Spec.Selector) == 0 {
		return nil, nil
	}
	selector := metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: service.Spec.Selector})
	pods, err := m.core.Pods(service.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, exit.Environmentf("list pods of service %s.%s: %w", service.Name, service.Namespace, err)
	}
	var endpoints []string
	for _, pod := range pods.Items {
		if !isReady(&pod) {
			continue
		}
		for _, p := range service.Spec.Ports {
			if port := targetPort(&pod, p); port != 0 {
				endpoints = append(endpoints, fmt.Sprintf("%s:%d", pod.Status.PodIP, port))
			}
		}
	}
	slices.Sort(endpoints)
	return endpoints, nil
}

func isReady(pod *v1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == v1.PodReady {
			return condition.Status == v1.ConditionTrue
		}
	}
	return false
}

// targetPort resolves a named target port in the pod's own containers; 0 when the pod does not have it.
func targetPort(pod *v1.Pod, port v1.ServicePort) int32 {
	if n := port.TargetPort.IntVal; n != 0 {
		return n
	}
	if port.TargetPort.StrVal == "" {
		return port.Port
	}
	for _, container := range pod.Spec.Containers {
		for _, p := range container.Ports {
			if p.Name == port.TargetPort.StrVal {
				return p.ContainerPort
			}
		}
	}
	return 0
}
