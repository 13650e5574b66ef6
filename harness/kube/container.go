package kube

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/flowproof/lab/harness/exit"
)

// ContainerID asks the API for the runtime's id of a container.
func ContainerID(ctx context.Context, kubeconfig, namespace, pod, container string) (string, error) {
	config, err := Config(kubeconfig)
	if err != nil {
		return "", err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return "", err
	}
	p, err := client.CoreV1().Pods(namespace).Get(ctx, pod, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("find pod %s/%s: %w", namespace, pod, err)
	}
	if id := ContainerIDOf(p, container); id != "" {
		return id, nil
	}
	return "", exit.Usagef("find container %s of %s/%s: there is none that runs", container, namespace, pod)
}

// ContainerIDOf is the runtime's id of a container of the pod, of whatever kind; empty when it does not run.
func ContainerIDOf(p *corev1.Pod, container string) string {
	for _, list := range [][]corev1.ContainerStatus{p.Status.ContainerStatuses, p.Status.InitContainerStatuses, p.Status.EphemeralContainerStatuses} {
		for _, s := range list {
			if _, id, ok := strings.Cut(s.ContainerID, "://"); ok && s.Name == container {
				return id
			}
		}
	}
	return ""
}
