package workshop

import (
	"context"
	"fmt"
	"os"

	"github.com/flowproof/lab/internal/kube"
	"github.com/flowproof/lab/manifests"
)

// istioNamespace is what istioctl's manifest leaves to its installer.
var istioNamespace = []byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: istio-system}\n")

// Objects are the manifests of what has to be there before Install, in the order in which they can
// be applied: Istio's, read from the file that istioctl rendered, and the workshop's Services. dns
// says that the cluster has no DNS of its own.
func Objects(istioFile string, dns bool) ([][]byte, error) {
	istio, err := os.ReadFile(istioFile)
	if err != nil {
		return nil, fmt.Errorf("read Istio's manifest: %w", err)
	}
	objects := [][]byte{istioNamespace, istio, manifests.WorkshopServices()}
	if dns {
		objects = append([][]byte{manifests.Cluster()}, objects...)
	}
	return objects, nil
}

// Apply applies manifests one after the other.
func Apply(ctx context.Context, kubeconfig string, objects [][]byte) error {
	config, err := kube.Config(kubeconfig)
	if err != nil {
		return err
	}
	for _, manifest := range objects {
		if err := kube.Apply(ctx, config, manifest); err != nil {
			return err
		}
	}
	return kube.WaitEstablished(ctx, config)
}
