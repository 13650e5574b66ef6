package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOrdered reads the order of a folder's lessons, and says what is there where it names others.
func TestOrdered(t *testing.T) {
	for _, c := range []struct{ name, order, want, problem string }{
		{"no order", "", "a b", ""},
		{"an order", "# First b.\nb\na\n", "b a", ""},
		{"one of them", "b\n", "b", ""},
		{"one that is not there", "a\nc\n", "", "c is no lesson of this folder (there are a, b)"},
		{"out of the folder", "../a\n", "", "../a is no lesson of this folder (there are a, b)"},
		{"none", "# nothing\n", "", "it names no lesson (one a line; there are a, b)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if c.order != "" {
				if err := os.WriteFile(filepath.Join(dir, orderFile), []byte(c.order), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			lessons := []string{filepath.Join(dir, "a.txtar"), filepath.Join(dir, "b.txtar")}
			files, err := ordered(t.Context(), dir, lessons)
			if c.problem != "" {
				if err == nil || !strings.HasSuffix(err.Error(), c.problem) {
					t.Fatalf("error %v, want %s", err, c.problem)
				}
				return
			}
			var names []string
			for _, file := range files {
				names = append(names, strings.TrimSuffix(filepath.Base(file), ".txtar"))
			}
			if got := strings.Join(names, " "); err != nil || got != c.want {
				t.Errorf("lessons %q, %v; want %q", got, err, c.want)
			}
		})
	}
}
