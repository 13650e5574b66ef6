package toolchain

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/mod/modfile"
)

// ofContainerd are the modules of which containerd needs a later version than the kubelet that the
// node has.
var ofContainerd = []string{"k8s.io/cri-api", "k8s.io/cri-client", "k8s.io/cri-streaming", "k8s.io/streaming"}

// TestOneSetOfVersions holds the modules of the command, of the node's programs and of containerd
// against each other: a package is compiled once for all of them where its module has the same
// version, and so have the modules that it uses.
func TestOneSetOfVersions(t *testing.T) {
	node := versions(t, filepath.Join("../..", Folder, "go.mod"))
	containerd := filepath.Join("../..", Folder, "containerd", "go.mod")
	for _, file := range []string{"../../go.mod", containerd} {
		shared := 0
		for path, version := range versions(t, file) {
			if node[path] == "" || slices.Contains(ofContainerd, path) {
				continue
			}
			shared++
			if version != node[path] {
				t.Errorf("%s requires %s %s, and the node's programs are built with %s (go get it in both)",
					file, path, version, node[path])
			}
		}
		if shared < 50 {
			t.Errorf("%s shares %d modules with the node's programs", file, shared)
		}
	}
}

// versions are those that a go.mod file asks for, by module.
func versions(t *testing.T, file string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	mod, err := modfile.Parse(file, data, nil)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, r := range mod.Require {
		all[r.Mod.Path] = r.Mod.Version
	}
	for _, r := range mod.Replace {
		if all[r.Old.Path] != "" {
			all[r.Old.Path] = r.New.Version
		}
	}
	return all
}
