package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/features"
)

// outside writes a module of its own that uses the lab's by a replace and nothing else, and
// returns its folder.
func outside(t *testing.T) string {
	t.Helper()
	checkout, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	from, dir := filepath.Join(checkout, "harness/flowtest/testdata/outside"), t.TempDir()
	for name, file := range map[string]string{"go.mod": filepath.Join(from, "go.mod.in"),
		"outside_test.go": filepath.Join(from, "outside_test.go"), "go.sum": filepath.Join(checkout, "go.sum")} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(string(text), "CHECKOUT", checkout)),
			0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func inModule(t *testing.T, dir string, environment []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(
		os.Environ(),
		append([]string{"GOFLAGS=-mod=mod -trimpath", "GOWORK=off", "CGO_ENABLED=0"}, environment...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestOutsideModule compiles a suite of another module.
func TestOutsideModule(t *testing.T) {
	inModule(t, outside(t), nil, "vet", "./...")
}

// TestOutsideModuleOnLab runs it on the lab of this suite.
func TestOutsideModuleOnLab(t *testing.T) {
	if missing != "" {
		t.Skip(missing)
	}
	testenv.Test(
		t,
		features.New("a suite of another module").
			Assess("passes", func(ctx context.Context, t *testing.T, c *envconf.Config) context.Context {
				out := inModule(
					t,
					outside(t),
					[]string{"KUBECONFIG=" + c.KubeconfigFile()},
					"test",
					"-count=1",
					"-v",
					"./...",
				)
				if !strings.Contains(out, "--- PASS: TestWay") {
					t.Errorf("it did not run:\n%s", out)
				}
				return ctx
			}).
			Feature(),
	)
}
