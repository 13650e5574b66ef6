package e2e_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/e2e-framework/klient/k8s"
	"sigs.k8s.io/e2e-framework/klient/wait"
	"sigs.k8s.io/e2e-framework/klient/wait/conditions"
	"sigs.k8s.io/e2e-framework/pkg/env"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/envfuncs"
	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/flowproof/lab/harness/cluster/e2e"
	"github.com/flowproof/lab/internal/components"
)

// This is how any suite of sigs.k8s.io/e2e-framework gets a Kubernetes with Istio: a provider, and
// a first line in TestMain.

var testenv = env.New()

// missing is what this machine lacks for a lab; empty: nothing.
var missing string

func TestMain(m *testing.M) {
	e2e.Main()
	flag.Parse()
	missing = e2e.Missing()
	switch {
	case testing.Short():
		missing = "a lab takes longer than -short allows"
	case missing == "":
		provider := e2e.NewNode()
		testenv.Setup(envfuncs.CreateCluster(provider, "e2e-example"))
		testenv.Finish(provider.Finish)
	case os.Getenv("CI") == "true":
		fmt.Fprintln(os.Stderr, "run the example suite:", missing)
		os.Exit(1)
	}
	os.Exit(testenv.Run(m))
}

// TestPodJoinsTheMesh starts an application of one's own in a namespace that asks for sidecars, and
// calls it from the mesh.
func TestPodJoinsTheMesh(t *testing.T) {
	if missing != "" {
		t.Skip(missing)
	}
	feature := features.New("a pod of one's own").
		Setup(func(ctx context.Context, t *testing.T, c *envconf.Config) context.Context {
			namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop",
				Labels: map[string]string{"istio-injection": "enabled"}}}
			service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: "shop"},
				Spec: corev1.ServiceSpec{
					Selector: shop().Labels, Ports: []corev1.ServicePort{{Name: "http", Port: 8080}}}}
			for _, o := range []k8s.Object{namespace, service, shop()} {
				if err := c.Client().Resources().Create(ctx, o); err != nil {
					t.Fatal(err)
				}
			}
			ready := conditions.New(c.Client().Resources()).PodReady(shop())
			if err := wait.For(ready, wait.WithTimeout(time.Minute),
				wait.WithInterval(200*time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			return ctx
		}).
		Assess("has a sidecar", func(ctx context.Context, t *testing.T, c *envconf.Config) context.Context {
			pod := &corev1.Pod{}
			if err := c.Client().Resources().Get(ctx, "shop", "shop", pod); err != nil {
				t.Fatal(err)
			}
			for _, container := range append(pod.Spec.InitContainers, pod.Spec.Containers...) {
				if container.Name == "istio-proxy" {
					return ctx
				}
			}
			t.Error("no container istio-proxy")
			return ctx
		}).
		Assess("takes mutual TLS from the mesh", func(ctx context.Context, t *testing.T,
			c *envconf.Config) context.Context {
			// The application shows the headers that it got: its sidecar has added who the client
			// is, by its certificate.
			var shown, said bytes.Buffer // two, because both are written to at the same time
			answers := func(ctx context.Context) (bool, error) {
				shown.Reset()
				said.Reset()
				curl := []string{"curl", "-sSf", "-m", "5", "http://shop.shop:8080/debug"}
				err := c.Client().Resources().ExecInPod(ctx, "mark", "netshoot", "main-app", curl, &shown, &said)
				return err == nil, nil // until its endpoint has come to the client's sidecar
			}
			if err := wait.For(answers, wait.WithTimeout(30*time.Second), wait.WithInterval(200*time.Millisecond),
				wait.WithImmediate()); err != nil {
				t.Fatalf("%v: %s", err, said.String())
			}
			if !strings.Contains(shown.String(), "spiffe://cluster.local/ns/mark/sa/default") {
				t.Errorf("the client's certificate did not arrive: %s", shown.String())
			}
			return ctx
		}).
		Teardown(func(ctx context.Context, t *testing.T, c *envconf.Config) context.Context {
			if err := c.Client().Resources().Delete(ctx, shop()); err != nil {
				t.Error(err)
			}
			return ctx
		})
	testenv.Test(t, feature.Feature())
}

// shop is an application in the image that the workshop's servers have.
func shop() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: "shop", Labels: map[string]string{"app": "shop"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "shop", Image: components.FortioImage, ImagePullPolicy: corev1.PullIfNotPresent,
			Command: []string{"/usr/bin/fortio"}, Args: []string{"server"},
			Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
		}}},
	}
}
