package script

import (
	"encoding/json"
	"strings"

	"github.com/flowproof/lab/harness/fault"
)

// istioFilters asks the first sidecar of the lab which extensions its Envoy was built with: Istio's
// proxy lists istio.stats and its like in its own node description, upstream Envoy does not.
func (s *session) istioFilters() (bool, error) {
	pods, err := s.Lab.Mesh.Pods(s.ctx)
	if err != nil {
		return false, err
	}
	for _, ref := range pods {
		sidecar, err := s.Sidecar(s.ctx, ref)
		if err != nil {
			continue // a pod without a sidecar
		}
		dump, err := sidecar.Dump(s.ctx)
		if err != nil {
			return false, err
		}
		return hasIstioFilters(dump)
	}
	return false, fault.Environmentf("look for Istio's filters: no pod has a sidecar")
}

func hasIstioFilters(dump []byte) (bool, error) {
	var shell struct {
		Configs []struct {
			Bootstrap struct {
				Node struct {
					Extensions []struct {
						Name string `json:"name"`
					} `json:"extensions"`
				} `json:"node"`
			} `json:"bootstrap"`
		} `json:"configs"`
	}
	if err := json.Unmarshal(dump, &shell); err != nil {
		return false, fault.Environmentf("look for Istio's filters: %w", err)
	}
	for _, section := range shell.Configs {
		for _, extension := range section.Bootstrap.Node.Extensions {
			if strings.HasPrefix(extension.Name, "istio.") {
				return true, nil
			}
		}
	}
	return false, nil
}
