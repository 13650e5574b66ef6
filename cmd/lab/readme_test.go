package main

import (
	"os"
	"strings"
	"testing"
)

// TestREADMECommands keeps the README's commands from drifting: each line of its code blocks that calls lab has to name
// a verb and flags that there are.
func TestREADMECommands(t *testing.T) {
	data, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for n, line := range strings.Split(string(data), "\n") {
		line, _, _ = strings.Cut(strings.TrimPrefix(line, "$ "), " #")
		line, _, _ = strings.Cut(line, " > ")
		if !strings.HasPrefix(line, "lab ") {
			continue
		}
		found++
		args := strings.Fields(line)[1:]
		root := newRoot(&app{})
		cmd, rest, err := root.Find(args)
		if err != nil || cmd == root {
			t.Errorf("line %d: %s: no such verb: %v", n+1, line, err)
			continue
		}
		if cmd.DisableFlagParsing {
			continue // what follows is another program's
		}
		if err := cmd.ParseFlags(rest); err != nil {
			t.Errorf("line %d: %s: %v", n+1, line, err)
		}
	}
	if found == 0 {
		t.Error("the README shows no command")
	}
}
