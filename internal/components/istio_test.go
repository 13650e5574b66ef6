package components

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/flowproof/lab/internal/progress"
	"github.com/flowproof/lab/manifests"
)

var update = flag.Bool("update", false, "write what is generated instead of comparing with it")

// keptManifest is the file that manifests.Istio reads.
const keptManifest = "../../manifests/istio/generated.yaml.gz"

// keptSum says of which values the kept manifest was made; a test of package manifests reads it.
const keptSum = "../../manifests/istio/install.yaml.sha256"

// TestIstioctlGeneratesTheKeptManifest generates Istio's manifest anew with the lab's istioctl,
// and builds it in CI.
func TestIstioctlGeneratesTheKeptManifest(t *testing.T) {
	o := Options{CacheDir: os.Getenv("FLOWPROOF_CACHE")}
	if os.Getenv("CI") != "true" && !*update && !istioctlIsMade(t, o) {
		t.Skip("there is no istioctl of this version (run: lab istioctl version)")
	}
	program, err := Istioctl(t.Context(), o, progress.Quiet)
	if err != nil {
		t.Fatal(err)
	}
	w := testWork(t)
	if err := render(t.Context(), program, manifests.IstioValues(), w); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(w.content, istioFile))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		var out bytes.Buffer
		z, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
		if _, err := z.Write(got); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		mustWrite(t, keptManifest, out.String())
		mustWrite(t, keptSum, fmt.Sprintf("%x  install.yaml\n", sha256.Sum256(manifests.IstioValues())))
		return
	}
	if kept, err := manifests.Istio(); err != nil || !bytes.Equal(got, kept) {
		t.Errorf("istioctl generates another manifest than %s holds, %v (run this test with -update)",
			keptManifest, err)
	}
}

// istioctlIsMade says whether the cache has an istioctl of this version.
func istioctlIsMade(t *testing.T, o Options) bool {
	t.Helper()
	m, err := newMaker(o, progress.Quiet)
	if err != nil {
		t.Fatal(err)
	}
	m.cache.readOnly = true
	if _, err := m.builder(t.Context()); err != nil {
		return false
	}
	_, err = m.istioctl(t.Context())
	return err == nil
}
