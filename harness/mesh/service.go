package mesh

import (
	"context"
	"fmt"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/flowproof/lab/harness/fault"
)

// A Service is what the cluster says about a Service: its address, its ports, and the
// endpoints behind it.
type Service struct {
	Name      string     `json:"name"`
	Namespace string     `json:"namespace"`
	ClusterIP string     `json:"clusterIP"`
	Ports     []string   `json:"ports"`     // "8080 http", "8080:32463 http" with a node port
	Endpoints []string   `json:"endpoints"` // "ip:port", sorted
	NodePorts []NodePort `json:"nodePorts,omitempty"`
}

// A NodePort is a port that a Service opens on every node.
type NodePort struct {
	Name      string   `json:"name"`            // of the Service's port
	Port      int32    `json:"port"`            // on the nodes
	Endpoints []string `json:"endpoints"`       // "ip:port" of the ready pods behind it, sorted
	Local     bool     `json:"local,omitempty"` // only pods of the same node are behind it: externalTrafficPolicy Local
}

// Service looks up a Service by name or "name.namespace".
func (m *Mesh) Service(ctx context.Context, ref string) (*Service, error) {
	name, namespace := SplitRef(ref, m.namespace)
	obj, err := m.core.Services(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, fault.Usagef("find service %s.%s: %w", name, namespace, err)
	}
	s := &Service{Name: name, Namespace: namespace, ClusterIP: obj.Spec.ClusterIP}
	for _, p := range obj.Spec.Ports {
		number := fmt.Sprint(p.Port)
		if p.NodePort != 0 {
			number += fmt.Sprintf(":%d", p.NodePort)
		}
		s.Ports = append(s.Ports, strings.TrimSpace(number+" "+p.Name))
	}
	if s.Endpoints, err = m.endpoints(ctx, obj, obj.Spec.Ports); err != nil {
		return nil, err
	}
	for _, p := range obj.Spec.Ports {
		if p.NodePort == 0 {
			continue
		}
		n := NodePort{
			Name: p.Name, Port: p.NodePort,
			Local: obj.Spec.ExternalTrafficPolicy == v1.ServiceExternalTrafficPolicyLocal,
		}
		if n.Endpoints, err = m.endpoints(ctx, obj, []v1.ServicePort{p}); err != nil {
			return nil, err
		}
		s.NodePorts = append(s.NodePorts, n)
	}
	return s, nil
}

// Nodes returns the internal addresses of the cluster's nodes by their names.
func (m *Mesh) Nodes(ctx context.Context) (map[string]string, error) {
	list, err := m.core.Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fault.Environmentf("list nodes: %w", err)
	}
	addresses := map[string]string{}
	for _, node := range list.Items {
		for _, a := range node.Status.Addresses {
			if a.Type == v1.NodeInternalIP && addresses[node.Name] == "" {
				addresses[node.Name] = a.Address
			}
		}
	}
	return addresses, nil
}

// endpoints are the ready pods that the Service selects, with the targets of some of its ports.
// They are counted from the pods and not from EndpointSlices, so that they are a second opinion on
// what istiod tells the sidecars.
func (m *Mesh) endpoints(ctx context.Context, service *v1.Service, ports []v1.ServicePort) ([]string, error) {
	if len(service.Spec.Selector) == 0 {
		return nil, nil
	}
	selector := metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: service.Spec.Selector})
	pods, err := m.core.Pods(service.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, fault.Environmentf("list pods of service %s.%s: %w", service.Name, service.Namespace, err)
	}
	var endpoints []string
	for _, pod := range pods.Items {
		if !isReady(&pod) {
			continue
		}
		for _, p := range ports {
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

// targetPort resolves a named target port in the pod's own containers; 0 when the
// pod does not have it.
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
