package kube

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// ContainerIDOf is the runtime's id of a container of the pod, of any kind; empty when it does not
// run.
func ContainerIDOf(p *corev1.Pod, container string) string {
	for _, list := range [][]corev1.ContainerStatus{p.Status.ContainerStatuses, p.Status.InitContainerStatuses,
		p.Status.EphemeralContainerStatuses} {
		for _, s := range list {
			if _, id, ok := strings.Cut(s.ContainerID, "://"); ok && s.Name == container {
				return id
			}
		}
	}
	return ""
}
