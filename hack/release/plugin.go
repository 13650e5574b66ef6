package main

import (
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

// plugin writes the manifest that krew installs `kubectl lab` from
// (https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest).
func (r release) plugin(all []built) error {
	type labels map[string]string
	var platforms []any
	for _, b := range all {
		sum, err := sha256File(filepath.Join(r.dir, b.archive))
		if err != nil {
			return err
		}
		platforms = append(platforms, map[string]any{
			"selector": map[string]any{"matchLabels": labels{"os": b.os, "arch": b.arch}},
			"uri":      "https://github.com/flowproof/lab/releases/download/" + r.version + "/" + b.archive,
			"sha256":   sum,
			"bin":      b.exe(),
			"files": []any{map[string]string{"from": b.exe(), "to": "."},
				map[string]string{"from": "LICENSE", "to": "."}},
		})
	}
	data, err := yaml.Marshal(map[string]any{
		"apiVersion": "krew.googlecontainertools.github.com/v1alpha2",
		"kind":       "Plugin",
		"metadata":   map[string]any{"name": "lab"},
		"spec": map[string]any{
			"version":          r.version,
			"homepage":         "https://github.com/flowproof/lab",
			"shortDescription": "Infer a request's way through Istio, watch and verify it",
			"description": "Takes one request through an Istio mesh, infers its way from the sidecars' " +
				"configuration,\nsends it, and verifies hop by hop that what was seen is what was inferred.",
			"platforms": platforms,
		},
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.dir, "lab.yaml"), data, 0o644)
}
