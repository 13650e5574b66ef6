package scenarios_test

import (
	"os"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/script"
	"github.com/flowproof/lab/internal/golden"
	"github.com/flowproof/lab/scenarios"
)

// TestREADME fails when README.md is not what the tables of the scenario language say.
func TestREADME(t *testing.T) {
	var all []*script.Scenario
	for _, name := range scenarios.Names() {
		s, err := scenarios.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	want := script.README(all)
	if golden.Updating() {
		if err := os.WriteFile("README.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Error("README.md is stale (run: go test ./scenarios -run TestREADME -update)")
	}
}

// TestStyle holds the scenarios to what the README promises: short, and readable aloud.
func TestStyle(t *testing.T) {
	for _, name := range scenarios.Names() {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(name + ".txtar")
			if err != nil {
				t.Fatal(err)
			}
			body, _, _ := strings.Cut(string(text), "\n-- ")
			if n := strings.Count(body, "\n"); n > 80 {
				t.Errorf("%d lines of script, at most 80 are wanted", n)
			}
			for _, paragraph := range paragraphs(body) {
				if !strings.HasSuffix(paragraph, ".") && !strings.HasSuffix(paragraph, "?") {
					t.Errorf("not a sentence: %q", paragraph)
				}
			}
		})
	}
}

// paragraphs joins the comment lines that follow each other.
func paragraphs(body string) []string {
	var all []string
	open := false
	for line := range strings.Lines(body) {
		text, comment := strings.CutPrefix(strings.TrimSpace(line), "#")
		switch text = strings.TrimSpace(text); {
		case !comment:
			open = false
		case open:
			all[len(all)-1] += " " + text
		default:
			all, open = append(all, text), true
		}
	}
	return all
}

func TestFind(t *testing.T) {
	for _, tc := range []struct{ name, want string }{
		{"inbond", "did you mean inbound?"},
		{"inb", "did you mean inbound"},
		{"zzzzzzzz", "there are: handshake, inbound"},
		{"../etc/passwd", "there are: handshake, inbound"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := scenarios.Find(tc.name)
			if err == nil || !strings.Contains(err.Error(), tc.want) || fault.Of(err) != fault.Usage {
				t.Errorf("Find: %v (kind %q), want %q and a usage error", err, fault.Of(err), tc.want)
			}
		})
	}
	if s, err := scenarios.Find("inbound.txtar"); err != nil || s.Name != "inbound" {
		t.Errorf("the file's name is not accepted: %v", err)
	}
}
