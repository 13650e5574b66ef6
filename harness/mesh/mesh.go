// Package mesh speaks to Istio on any cluster through nothing but a kubeconfig: it finds
// pods, runs commands in them, follows their logs and uses the admin interface of their
// sidecars. It knows no backend.
package mesh

import (
	"fmt"
	"time"

	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/kube"
)

// Workshop is the namespace of the workshop's pods.
const Workshop = "mark"

// A Mesh is a cluster with Istio, reached through its apiserver. It is safe for use by
// several goroutines.
type Mesh struct {
	kubeconfig string
	context    string
	namespace  string // in which a pod is looked up that is named without one
	config     *rest.Config
	core       corev1.CoreV1Interface
	limits     Limits
}

// Connect reads the kubeconfig at path and prepares a client for its current context. It does not
// dial: the first call does. An error is of the kind fault.Environment.
func Connect(path string) (*Mesh, error) { return ConnectContext(path, "") }

// ConnectContext is Connect for a context of the kubeconfig's by its name; empty is the current
// one. path may be a list of paths, as the variable KUBECONFIG has it.
func ConnectContext(path, context string) (*Mesh, error) {
	config, err := kube.ContextConfig(path, context)
	if err != nil {
		return nil, fault.Environmentf("%w (bring a lab up with `lab up`)", err)
	}
	m, err := Of(config)
	if err != nil {
		return nil, fault.Environmentf("read kubeconfig %s: %w", path, err)
	}
	namespace, _, err := kube.ClientConfig(path, context).Namespace()
	if err != nil {
		return nil, fault.Environmentf("read kubeconfig %s: %w", path, err)
	}
	m.kubeconfig, m.context, m.namespace = path, context, namespace
	return m, nil
}

// Of prepares a client of a cluster by a configuration that is there already. Pods that are named
// without a namespace are in default. The configuration is copied.
func Of(config *rest.Config) (*Mesh, error) {
	config = rest.CopyConfig(config)
	config.QPS = -1
	core, err := corev1.NewForConfig(config)
	if err != nil {
		return nil, fault.Environmentf("reach a cluster: %w", err)
	}
	return &Mesh{namespace: "default", config: config, core: core}, nil
}

// In is the same Mesh with another namespace for pods and Services that are named without one.
func (m *Mesh) In(namespace string) *Mesh {
	other := *m
	other.namespace = namespace
	return &other
}

// Within is the same Mesh with other limits for what is read from its sidecars.
func (m *Mesh) Within(limits Limits) *Mesh {
	other := *m
	other.limits = limits
	return &other
}

// Namespace is where a pod or Service is looked up that is named without a namespace: the context's
// own, or default where it has none.
func (m *Mesh) Namespace() string { return m.namespace }

// Kubeconfig is the path that the Mesh was connected with.
func (m *Mesh) Kubeconfig() string { return m.kubeconfig }

// Context is the name of the kubeconfig's context that the Mesh was connected with;
// empty: the current one.
func (m *Mesh) Context() string { return m.context }

// adminTimeout bounds one call of a sidecar's admin interface. A dump of thousands of
// clusters takes seconds.
const adminTimeout = 60 * time.Second

// errSince formats how long something was waited for in an error.
func errSince(start time.Time) string {
	return fmt.Sprintf("after %s", time.Since(start).Round(100*time.Millisecond))
}
