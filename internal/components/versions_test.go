package components

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestVersionsAreTheModules holds what `lab version` says against the modules that the
// parts are built from.
func TestVersionsAreTheModules(t *testing.T) {
	for _, c := range []struct{ part, file, module string }{
		{"Kubernetes", "go.mod", "k8s.io/kubernetes"},
		{"Istio", "go.mod", "istio.io/istio"},
		{"containerd", "containerd/go.mod", "github.com/containerd/containerd/v2"},
		{"etcd", "go.mod", "go.etcd.io/etcd/server/v3"},
		{"CoreDNS", "go.mod", "github.com/coredns/coredns"},
		{"fortio", "go.mod", "fortio.org/fortio"},
	} {
		t.Run(c.part, func(t *testing.T) {
			i := slices.IndexFunc(Versions(), func(v Version) bool { return v.Part == c.part })
			if i < 0 {
				t.Fatal("there is no version of it")
			}
			data, err := os.ReadFile(filepath.Join(checkoutToolchain, c.file))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(data), c.module+" "+Versions()[i].Version) {
				t.Errorf("%s is said to be %s, and %s has another", c.part, Versions()[i].Version, c.file)
			}
		})
	}
}
