package manifests

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestKeptManifestIsOfTheseValues needs no istioctl: the sum is written together with the manifest.
func TestKeptManifestIsOfTheseValues(t *testing.T) {
	sum, err := os.ReadFile("istio/install.yaml.sha256")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("%x  install.yaml\n", sha256.Sum256(IstioValues())); string(sum) != want {
		t.Error("manifests/istio/install.yaml was changed, and generated.yaml.gz beside it, which a lab applies, " +
			"was not made anew (run: CGO_ENABLED=0 go test ./internal/components -run KeptManifest -update)")
	}
}

// TestPublishedIstioValuesKeepsWhatIsNotOfUpstreamEnvoy names each value that is left out, so that
// a renamed one is noticed.
func TestPublishedIstioValuesKeepsWhatIsNotOfUpstreamEnvoy(t *testing.T) {
	value := func(data []byte, path []string) any {
		var at any
		if err := yaml.Unmarshal(data, &at); err != nil {
			t.Fatal(err)
		}
		for _, name := range append([]string{"spec", "values"}, path...) {
			object, _ := at.(map[string]any)
			at = object[name]
		}
		return at
	}
	for _, path := range upstreamOnly {
		if value(IstioValues(), path) == nil {
			t.Errorf("the install values have no %s", strings.Join(path, "."))
		}
		if got := value(PublishedIstioValues(), path); got != nil {
			t.Errorf("for the published proxy %s is %v", strings.Join(path, "."), got)
		}
	}
	for _, path := range [][]string{{"global", "imagePullPolicy"}, {"pilot", "resources"}} {
		if value(PublishedIstioValues(), path) == nil {
			t.Errorf("for the published proxy %s is gone", strings.Join(path, "."))
		}
	}
}

// TestOtherReleasesWriteALogThatTheirEnvoyKnows: the form of the access log stays an object, with
// all its members but two.
func TestOtherReleasesWriteALogThatTheirEnvoyKnows(t *testing.T) {
	form := func(data []byte) map[string]string {
		var values struct {
			Spec struct {
				MeshConfig struct{ AccessLogFormat string }
			}
		}
		if err := yaml.Unmarshal(data, &values); err != nil {
			t.Fatal(err)
		}
		var members map[string]string
		if err := json.Unmarshal([]byte(values.Spec.MeshConfig.AccessLogFormat), &members); err != nil {
			t.Fatal(err)
		}
		return members
	}
	want := form(IstioValues())
	delete(want, "listener_name")
	delete(want, "upstream_server_name")
	for name, data := range map[string][]byte{"upstream Envoy": ReleaseValues(),
		"Istio's own": PublishedIstioValues()} {
		if got := form(data); !maps.Equal(got, want) || len(got) == 0 {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
