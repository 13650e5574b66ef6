package components

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/flowproof/lab/internal/progress"
	"github.com/flowproof/lab/internal/toolchain"
	"github.com/flowproof/lab/internal/trust"
	"github.com/flowproof/lab/internal/trust/trusttest"
)

// TestRootBuildsNothingOfAStrangers stands in a stranger's checkout, with a stranger's cache.
func TestRootBuildsNothingOfAStrangers(t *testing.T) {
	trusttest.NeedRoot(t)
	dir := t.TempDir()
	strange := filepath.Join(dir, toolchain.Folder)
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "go.mod"),
		[]byte("module github.com/flowproof/lab\n"), 0o644),
		os.Mkdir(strange, 0o755), os.Chown(strange, trusttest.Stranger, trusttest.Stranger)); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	m := &maker{cache: testCache(t, progress.Quiet)}
	source, err := m.unpack(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if within, err := filepath.Rel(dir, source); err == nil && filepath.IsLocal(within) {
		t.Errorf("it would build from %s", source)
	}
	if _, err := openCache(filepath.Join(strange, "cache"), progress.Quiet); !errors.Is(err, trust.ErrUntrusted) {
		t.Errorf("it would use the cache: %v", err)
	}
}

// TestNoModuleFromTheWorkingDirectory stands where anybody can have put a module that
// Python would find first.
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
