package mesh

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/flowproof/lab/harness/fault"
)

// Where Istio keeps the configuration of the mesh: MeshConfig, in the ConfigMap of
// the default revision.
const (
	istioNamespace = "istio-system"
	meshConfigMap  = "istio"
	meshConfigKey  = "mesh"
)

// AccessLog returns the form of the access log that the mesh declares for the standard output of
// its sidecars: JSON, TEXT, or "" when it declares none there. It is read from the MeshConfig,
// where accessLogFile and accessLogEncoding stand. A mesh without that ConfigMap declares nothing.
func (m *Mesh) AccessLog(ctx context.Context) (string, error) {
	config, err := m.core.ConfigMaps(istioNamespace).Get(ctx, meshConfigMap, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fault.Environmentf("read the mesh's configuration: %w", err)
	}
	form, err := declaredAccessLog(config.Data[meshConfigKey])
	if err != nil {
		return "", fault.Environmentf("read the mesh's configuration: %w", err)
	}
	return form, nil
}

// declaredAccessLog reads the form of the access log from the YAML of a MeshConfig.
func declaredAccessLog(text string) (string, error) {
	var config struct {
		AccessLogFile     string `json:"accessLogFile"`
		AccessLogEncoding string `json:"accessLogEncoding"`
	}
	if err := yaml.Unmarshal([]byte(text), &config); err != nil {
		return "", fmt.Errorf("ConfigMap %s.%s, key %s: %w", meshConfigMap, istioNamespace, meshConfigKey, err)
	}
	switch {
	case config.AccessLogFile != "/dev/stdout":
		return "", nil
	case config.AccessLogEncoding == "":
		return "TEXT", nil // MeshConfig's default
	}
	return config.AccessLogEncoding, nil
}
