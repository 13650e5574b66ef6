package workshop

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/flowproof/lab/harness/mesh"
)

// TestOrder says what is waited for before what: a pod is created when istiod injects, and one that
// is there starts beside istiod.
func TestOrder(t *testing.T) {
	for held, want := range map[bool][]string{
		false: {"node ready", "istiod ready", "pods created", "pods ready", "first 200 through both sidecars"},
		true:  {"node ready", "pods started", "istiod ready", "pods ready", "first 200 through both sidecars"},
	} {
		var got []string
		for _, s := range (&installer{site: Site{Held: held}}).steps() {
			got = append(got, s.stage)
		}
		if !slices.Equal(got, want) {
			t.Errorf("held %v: %q, want %q", held, got, want)
		}
	}
}

func TestGateOpens(t *testing.T) {
	client := fake.NewClientset()
	for _, name := range pods {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: mesh.Workshop}}
		p.Spec.NodeName = "the node of a lab that is gone"
		Hold(p)
		if p.Spec.NodeName != "" || len(p.Spec.SchedulingGates) != 1 {
			t.Errorf("pod %s is not held: %+v", name, p.Spec)
		}
		if err := client.Tracker().Add(p); err != nil {
			t.Fatal(err)
		}
	}
	refused := false // once, as an apiserver does that has only just started
	client.PrependReactor("patch", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
		first := !refused
		refused = true
		return first, nil, errors.New("not yet ready to handle request")
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := (&installer{client: client}).letIn(ctx); err != nil {
		t.Fatal(err)
	}
	for _, name := range pods {
		p, err := client.CoreV1().Pods(mesh.Workshop).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Spec.SchedulingGates) > 0 {
			t.Errorf("pod %s waits at %v", name, p.Spec.SchedulingGates)
		}
	}
}
