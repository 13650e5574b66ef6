package workshop

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/internal/kube"
	"github.com/flowproof/lab/internal/wait"
)

// gate keeps the scheduler from a pod until istiod runs. A sidecar that asks earlier is refused,
// and its next attempts come after one, three and five seconds.
const gate = "flowproof.dev/istiod-runs"

// Hold puts a pod that was injected already before the gate: it is created without a node.
func Hold(p *corev1.Pod) {
	p.Spec.NodeName = ""
	p.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: gate}}
}

// openGate waits until istiod's program has started and lets the scheduler have the workshop's
// pods: while they get their network and their rules, istiod gets ready.
func (i *installer) openGate(ctx context.Context) error {
	namespace, _ := i.istiod()
	if err := kube.WaitPodStarted(ctx, i.client, namespace, "app=istiod"); err != nil {
		return err
	}
	return i.letIn(ctx)
}

// letIn takes the gate from the workshop's pods.
func (i *installer) letIn(ctx context.Context) error {
	for _, name := range pods {
		err := wait.Retry(ctx, pause, func() error {
			_, err := i.client.CoreV1().Pods(mesh.Workshop).Patch(ctx, name, types.MergePatchType,
				[]byte(`{"spec":{"schedulingGates":null}}`), metav1.PatchOptions{})
			return err
		})
		if err != nil {
			return fmt.Errorf("let pod %s/%s be scheduled: %w", mesh.Workshop, name, err)
		}
	}
	return nil
}
