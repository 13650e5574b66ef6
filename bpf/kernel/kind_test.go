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
	text := enumKind.FindSubmatch(program)
	if text == nil {
		t.Fatal("kernel.bpf.c has no enum kind")
	}
	var names []string
	for _, name := range kindName.FindAllString(string(text[1]), -1) {
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

// TestEveryKindIsTold holds that the program tells of each kind of its enum: one that is in the
// enum alone never comes.
func TestEveryKindIsTold(t *testing.T) {
	var told strings.Builder
	for _, name := range []string{"kernel.bpf.c", "arguments.h"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		told.Write(enumKind.ReplaceAll(text, nil))
	}
	program, err := os.ReadFile("kernel.bpf.c")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range kindName.FindAllString(string(enumKind.Find(program)), -1) {
		if !regexp.MustCompile(`\b` + name + `\b`).MatchString(told.String()) {
			t.Errorf("%s is told nowhere: by a probe in kernel.bpf.c, or of a system call in arguments.h", name)
		}
	}
}

// What of the program is read here.
var (
	enumKind = regexp.MustCompile(`(?s)enum kind \{(.*?)\}`)
	kindName = regexp.MustCompile(`KIND_[A-Z_]+`)
)
