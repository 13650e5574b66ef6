package kernel

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestKindsAreThoseOfTheProgram holds the numbers in Go against the enum in C: a kind that is added
// to one alone is another event.
func TestKindsAreThoseOfTheProgram(t *testing.T) {
	program, err := os.ReadFile("kernel.bpf.c")
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?s)enum kind \{(.*?)\}`).FindSubmatch(program)
	if text == nil {
		t.Fatal("kernel.bpf.c has no enum kind")
	}
	var names []string
	for _, name := range regexp.MustCompile(`KIND_[A-Z_]+`).FindAllString(string(text[1]), -1) {
		names = append(names, strings.ReplaceAll(strings.TrimPrefix(name, "KIND_"), "_", ""))
	}
	kinds, err := os.ReadFile("kind.go")
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, m := range regexp.MustCompile(`(?m)^\t([A-Z]\w+)\s`).FindAllStringSubmatch(string(kinds), -1) {
		have = append(have, strings.ToUpper(m[1]))
	}
	if got, want := strings.Join(have, " "), strings.Join(names, " "); got != want || int(Exec) != len(names) {
		t.Errorf("kind.go has\n\t%s\nand the program\n\t%s", got, want)
	}
}
