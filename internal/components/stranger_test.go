package components

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/flowproof/lab/internal/progress"
	"github.com/flowproof/lab/internal/trust"
	"github.com/flowproof/lab/internal/trust/trusttest"
)

// TestRootBuildsNothingOfAStrangers stands in a stranger's checkout, with a stranger's cache.
func TestRootBuildsNothingOfAStrangers(t *testing.T) {
	trusttest.NeedRoot(t)
	dir := t.TempDir()
	source := filepath.Join(dir, toolchain)
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module "+module+"\n"), 0o644), os.Mkdir(source, 0o755),
		os.Chown(source, trusttest.Stranger, trusttest.Stranger)); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	if got, err := (Options{}).sourceDir(); !errors.Is(err, trust.ErrUntrusted) {
		t.Errorf("it would build from %q, %v", got, err)
	}
	if _, err := openCache(filepath.Join(source, "cache"), progress.Quiet); !errors.Is(err, trust.ErrUntrusted) {
		t.Errorf("it would use the cache: %v", err)
	}
}

// TestNoModuleFromTheWorkingDirectory stands where anybody can have put a module that Python would find first.
func TestNoModuleFromTheWorkingDirectory(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, "ran")
	if err := os.WriteFile(filepath.Join(dir, "pip.py"), []byte("open('"+left+"', 'w')\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	_ = checkPip()
	if _, err := os.Stat(left); err == nil {
		t.Error("the working directory's module ran in the place of pip")
	}
}
