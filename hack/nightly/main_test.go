package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCounted(t *testing.T) {
	by := map[string]part{}
	for _, p := range parts {
		by[p.name] = p
	}
	for _, tt := range []struct {
		part, output string
		want         int
	}{
		{"kills", "seed 11\n03:31:02 round 1: lab up, after 700 ms: kill guard and init (guard, init)\n" +
			"03:31:22 round 2: lab run, after 70 ms: kill undo guard, but there was none\n", 1},
		{"kills", "", 0},
		{"mutants", "    mutation_test.go:183: added: 975 mutations\n    mutation_test.go:183: taken away: 29 mutations\n", 1004},
		{"secrets", "    corpus_test.go:84: 646 spellings in text and 81 in documents, 0 survived\n", 646},
	} {
		if got := by[tt.part].counted([]byte(tt.output)); got != tt.want {
			t.Errorf("%s: %d in %q, want %d", tt.part, got, tt.output, tt.want)
		}
	}
}

// TestNightGoesOn keeps sums from one run to the next, and fails with what is short.
func TestNightGoesOn(t *testing.T) {
	dir := t.TempDir()
	for i, want := range []string{"7 kills", "14 kills"} {
		n, err := open(dir)
		if err != nil {
			t.Fatal(err)
		}
		r := n.turn("kills", func() result { return result{done: 7} })
		if err := os.WriteFile(n.path("sometimes"), []byte("verdict verified\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		err = n.table(&out, map[string]result{"kills": r})
		if err == nil || !strings.Contains(err.Error(), "kills: ") || !strings.Contains(err.Error(), "never reached: ") ||
			strings.Contains(err.Error(), "; verdict verified;") {
			t.Errorf("run %d: %v", i+1, err)
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("run %d: no %q in\n%s", i+1, want, out.String())
		}
	}
}

func TestBrokenStateIsSaid(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "state.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := open(dir); err == nil || !strings.Contains(err.Error(), "to begin anew") {
		t.Errorf("%v", err)
	}
}

// TestTargets holds the list of fuzz targets against what is known to be there.
func TestTargets(t *testing.T) {
	all, err := targets("../..")
	if err != nil || len(all) < 30 {
		t.Fatalf("%d targets, %v", len(all), err)
	}
	if !strings.Contains(strings.Join(all, "\n"), "./internal/removal FuzzPointBelow") {
		t.Errorf("a target is missing in %q", all)
	}
}
