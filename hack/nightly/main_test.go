package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
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
		{"kills", "seed 11\n03:31:02 round 1: lab up, after 700 ms: kill guard and init (2 killed: guard, init)\n" +
			"03:31:22 round 2: lab run, after 70 ms: kill undo guard, but there was none\n", 2},
		{"kills", "", 0},
		{"mutants", "    mutation_test.go:183: added: 975 mutations\n    mutants_test.go:83: 29 forgeries: 3 refused\n",
			1004},
		{"secrets", "    corpus_test.go:84: 646 spellings in text and 81 in documents, 0 survived\n", 646},
		{"rare", "--- PASS: TestA (0.01s)\n    --- PASS: TestA/b (0.01s)\n--- FAIL: TestC (0.00s)\n", 2},
		{"callers", "    callers_test.go:88: 200 callers, 3 rounds beside traces: 0 failures, without any 0\n" +
			"    callers_test.go:58: 200 callers not harmed\n", 200},
		{"differential", "    random_test.go:9: 600 random requests, 0 answered otherwise\n", 600},
	} {
		if got := counted(by[tt.part].count, []byte(tt.output)); got != tt.want {
			t.Errorf("%s: %d in %q, want %d", tt.part, got, tt.output, tt.want)
		}
	}
}

// TestNightGoesOn keeps sums from one run to the next, and fails with what is short.
func TestNightGoesOn(t *testing.T) {
	dir := t.TempDir()
	keep := filepath.Join(dir, "kept.json")
	for i, want := range []string{"7 processes", "14 processes"} {
		n, err := open(dir, keep)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(n.path("sometimes"), []byte("verdict verified\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := n.turn(part{name: "kills", take: func(*night, time.Duration) result {
			return result{done: 7}
		}}, time.Second); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := n.print(&out); err != nil {
			t.Fatal(err)
		}
		err = n.short()
		if err == nil || !strings.Contains(err.Error(), "kills: ") || !strings.Contains(err.Error(), "rare cases: ") ||
			strings.Contains(err.Error(), "; verdict verified;") || n.state.Reached["verdict verified"] != i+1 {
			t.Errorf("run %d: %v, %v", i+1, err, n.state.Reached)
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("run %d: no %q in\n%s", i+1, want, out.String())
		}
	}
}

// TestShareIsSaved gives a part that needs much time its turn when it has saved enough.
func TestShareIsSaved(t *testing.T) {
	dir := t.TempDir()
	n, err := open(dir, filepath.Join(dir, "kept.json"))
	if err != nil {
		t.Fatal(err)
	}
	var taken []string
	takes := func(name string, least time.Duration) part {
		return part{name: name, weight: 1, least: least, take: func(_ *night, budget time.Duration) result {
			taken = append(taken, name+" "+budget.String())
			return result{done: 1}
		}}
	}
	for range 3 {
		if err := n.share([]part{takes("short", 0), takes("long", 90*time.Second)}, time.Minute); len(err) > 1 ||
			len(err) == 1 && err[0] != nil {
			t.Fatal(err)
		}
	}
	// A turn of no time uses nothing up.
	if want := []string{"short 30s", "short 1m0s", "short 1m30s", "long 1m30s"}; !slices.Equal(taken, want) {
		t.Errorf("%q, want %q", taken, want)
	}
}

func TestFailedTurnBeginsAnew(t *testing.T) {
	var c tally
	c.count(result{done: 5}, time.Unix(1, 0))
	c.count(result{done: 3, found: []string{"a.log"}}, time.Unix(2, 0))
	c.count(result{done: 4}, time.Unix(3, 0))
	if c.Done != 12 || c.Since != 4 || c.Found != 1 || c.Turns != 3 {
		t.Errorf("%+v", c)
	}
}

func TestBrokenStateIsSaid(t *testing.T) {
	keep := filepath.Join(t.TempDir(), "kept.json")
	if err := os.WriteFile(keep, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t.TempDir(), keep); err == nil || !strings.Contains(err.Error(), "to begin anew") {
		t.Errorf("%v", err)
	}
}

// TestSecurityHasTheFigures holds the table in SECURITY.md against what is kept.
func TestSecurityHasTheFigures(t *testing.T) {
	state, err := read("kept.json")
	if err != nil {
		t.Fatal(err)
	}
	was, err := os.ReadFile("../../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "SECURITY.md")
	if err := os.WriteFile(path, was, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := (&night{state: state}).writeInto(path); err != nil {
		t.Fatal(err)
	}
	is, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(is, was) {
		t.Errorf("SECURITY.md does not have the figures of hack/nightly/kept.json (write them: go run ./hack/nightly "+
			"-minutes 0): %v", err)
	}
}

// TestTargets holds the list of fuzz targets against what is known to be there.
func TestTargets(t *testing.T) {
	all, err := targets("../..")
	if err != nil || len(all) < 30 {
		t.Fatalf("%d targets, %v", len(all), err)
	}
	most := 0
	for _, t := range all {
		most += weight(t) / 3
	}
	if !strings.Contains(strings.Join(all, "\n"), "./internal/removal FuzzPointBelow") || most < 10 {
		t.Errorf("a target is missing in %q, or has too little (%d have most)", all, most)
	}
}
