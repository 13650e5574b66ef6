// Package manifests holds the objects of the lab: what every cluster needs, Istio's install values,
// and the workshop. Each file's head says what it teaches.
package manifests

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

//go:embed cluster istio/install.yaml istio/generated.yaml.gz workshop
var files embed.FS

// IstioValues is the IstioOperator resource that Istio's manifest is generated from.
func IstioValues() []byte {
	data, err := files.ReadFile("istio/install.yaml")
	if err != nil {
		panic(err) // embedded: cannot be missing
	}
	return data
}

// Istio is the manifest that the lab's istioctl generates from IstioValues. A test of
// internal/components generates it anew; so no lab needs an istioctl.
func Istio() ([]byte, error) {
	data, err := files.ReadFile("istio/generated.yaml.gz")
	if err != nil {
		return nil, fmt.Errorf("read Istio's manifest: %w", err)
	}
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err == nil {
		data, err = io.ReadAll(r)
	}
	if err != nil {
		return nil, fmt.Errorf("read Istio's manifest: %w", err)
	}
	return data, nil
}

// upstreamOnly are the install values that make up for what upstream Envoy lacks, by their
// paths below spec.values.
var upstreamOnly = [][]string{{"telemetry"}, {"pilot", "env", "PILOT_ENABLE_METADATA_EXCHANGE"},
	{"pilot", "env", "PILOT_ENABLE_ALPN_FILTER"}, {"pilot", "env", "PILOT_DISABLE_MX_ALPN"}}

// laterOperators are those of the access log that Envoy 1.36 does not have: 1.40 brought the first,
// 1.39 the second. An Envoy refuses each listener whose access log has one that it does not know.
var laterOperators = [][]byte{[]byte("%LISTENER_NAME%"), []byte("%UPSTREAM_SERVER_NAME%")}

// ReleaseValues are IstioValues for another Envoy than the lab's own, from 1.36 on.
func ReleaseValues() []byte {
	var kept []byte
	for line := range bytes.Lines(IstioValues()) {
		if !slices.ContainsFunc(laterOperators, func(o []byte) bool { return bytes.Contains(line, o) }) {
			kept = append(kept, line...)
		}
	}
	return kept
}

// PublishedIstioValues are ReleaseValues for Istio's own published proxy, which has all
// of Istio's filters.
func PublishedIstioValues() []byte {
	var resource map[string]any
	if err := yaml.Unmarshal(ReleaseValues(), &resource); err != nil {
		panic(err) // embedded, and read by a test
	}
	for _, path := range upstreamOnly {
		at := resource
		for _, name := range append([]string{"spec", "values"}, path[:len(path)-1]...) {
			at, _ = at[name].(map[string]any)
		}
		if at != nil {
			delete(at, path[len(path)-1])
		}
	}
	data, err := yaml.Marshal(resource)
	if err != nil {
		panic(err)
	}
	return data
}

// Cluster returns the objects that the embedded node needs before anything else can
// run: cluster DNS.
func Cluster() []byte { return join("cluster") }

// WorkshopServices returns what does not need Istio to run: namespaces, the workshop's
// Services and their decoys.
func WorkshopServices() []byte {
	return join("workshop", "namespaces.yaml", "services.yaml", "decoys.yaml")
}

// WorkshopPods returns the pods, to be created once the sidecar injector answers.
func WorkshopPods() []byte {
	return join("workshop", "netshoot.yaml", "fortio-server.yaml", "fortio-server-l2.yaml")
}

// join concatenates the named files of a folder, or all of them in order of name,
// as one YAML stream.
func join(folder string, names ...string) []byte {
	if len(names) == 0 {
		entries, err := fs.ReadDir(files, folder)
		if err != nil {
			panic(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		slices.Sort(names)
	}
	var all []string
	for _, name := range names {
		data, err := files.ReadFile(folder + "/" + name)
		if err != nil {
			panic(fmt.Sprintf("manifests: %v", err))
		}
		all = append(all, string(data))
	}
	return []byte(strings.Join(all, "\n---\n"))
}
