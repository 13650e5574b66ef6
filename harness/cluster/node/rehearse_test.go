//go:build linux

package node

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/flowproof/lab/harness/mesh"
)

// rehearsed is what a lab leaves: a deployment's set with its pod, and a pod of the workshop.
func rehearsed() *cast {
	lived := func(namespace, name, kind, owner string) metav1.ObjectMeta {
		m := metav1.ObjectMeta{Namespace: namespace, Name: name, UID: "old", ResourceVersion: "7", Generation: 2,
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubelet"}}, Labels: map[string]string{"app": name}}
		if owner != "" {
			controls := true
			m.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: owner, UID: "old", Controller: &controls}}
		}
		return m
	}
	bound := corev1.PodSpec{NodeName: nodeName, ServiceAccountName: "default"}
	ran := corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "172.21.206.194"}
	return castOf(
		[]appsv1.ReplicaSet{{ObjectMeta: lived("istio-system", "istiod-1", "Deployment", "istiod"),
			Status: appsv1.ReplicaSetStatus{Replicas: 1}}},
		[]corev1.Pod{
			{ObjectMeta: lived("istio-system", "istiod-1-a", "ReplicaSet", "istiod-1"), Spec: bound, Status: ran},
			{ObjectMeta: lived(mesh.Workshop, "netshoot", "", ""), Spec: bound, Status: ran},
		})
}

func TestPodsOfARehearsalHaveNotLived(t *testing.T) {
	c := rehearsed()
	for _, m := range []metav1.ObjectMeta{c.sets[0].ObjectMeta, c.pods[0].ObjectMeta, c.pods[1].ObjectMeta} {
		if m.UID != "" || m.ResourceVersion != "" || m.Generation != 0 || m.ManagedFields != nil {
			t.Errorf("%s keeps what the cluster gave it: %+v", m.Name, m)
		}
		if m.Labels["app"] != m.Name {
			t.Errorf("%s lost its labels", m.Name)
		}
	}
	if c.sets[0].Status.Replicas != 0 || c.pods[0].Status.PodIP != "" || c.pods[1].Status.Phase != "" {
		t.Errorf("a status is kept: %+v", c)
	}
	for i, want := range []struct {
		node  string
		gates int
	}{{nodeName, 0}, {"", 1}} {
		if s := c.pods[i].Spec; s.NodeName != want.node || len(s.SchedulingGates) != want.gates {
			t.Errorf("pod %s is on node %q before %d gates, want %q and %d", c.pods[i].Name, s.NodeName,
				len(s.SchedulingGates), want.node, want.gates)
		}
	}
}

func TestPodsEnterWithTheirOwners(t *testing.T) {
	c := rehearsed()
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "istio-system", Name: "istiod", UID: "d"}}
	client := fake.NewClientset(d)
	client.PrependReactor("create", "replicasets", func(a clienttesting.Action) (bool, runtime.Object, error) {
		a.(clienttesting.CreateAction).GetObject().(*appsv1.ReplicaSet).UID = "s" // as a server would
		return false, nil, nil
	})
	if err := c.enterFree(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	_, err := client.CoreV1().ServiceAccounts(mesh.Workshop).Get(t.Context(), "default", metav1.GetOptions{})
	if err != nil {
		t.Error(err)
	}
	if err := c.enterOwned(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	set, err := client.AppsV1().ReplicaSets("istio-system").Get(t.Context(), "istiod-1", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pods, err := client.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	owners := map[string]string{"istiod-1": string(metav1.GetControllerOf(set).UID)}
	for _, p := range pods.Items {
		owners[p.Name] = ""
		if ref := metav1.GetControllerOf(&p); ref != nil {
			owners[p.Name] = string(ref.UID)
		}
	}
	for name, want := range map[string]string{"istiod-1": "d", "istiod-1-a": "s", "netshoot": ""} {
		if got, there := owners[name]; !there || got != want {
			t.Errorf("%s belongs to %q (there: %v), want %q", name, got, there, want)
		}
	}
}
