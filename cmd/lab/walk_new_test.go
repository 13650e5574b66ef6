package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flowproof/lab/cmd/lab/internal/exit"
	"github.com/flowproof/lab/harness/script"
	"github.com/flowproof/lab/scenarios"
)

// TestNewLesson makes a lesson from nothing and as a copy of each of ours: the copy is the lesson,
// word for word, and is walked from its folder.
func TestNewLesson(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	if code, _, errs := run(t, "walk", "--new", "mine"); code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	for _, name := range scenarios.Names() {
		if code, _, errs := run(t, "walk", "--new", name, "--lesson", name); code != 0 {
			t.Errorf("%s: exit code %d: %s", name, code, errs)
			continue
		}
		sources, err := scenarios.Sources(name)
		if err != nil {
			t.Fatal(err)
		}
		for end, want := range sources {
			if got, err := os.ReadFile(filepath.Join(name, name+end)); err != nil || string(got) != string(want) {
				t.Errorf("%s%s is another file (%v)", name, end, err)
			}
		}
		if code, out, errs := run(t, "walk", "--list", "./"+name); code != 0 || !strings.Contains(out, name) {
			t.Errorf("%s: exit code %d: %s%s", name, code, out, errs)
		}
	}
	for _, refused := range [][]string{{"walk", "--new", "mine"}, {"walk", "--new", "b", "--lesson", "nosuch"},
		{"walk", "--new", "B"}} {
		if code, _, _ := run(t, refused...); code != exit.Usage {
			t.Errorf("%q: exit code %d", refused, code)
		}
	}
}

// TestCommandsAreSaid holds that every command and every condition of a scenario is explained.
func TestCommandsAreSaid(t *testing.T) {
	code, out, errs := run(t, "run", "--commands")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	joined := strings.Join(strings.Fields(out), " ")
	for _, c := range script.Commands() {
		usage := strings.Join(strings.Fields(c.Usage), " ")
		if !strings.Contains(joined, usage) || !strings.Contains(joined, c.Summary) {
			t.Errorf("%s is not explained", c.Name)
		}
	}
	for _, c := range script.Conditions() {
		if !strings.Contains(out, "\n["+c.Name+"]\n") {
			t.Errorf("the condition %s is not explained", c.Name)
		}
	}
	for line := range strings.Lines(out) {
		if len([]rune(line)) > 81 && strings.Contains(strings.TrimSpace(line), " ") {
			t.Errorf("a line is too long: %s", line)
		}
	}
}
