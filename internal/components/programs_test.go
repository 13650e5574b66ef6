package components

import (
	"os"
	"path"
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
	for _, p := range slices.Concat(programs, kindPrograms) {
		flags := strings.Join(p.ldflags(), " ")
		stamped := slices.ContainsFunc(p.packages, func(b binary) bool {
			return b.file == "kube" || b.file == "kubeadm"
		})
		if required == nil || stamped != strings.Contains(flags, ".gitVersion="+required[1]+" ") {
			t.Errorf("go.mod requires %q, the linker stamps %s", required, flags)
		}
	}
}

// TestProgramsHaveModules finds what every program is built from.
func TestProgramsHaveModules(t *testing.T) {
	g, seen := &gobuild{source: checkoutToolchain, version: "go1.26.1"}, map[string]bool{}
	for _, p := range slices.Concat(programs, kindPrograms, []program{istioctl}) {
		if _, err := g.key(p); err != nil {
			t.Error(err)
		}
		for _, b := range p.packages {
			if seen[b.file] {
				t.Errorf("two programs are called %s", b.file)
			}
			if len(p.packages) > 1 && b.path != "." && path.Base(b.path) != b.file {
				t.Errorf("go build calls the program of %s %s, and not %s", b.path, path.Base(b.path), b.file)
			}
			seen[b.file] = true
		}
	}
}
