package components

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestKubernetesIsStampedWithItsVersion holds the linker's flags against the module that is built.
func TestKubernetesIsStampedWithItsVersion(t *testing.T) {
	gomod, err := os.ReadFile(filepath.Join(checkoutToolchain, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	required := regexp.MustCompile(`k8s\.io/kubernetes (v\S+)`).FindStringSubmatch(string(gomod))
	kube := programs[slices.IndexFunc(programs, func(p program) bool { return p.name == "kube" })]
	if required == nil || !strings.Contains(kube.ldflags(), ".gitVersion="+required[1]+" ") {
		t.Errorf("go.mod requires %q, the linker stamps %s", required, kube.ldflags())
	}
}

// TestProgramsHaveModules finds what every program is built from.
func TestProgramsHaveModules(t *testing.T) {
	g, seen := &gobuild{source: checkoutToolchain, version: "go1.26.1"}, map[string]bool{}
	for _, p := range programs {
		if _, err := g.key(p); err != nil {
			t.Error(err)
		}
		for _, b := range p.packages {
			if seen[b.file] {
				t.Errorf("two programs are called %s", b.file)
			}
			seen[b.file] = true
		}
	}
}
