package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMakeAnew leaves a folder alone that is neither empty nor of this command's.
func TestMakeAnew(t *testing.T) {
	foreign, own := t.TempDir(), filepath.Join(t.TempDir(), "registry")
	letter := filepath.Join(foreign, "letter")
	if err := os.WriteFile(letter, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := makeAnew(foreign); err == nil || !strings.Contains(err.Error(), "-dir") {
		t.Errorf("a folder with a letter: %v, want the way out", err)
	}
	if _, err := os.Stat(letter); err != nil {
		t.Errorf("the letter: %v", err)
	}
	for _, dir := range []string{own, own, t.TempDir()} {
		if err := makeAnew(dir); err != nil {
			t.Fatal(err)
		}
		left := filepath.Join(dir, "left")
		if err := os.WriteFile(left, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := makeAnew(dir); err != nil {
			t.Errorf("its own folder: %v", err)
		}
		if _, err := os.Stat(left); !os.IsNotExist(err) {
			t.Errorf("what was left: %v", err)
		}
	}
}
