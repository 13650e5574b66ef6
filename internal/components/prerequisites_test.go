package components

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestJudgeGo(t *testing.T) {
	for _, c := range []struct{ version, toolchain, want string }{
		{"go1.26.1", "auto", ""},
		{"go1.21.0", "auto", ""},
		{"go1.30rc1", "local", ""},
		{"go1.19.8", "", "1.21 or newer"},
		{"go1.25.3", "local", "GOTOOLCHAIN=local"},
		{"devel +abc", "auto", "unknown"},
	} {
		err := judgeGo(c.version, c.toolchain)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %q", c.version, c.toolchain, err, c.want)
		}
	}
}

// TestNeededGo holds the constant against what the modules say.
func TestNeededGo(t *testing.T) {
	mods, err := filepath.Glob(filepath.Join(checkoutToolchain, "*", "go.mod"))
	if err != nil || len(mods) == 0 {
		t.Fatalf("no modules: %v", err)
	}
	for _, mod := range append(mods, filepath.Join(checkoutToolchain, "go.mod")) {
		data, err := os.ReadFile(mod)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(data), "\ngo 1.26.") {
			t.Errorf("%s asks for another Go than 1.%d", mod, neededGo)
		}
	}
}

// TestSetupScriptMendsWhatIsMissing keeps the script and the list together.
func TestSetupScriptMendsWhatIsMissing(t *testing.T) {
	script, err := os.ReadFile("../../hack/setup.sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range Prerequisites() {
		pkg, ok := strings.CutPrefix(p.Mend, "apt-get install ")
		if ok && !strings.Contains(string(script), pkg) {
			t.Errorf("hack/setup.sh does not install %s", pkg)
		}
		if p.Why == "" || p.Mend == "" || p.Check == nil {
			t.Errorf("%s says too little: %+v", p.Name, p)
		}
	}
}
