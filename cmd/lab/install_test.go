package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// TestInstalledAlone installs the command as a user does who has no checkout: from a proxy that
// serves the module's zip, into an empty home. The command then works from a folder that holds
// nothing of the project.
func TestInstalledAlone(t *testing.T) {
	if os.Getenv("FLOWPROOF_RELEASE") == "" {
		t.Skip("it builds the command once more, alone (run: make test-release)")
	}
	self := module.Version{Path: "github.com/flowproof/lab", Version: "v0.0.1"}
	proxy, home, elsewhere := t.TempDir(), t.TempDir(), t.TempDir()
	serve(t, proxy, self)
	// The modules that it needs are served from what this checkout was built with:
	// nothing is fetched.
	fetched := "file://" + filepath.Join(goEnv(t, "GOMODCACHE"), "cache/download")
	env := append(os.Environ(), "HOME="+home, "GOBIN="+home, "GOMODCACHE="+filepath.Join(home, "mod"),
		"GOCACHE="+goEnv(t, "GOCACHE"),
		"GOFLAGS=-trimpath -modcacherw", "GOSUMDB=off", "GOPROXY=file://"+proxy+","+fetched)
	run := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir, cmd.Env = elsewhere, env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	run("go", "install", self.Path+"/cmd/lab@"+self.Version)
	lab := filepath.Join(home, "lab")
	for _, c := range []struct{ args, says string }{
		{"version", self.Version},
		{"infer --help", "Usage:"},
		{"run --help", "Usage:"},
	} {
		if out := run(lab, strings.Fields(c.args)...); !strings.Contains(out, c.says) {
			t.Errorf("lab %s does not say %q:\n%s", c.args, c.says, out)
		}
	}
}

// serve writes the checkout into proxy as one version of its module
// (https://go.dev/ref/mod#goproxy-protocol).
func serve(t *testing.T, proxy string, v module.Version) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(proxy, v.Path, "@v")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	packed, err := os.Create(filepath.Join(dir, v.Version+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	if err := zip.CreateFromDir(packed, v, root); err != nil {
		t.Fatal(err)
	}
	gomod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		v.Version + ".mod":  string(gomod),
		v.Version + ".info": fmt.Sprintf(`{"Version":%q}`, v.Version),
		"list":              v.Version + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// goEnv is one of the go command's settings.
func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
